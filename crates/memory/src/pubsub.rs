//! Commands that publish messages.

use bytes::Bytes;
use cinnabar_port::Topic;

use super::command::Command;
use super::database::Database;
use super::resp_value::{CommandResult, RespValue};

pub const COMMANDS: &[Command] = &[Command::new("PUBLISH", 3, publish), Command::new("SPUBLISH", 3, spublish)];

fn publish(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let [channel, payload] = args else { return Ok(RespValue::Int(0)) };
    Ok(RespValue::from_count(db.subscriptions.publish(&Topic::Channel(channel.clone()), payload.clone())))
}

fn spublish(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let [channel, payload] = args else { return Ok(RespValue::Int(0)) };
    Ok(RespValue::from_count(db.subscriptions.publish(&Topic::Shard(channel.clone()), payload.clone())))
}
