//! Commands that publish.

use bytes::Bytes;
use cinnabar_port::Topic;

use super::answer::{Answer, Outcome};
use super::db::Db;
use super::spec::Spec;

pub const COMMANDS: &[Spec] =
    &[Spec::new("PUBLISH", 3, publish).keyless(), Spec::new("SPUBLISH", 3, spublish).keyless()];

fn publish(db: &mut Db, args: &[Bytes]) -> Outcome {
    let [channel, payload] = args else { return Ok(Answer::Int(0)) };
    Ok(Answer::count(db.hub.publish(&Topic::Channel(channel.clone()), payload.clone())))
}

fn spublish(db: &mut Db, args: &[Bytes]) -> Outcome {
    let [channel, payload] = args else { return Ok(Answer::Int(0)) };
    Ok(Answer::count(db.hub.publish(&Topic::Shard(channel.clone()), payload.clone())))
}
