//! Commands on sets.

use bytes::Bytes;

use super::args;
use super::command::Command;
use super::database::Database;
use super::resp_value::{CommandError, CommandResult, RespValue};
use super::set::Set;

pub const COMMANDS: &[Command] = &[
    Command::new("SADD", -3, sadd).adds(),
    Command::new("SREM", -3, srem).removes(),
    Command::new("SMEMBERS", 2, smembers),
    Command::new("SISMEMBER", 3, sismember),
    Command::new("SMISMEMBER", -3, smismember),
    Command::new("SCARD", 2, scard),
    Command::new("SPOP", -2, spop).removes(),
    Command::new("SRANDMEMBER", -2, srandmember),
];

fn set<'a>(db: &'a mut Database, args: &[Bytes]) -> Result<Option<&'a Set>, CommandError> {
    db.keyspace.get::<Set>(&args[0])
}

fn sadd(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let add = |set: &mut Set| args[1..].iter().filter(|member| set.add(member)).count();
    db.keyspace.edit(&args[0], add).map(RespValue::from_count)
}

fn srem(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let remove = |set: &mut Set| args[1..].iter().filter(|member| set.remove(member)).count();
    Ok(RespValue::from_count(db.keyspace.change(&args[0], remove)?.unwrap_or(0)))
}

fn smembers(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(RespValue::bulk_array(set(db, args)?.into_iter().flat_map(|set| set.members().iter().cloned())))
}

fn sismember(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(set(db, args)?.is_some_and(|set| set.members().contains(&args[1])).into())
}

fn smismember(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let set = set(db, args)?;
    let has = |member| set.is_some_and(|set| set.members().contains(member)).into();
    Ok(RespValue::Array(args[1..].iter().map(has).collect()))
}

fn scard(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(RespValue::from_count(set(db, args)?.map_or(0, |set| set.members().len())))
}

fn spop(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let count = match args {
        [_] => None,
        [_, count] => Some(args::count(count)?),
        _ => return Err(CommandError::SYNTAX),
    };
    let mut seed = db.keyspace.next_random();
    let mut random = || {
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        seed >> 32
    };
    let popped = db.keyspace.change(&args[0], |set: &mut Set| match count {
        None => RespValue::bulk_or_nil(set.pop(random())),
        Some(count) => RespValue::bulk_array((0..count.min(set.members().len())).filter_map(|_| set.pop(random()))),
    })?;
    Ok(popped.unwrap_or(if count.is_some() { RespValue::Array(Vec::new()) } else { RespValue::Nil }))
}

/// The most members that a negative count may request, since they may be repeated: a server would run out of memory.
const MAX_REPEATED: u64 = 1 << 20;

/// Returns `count` different members from a random position on; with a negative count, members may be repeated.
fn srandmember(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let count = match args {
        [_] => None,
        [_, count] => Some(args::integer(count)?),
        _ => return Err(CommandError::SYNTAX),
    };
    if count.is_some_and(|count| count < 0 && count.unsigned_abs() > MAX_REPEATED) {
        return Err(CommandError::new("ERR value is out of range"));
    }
    let seed = db.keyspace.next_random();
    let members = set(db, args)?.map(Set::members).filter(|members| !members.is_empty());
    let Some(members) = members else { return Ok(count.map_or(RespValue::Nil, |_| RespValue::Array(Vec::new()))) };
    let start = (seed % members.len() as u64) as usize;
    let some = members.iter().cycle().skip(start).cloned();
    Ok(match count {
        None => RespValue::bulk_or_nil(members.get_index(start).cloned()),
        Some(count) if count < 0 => RespValue::bulk_array(some.take(count.unsigned_abs() as usize)),
        Some(count) => RespValue::bulk_array(some.take(members.len().min(count as usize))),
    })
}
