//! Commands on keys of all types.

use bytes::Bytes;

use super::command::Command;
use super::database::Database;
use super::resp_value::{CommandError, CommandResult, RespValue};

pub const COMMANDS: &[Command] = &[
    Command::new("DEL", -2, del).removes(),
    Command::new("UNLINK", -2, del).removes(),
    Command::new("EXISTS", -2, exists),
    Command::new("TOUCH", -2, exists),
    Command::new("TYPE", 2, type_of),
    Command::new("RENAME", 3, rename).removes(),
];

fn del(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(RespValue::from_count(args.iter().filter(|key| db.keyspace.remove(key)).count()))
}

fn exists(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(RespValue::from_count(args.iter().filter(|key| db.keyspace.contains(key)).count()))
}

fn type_of(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let name = db.keyspace.value(&args[0]).map_or("none", |value| value.type_name());
    Ok(RespValue::Status(Bytes::from_static(name.as_bytes())))
}

fn rename(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let (value, deadline) = db.keyspace.take(&args[0]).ok_or(CommandError::NO_SUCH_KEY)?;
    db.keyspace.put(&args[1], value, deadline);
    Ok(RespValue::OK)
}
