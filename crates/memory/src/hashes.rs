//! Commands on hashes.

use bytes::Bytes;

use super::args;
use super::command::Command;
use super::database::Database;
use super::hash::Hash;
use super::number;
use super::resp_value::{CommandError, CommandResult, RespValue};
use super::size::copied;

pub const COMMANDS: &[Command] = &[
    Command::new("HSET", -4, hset).adds(),
    Command::new("HMSET", -4, hmset).adds(),
    Command::new("HSETNX", 4, hsetnx).adds(),
    Command::new("HGET", 3, hget),
    Command::new("HMGET", -3, hmget),
    Command::new("HGETALL", 2, |db, args| list(db, args, true, true)),
    Command::new("HKEYS", 2, |db, args| list(db, args, true, false)),
    Command::new("HVALS", 2, |db, args| list(db, args, false, true)),
    Command::new("HDEL", -3, hdel).removes(),
    Command::new("HEXISTS", 3, hexists),
    Command::new("HLEN", 2, hlen),
    Command::new("HSTRLEN", 3, hstrlen),
    Command::new("HINCRBY", 4, hincrby).adds(),
];

fn hash<'a>(db: &'a mut Database, args: &[Bytes]) -> Result<Option<&'a Hash>, CommandError> {
    db.keyspace.get::<Hash>(&args[0])
}

fn set_all(db: &mut Database, args: &[Bytes], name: &str) -> Result<usize, CommandError> {
    let (pairs, []) = args[1..].as_chunks::<2>() else { return Err(CommandError::arity(name)) };
    let set = |hash: &mut Hash| pairs.iter().filter(|[field, value]| hash.set(field, copied(value))).count();
    db.keyspace.edit(&args[0], set)
}

fn hset(db: &mut Database, args: &[Bytes]) -> CommandResult {
    set_all(db, args, "hset").map(RespValue::from_count)
}

fn hmset(db: &mut Database, args: &[Bytes]) -> CommandResult {
    set_all(db, args, "hmset").map(|_| RespValue::OK)
}

fn hsetnx(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let set = |hash: &mut Hash| !hash.fields().contains_key(&args[1]) && hash.set(&args[1], copied(&args[2]));
    db.keyspace.edit(&args[0], set).map(RespValue::from)
}

fn hget(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(RespValue::bulk_or_nil(hash(db, args)?.and_then(|hash| hash.fields().get(&args[1]).cloned())))
}

fn hmget(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let hash = hash(db, args)?;
    let get = |field| RespValue::bulk_or_nil(hash.and_then(|hash| hash.fields().get(field).cloned()));
    Ok(RespValue::Array(args[1..].iter().map(get).collect()))
}

fn list(db: &mut Database, args: &[Bytes], names: bool, values: bool) -> CommandResult {
    let Some(hash) = hash(db, args)? else { return Ok(RespValue::Array(Vec::new())) };
    let both = hash.fields().iter().flat_map(|(name, value)| [names.then_some(name), values.then_some(value)]);
    Ok(RespValue::bulk_array(both.flatten().cloned()))
}

fn hdel(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let remove = |hash: &mut Hash| args[1..].iter().filter(|field| hash.remove(field)).count();
    Ok(RespValue::from_count(db.keyspace.change(&args[0], remove)?.unwrap_or(0)))
}

fn hexists(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(hash(db, args)?.is_some_and(|hash| hash.fields().contains_key(&args[1])).into())
}

fn hlen(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(RespValue::from_count(hash(db, args)?.map_or(0, |hash| hash.fields().len())))
}

fn hstrlen(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(RespValue::from_count(hash(db, args)?.and_then(|hash| hash.fields().get(&args[1])).map_or(0, Bytes::len)))
}

fn hincrby(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let by = args::integer(&args[2])?;
    db.keyspace.edit(&args[0], |hash: &mut Hash| {
        let old = match hash.fields().get(&args[1]) {
            Some(value) => number::integer(value).ok_or(CommandError::new("ERR hash value is not an integer"))?,
            None => 0,
        };
        let new = old.checked_add(by).ok_or(CommandError::OVERFLOW)?;
        hash.set(&args[1], Bytes::from(new.to_string()));
        Ok(RespValue::Int(new))
    })?
}
