//! Commands on deadlines of keys.

use bytes::Bytes;

use super::args;
use super::command::Command;
use super::database::Database;
use super::resp_value::{CommandError, CommandResult, RespValue};
use super::set_command::{Unit, invalid_deadline, to_millis};

pub const COMMANDS: &[Command] = &[
    Command::new("EXPIRE", -3, |db, args| expire(db, args, Unit::Seconds, false, "expire")).removes(),
    Command::new("PEXPIRE", -3, |db, args| expire(db, args, Unit::Millis, false, "pexpire")).removes(),
    Command::new("EXPIREAT", -3, |db, args| expire(db, args, Unit::Seconds, true, "expireat")).removes(),
    Command::new("PEXPIREAT", -3, |db, args| expire(db, args, Unit::Millis, true, "pexpireat")).removes(),
    Command::new("TTL", 2, |db, args| Ok(remaining(db, args, |left| left.saturating_add(500) / 1000))),
    Command::new("PTTL", 2, |db, args| Ok(remaining(db, args, |left| left))),
    Command::new("EXPIRETIME", 2, |db, args| Ok(date(db, args, |date| date.saturating_add(500) / 1000))),
    Command::new("PEXPIRETIME", 2, |db, args| Ok(date(db, args, |date| date))),
    Command::new("PERSIST", 2, persist).removes(),
];

/// The conditions under which a new deadline replaces the old one. A key without a deadline never expires, so `GT` never applies.
#[derive(Default)]
struct Condition {
    none_yet: bool,
    some_already: bool,
    later: bool,
    sooner: bool,
}

impl Condition {
    fn parse(args: &[Bytes]) -> Result<Self, CommandError> {
        let mut given = Self::default();
        for arg in args {
            match args::word(arg).as_str() {
                "NX" => given.none_yet = true,
                "XX" => given.some_already = true,
                "GT" => given.later = true,
                "LT" => given.sooner = true,
                _ => {
                    return Err(CommandError::text(format!("ERR Unsupported option {}", String::from_utf8_lossy(arg))));
                }
            }
        }
        if given.none_yet && (given.some_already || given.later || given.sooner) {
            return Err(CommandError::new("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if given.later && given.sooner {
            return Err(CommandError::new("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(given)
    }

    fn allows(&self, old: Option<i64>, new: i64) -> bool {
        !(self.none_yet && old.is_some()
            || self.some_already && old.is_none()
            || self.later && old.is_none_or(|old| new <= old)
            || self.sooner && old.is_some_and(|old| new >= old))
    }
}

fn expire(db: &mut Database, args: &[Bytes], unit: Unit, absolute: bool, name: &str) -> CommandResult {
    let condition = Condition::parse(&args[2..])?;
    let given = args::integer(&args[1])?;
    let new = to_millis(db, given, unit, absolute).ok_or_else(|| invalid_deadline(name))?;
    let Some(old) = db.keyspace.deadline(&args[0]) else { return Ok(false.into()) };
    if !condition.allows(old, new) {
        return Ok(false.into());
    }
    if new <= db.keyspace.now() {
        db.keyspace.remove(&args[0]);
    } else {
        db.keyspace.set_deadline(&args[0], Some(new));
    }
    Ok(true.into())
}

fn date(db: &mut Database, args: &[Bytes], convert: impl Fn(i64) -> i64) -> RespValue {
    RespValue::Int(match db.keyspace.deadline(&args[0]) {
        None => -2,
        Some(None) => -1,
        Some(Some(date)) => convert(date),
    })
}

fn remaining(db: &mut Database, args: &[Bytes], convert: impl Fn(i64) -> i64) -> RespValue {
    let now = db.keyspace.now();
    date(db, args, |date| convert(date - now))
}

fn persist(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let had = matches!(db.keyspace.deadline(&args[0]), Some(Some(_)));
    if had {
        db.keyspace.set_deadline(&args[0], None);
    }
    Ok(had.into())
}
