//! Commands on lists.

use bytes::Bytes;

use super::args;
use super::command::Command;
use super::database::Database;
use super::list::{End, List};
use super::resp_value::{CommandError, CommandResult, RespValue};
use super::size::copied;

pub const COMMANDS: &[Command] = &[
    Command::new("LPUSH", -3, |db, args| push(db, args, End::Left)).adds(),
    Command::new("RPUSH", -3, |db, args| push(db, args, End::Right)).adds(),
    Command::new("LPUSHX", -3, |db, args| push_if(db, args, End::Left)).adds(),
    Command::new("RPUSHX", -3, |db, args| push_if(db, args, End::Right)).adds(),
    Command::new("LPOP", -2, |db, args| pop(db, args, End::Left, "lpop")).removes(),
    Command::new("RPOP", -2, |db, args| pop(db, args, End::Right, "rpop")).removes(),
    Command::new("LLEN", 2, llen),
    Command::new("LRANGE", 4, lrange),
    Command::new("LTRIM", 4, ltrim).removes(),
    Command::new("LREM", 4, lrem).removes(),
    Command::new("LINDEX", 3, lindex),
    Command::new("LSET", 4, lset).adds(),
];

fn list<'a>(db: &'a mut Database, args: &[Bytes]) -> Result<Option<&'a List>, CommandError> {
    db.keyspace.get::<List>(&args[0])
}

fn push(db: &mut Database, args: &[Bytes], end: End) -> CommandResult {
    db.keyspace.edit(&args[0], |list: &mut List| {
        args[1..].iter().for_each(|item| list.push(copied(item), end));
        RespValue::from_count(list.items().len())
    })
}

fn push_if(db: &mut Database, args: &[Bytes], end: End) -> CommandResult {
    if list(db, args)?.is_none() { Ok(RespValue::Int(0)) } else { push(db, args, end) }
}

fn pop(db: &mut Database, args: &[Bytes], end: End, name: &str) -> CommandResult {
    let count = match args {
        [_] => None,
        [_, count] => Some(args::count(count)?),
        _ => return Err(CommandError::arity(name)),
    };
    let popped = db.keyspace.change(&args[0], |list: &mut List| match count {
        None => RespValue::bulk_or_nil(list.pop(end)),
        Some(count) => RespValue::bulk_array((0..count.min(list.items().len())).filter_map(|_| list.pop(end))),
    })?;
    Ok(popped.unwrap_or(RespValue::Nil))
}

fn llen(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(RespValue::from_count(list(db, args)?.map_or(0, |list| list.items().len())))
}

fn lrange(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let (start, stop) = (args::integer(&args[1])?, args::integer(&args[2])?);
    let Some(list) = list(db, args)? else { return Ok(RespValue::Array(Vec::new())) };
    Ok(RespValue::bulk_array(list.items().range(args::slice(start, stop, list.items().len())).cloned()))
}

fn ltrim(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let (start, stop) = (args::integer(&args[1])?, args::integer(&args[2])?);
    db.keyspace.change(&args[0], |list: &mut List| {
        let retained = args::slice(start, stop, list.items().len());
        for _ in retained.end..list.items().len() {
            list.pop(End::Right);
        }
        for _ in 0..retained.start.min(list.items().len()) {
            list.pop(End::Left);
        }
    })?;
    Ok(RespValue::OK)
}

fn lrem(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let count = args::integer(&args[1])?;
    let removed = db.keyspace.change(&args[0], |list: &mut List| list.remove(&args[2], count))?;
    Ok(RespValue::from_count(removed.unwrap_or(0)))
}

fn lindex(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let index = args::integer(&args[1]);
    let Some(list) = list(db, args)? else { return Ok(RespValue::Nil) };
    Ok(RespValue::bulk_or_nil(list.position(index?).and_then(|i| list.items().get(i).cloned())))
}

fn lset(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let index = args::integer(&args[1]);
    let set = db.keyspace.change(&args[0], |list: &mut List| {
        let set = list.position(index?).is_some_and(|position| list.set(position, copied(&args[2])));
        if set { Ok(RespValue::OK) } else { Err(CommandError::new("ERR index out of range")) }
    })?;
    set.unwrap_or(Err(CommandError::NO_SUCH_KEY))
}
