//! `SET` with all its options, and related commands.

use bytes::Bytes;

use super::args;
use super::command::Command;
use super::database::Database;
use super::resp_value::{CommandError, CommandResult, RespValue};
use super::size::copied;
use super::strings::text;
use super::value::{Text, Value};

pub const COMMANDS: &[Command] = &[
    Command::new("SET", -3, set).replaces(),
    Command::new("SETNX", 3, setnx).replaces(),
    Command::new("SETEX", 4, |db, args| set_for(db, args, Unit::Seconds, "setex")).replaces(),
    Command::new("PSETEX", 4, |db, args| set_for(db, args, Unit::Millis, "psetex")).replaces(),
    Command::new("GETSET", 3, getset).replaces(),
    Command::new("GETEX", -2, getex).removes(),
];

/// The unit of a duration or time.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    Seconds,
    Millis,
}

/// Converts a ttl, or a time since 1970, to a deadline; an error if it is invalid.
pub fn deadline(db: &Database, arg: &[u8], unit: Unit, absolute: bool, name: &str) -> Result<i64, CommandError> {
    let given = args::integer(arg)?;
    let deadline = to_millis(db, given, unit, absolute).filter(|_| given > 0);
    deadline.ok_or_else(|| invalid_deadline(name))
}

/// Converts to milliseconds since 1970; `None` on overflow.
pub fn to_millis(db: &Database, given: i64, unit: Unit, absolute: bool) -> Option<i64> {
    let millis = if unit == Unit::Seconds { given.checked_mul(1000)? } else { given };
    if absolute { Some(millis) } else { millis.checked_add(db.keyspace.now()) }
}

pub fn invalid_deadline(name: &str) -> CommandError {
    CommandError::text(format!("ERR invalid expire time in '{name}' command"))
}

/// What happens to the deadline.
#[derive(Default)]
enum Expiry<'a> {
    /// None is set; `GETEX` retains the old one.
    #[default]
    Unspecified,
    /// `KEEPTTL`.
    Keep,
    /// `PERSIST`.
    Persist,
    Until {
        arg: &'a Bytes,
        unit: Unit,
        absolute: bool,
    },
}

#[derive(Default)]
struct Options<'a> {
    only_new: bool,
    only_old: bool,
    get: bool,
    expiry: Expiry<'a>,
}

fn options<'a>(args: &'a [Bytes], of_set: bool) -> Result<Options<'a>, CommandError> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let word = args::word(arg);
        let unspecified = matches!(options.expiry, Expiry::Unspecified);
        match word.as_str() {
            "NX" if of_set && !options.only_old => options.only_new = true,
            "XX" if of_set && !options.only_new => options.only_old = true,
            "GET" if of_set => options.get = true,
            "KEEPTTL" if of_set && (unspecified || matches!(options.expiry, Expiry::Keep)) => {
                options.expiry = Expiry::Keep
            }
            "PERSIST" if !of_set && (unspecified || matches!(options.expiry, Expiry::Persist)) => {
                options.expiry = Expiry::Persist
            }
            "EX" | "PX" | "EXAT" | "PXAT" if unspecified => {
                let unit = if word.starts_with('E') { Unit::Seconds } else { Unit::Millis };
                options.expiry =
                    Expiry::Until { arg: args::following(&mut args)?, unit, absolute: word.ends_with("AT") };
            }
            _ => return Err(CommandError::SYNTAX),
        }
    }
    Ok(options)
}

fn set(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let (key, value) = (&args[0], &args[1]);
    let options = options(&args[2..], true)?;
    let until = match options.expiry {
        Expiry::Until { arg, unit, absolute } => Some(deadline(db, arg, unit, absolute, "set")?),
        _ => None,
    };
    let old = if options.get { Some(RespValue::bulk_or_nil(text(db, key)?)) } else { None };
    let exists = db.keyspace.contains(key);
    if (options.only_new && exists) || (options.only_old && !exists) {
        return Ok(old.unwrap_or(RespValue::Nil));
    }
    let value = Value::Text(Text(copied(value)));
    if matches!(options.expiry, Expiry::Keep) {
        db.keyspace.put_retaining_deadline(key, value);
    } else {
        db.keyspace.put(key, value, until);
    }
    Ok(old.unwrap_or(RespValue::OK))
}

fn setnx(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let new = !db.keyspace.contains(&args[0]);
    if new {
        db.keyspace.put(&args[0], Value::Text(Text(copied(&args[1]))), None);
    }
    Ok(new.into())
}

fn set_for(db: &mut Database, args: &[Bytes], unit: Unit, name: &str) -> CommandResult {
    let until = deadline(db, &args[1], unit, false, name)?;
    db.keyspace.put(&args[0], Value::Text(Text(copied(&args[2]))), Some(until));
    Ok(RespValue::OK)
}

fn getset(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let old = text(db, &args[0])?;
    db.keyspace.put(&args[0], Value::Text(Text(copied(&args[1]))), None);
    Ok(RespValue::bulk_or_nil(old))
}

fn getex(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let options = options(&args[1..], false)?;
    let Some(found) = text(db, &args[0])? else { return Ok(RespValue::Nil) };
    match options.expiry {
        Expiry::Until { arg, unit, absolute } => {
            let until = deadline(db, arg, unit, absolute, "getex")?;
            db.keyspace.set_deadline(&args[0], Some(until));
        }
        Expiry::Persist => db.keyspace.set_deadline(&args[0], None),
        Expiry::Unspecified | Expiry::Keep => {}
    }
    Ok(RespValue::Bulk(found))
}
