//! Commands on strings, except `SET` and its variants.

use bytes::{Bytes, BytesMut};

use super::args;
use super::command::Command;
use super::database::Database;
use super::number;
use super::resp_value::{CommandError, CommandResult, RespValue};
use super::size::{NEW_KEY, copied};
use super::value::{Text, Value};

pub const COMMANDS: &[Command] = &[
    Command::new("GET", 2, get),
    Command::new("MGET", -2, mget),
    Command::new("MSET", -3, mset).replaces(),
    Command::new("MSETNX", -3, msetnx).adds(),
    Command::new("GETDEL", 2, getdel).removes(),
    Command::new("STRLEN", 2, strlen),
    Command::new("APPEND", 3, append).adds(),
    Command::new("GETRANGE", 4, getrange),
    Command::new("SETRANGE", 4, setrange).adds(),
    Command::new("INCR", 2, |db, args| add(db, args, 1)).adds(),
    Command::new("DECR", 2, |db, args| add(db, args, -1)).adds(),
    Command::new("INCRBY", 3, incrby).adds(),
    Command::new("DECRBY", 3, decrby).adds(),
];

/// The longest string in bytes, as `proto-max-bulk-len` limits it on a server.
const LONGEST: usize = 512 * 1024 * 1024;

/// Returns the string of a key.
pub fn text(db: &mut Database, key: &[u8]) -> Result<Option<Bytes>, CommandError> {
    Ok(db.keyspace.get::<Text>(key)?.map(|text| text.0.clone()))
}

fn get(db: &mut Database, args: &[Bytes]) -> CommandResult {
    text(db, &args[0]).map(RespValue::bulk_or_nil)
}

fn mget(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(RespValue::Array(args.iter().map(|key| RespValue::bulk_or_nil(text(db, key).ok().flatten())).collect()))
}

fn mset(db: &mut Database, args: &[Bytes]) -> CommandResult {
    set_all(db, args, "mset")?;
    Ok(RespValue::OK)
}

fn msetnx(db: &mut Database, args: &[Bytes]) -> CommandResult {
    if args.len().is_multiple_of(2) && args.iter().step_by(2).any(|key| db.keyspace.contains(key)) {
        return Ok(false.into());
    }
    set_all(db, args, "msetnx")?;
    Ok(true.into())
}

fn set_all(db: &mut Database, args: &[Bytes], name: &str) -> Result<(), CommandError> {
    let (pairs, []) = args.as_chunks::<2>() else { return Err(CommandError::arity(name)) };
    for [key, value] in pairs {
        db.keyspace.put(key, Value::Text(Text(copied(value))), None);
    }
    Ok(())
}

fn getdel(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let found = text(db, &args[0])?;
    db.keyspace.remove(&args[0]);
    Ok(RespValue::bulk_or_nil(found))
}

fn strlen(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(RespValue::from_count(text(db, &args[0])?.map_or(0, |text| text.len())))
}

fn append(db: &mut Database, args: &[Bytes]) -> CommandResult {
    if text(db, &args[0])?.map_or(0, |text| text.len()) + args[1].len() > LONGEST {
        return Err(CommandError::TOO_LONG);
    }
    db.keyspace.edit(&args[0], |text: &mut Text| {
        // In place if no reply still references the old bytes.
        let mut longer = std::mem::take(&mut text.0).try_into_mut().unwrap_or_else(|old| BytesMut::from(&old[..]));
        longer.extend_from_slice(&args[1]);
        text.0 = longer.freeze();
        RespValue::from_count(text.0.len())
    })
}

fn getrange(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let (start, end) = (args::integer(&args[1])?, args::integer(&args[2])?);
    let text = text(db, &args[0])?.unwrap_or_default();
    if start < 0 && end < 0 && start > end {
        return Ok(RespValue::Bulk(Bytes::new()));
    }
    // Unlike with lists, an end before the first byte selects the first byte.
    let end = if end < 0 { end.saturating_add(text.len() as i64).max(0) } else { end };
    Ok(RespValue::Bulk(text.slice(args::slice(start, end, text.len()))))
}

fn setrange(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let offset = args::integer(&args[1])?;
    let patch = &args[2];
    let Ok(offset) = usize::try_from(offset) else { return Err(CommandError::new("ERR offset is out of range")) };
    let old = text(db, &args[0])?.unwrap_or_default();
    if patch.is_empty() {
        return Ok(RespValue::from_count(old.len()));
    }
    let end = offset.saturating_add(patch.len());
    if end > LONGEST {
        return Err(CommandError::TOO_LONG);
    }
    let current = db.keyspace.touch(&args[0]);
    db.keyspace.make_room(end.saturating_sub(old.len()) + NEW_KEY, current, 0)?;
    let mut bytes = BytesMut::from(&old[..]);
    bytes.resize(bytes.len().max(end), 0);
    bytes[offset..end].copy_from_slice(patch);
    let len = bytes.len();
    db.keyspace.put_retaining_deadline(&args[0], Value::Text(Text(bytes.freeze())));
    Ok(RespValue::from_count(len))
}

fn incrby(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let by = args::integer(&args[1])?;
    add(db, args, by)
}

fn decrby(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let by = args::integer(&args[1])?;
    let by = by.checked_neg().ok_or(CommandError::new("ERR decrement would overflow"))?;
    add(db, args, by)
}

fn add(db: &mut Database, args: &[Bytes], by: i64) -> CommandResult {
    let old = match text(db, &args[0])? {
        Some(text) => number::integer(&text).ok_or(CommandError::NOT_INTEGER)?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or(CommandError::OVERFLOW)?;
    db.keyspace.put_retaining_deadline(&args[0], Value::Text(Text(Bytes::from(new.to_string()))));
    Ok(RespValue::Int(new))
}
