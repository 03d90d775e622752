//! `SET` with all its options, and the older and newer commands that do part of it.

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::db::Db;
use super::size::own;
use super::spec::Spec;
use super::strings::text;
use super::value::{Text, Value};

pub const COMMANDS: &[Spec] = &[
    Spec::new("SET", -3, set).replaces(),
    Spec::new("SETNX", 3, setnx).replaces(),
    Spec::new("SETEX", 4, |db, args| set_for(db, args, Unit::Seconds, "setex")).replaces(),
    Spec::new("PSETEX", 4, |db, args| set_for(db, args, Unit::Millis, "psetex")).replaces(),
    Spec::new("GETSET", 3, getset).replaces(),
    Spec::new("GETEX", -2, getex).removes(),
];

/// In what a span or date is given.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    Seconds,
    Millis,
}

/// A deadline from a span from now, or from a date; refused where it cannot be meant.
pub fn deadline(db: &Db, arg: &[u8], unit: Unit, absolute: bool, name: &str) -> Result<i64, Fault> {
    let given = args::integer(arg)?;
    let deadline = to_millis(db, given, unit, absolute).filter(|_| given > 0);
    deadline.ok_or_else(|| invalid_deadline(name))
}

/// Milliseconds since 1970; `None` where they do not fit.
pub fn to_millis(db: &Db, given: i64, unit: Unit, absolute: bool) -> Option<i64> {
    let millis = if unit == Unit::Seconds { given.checked_mul(1000)? } else { given };
    if absolute { Some(millis) } else { millis.checked_add(db.space.now()) }
}

pub fn invalid_deadline(name: &str) -> Fault {
    Fault::text(format!("ERR invalid expire time in '{name}' command"))
}

/// What becomes of the deadline.
#[derive(Default)]
enum Life<'a> {
    /// None is set; `GETEX` leaves the old one.
    #[default]
    Unsaid,
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
    life: Life<'a>,
}

fn options<'a>(args: &'a [Bytes], of_set: bool) -> Result<Options<'a>, Fault> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let word = args::word(arg);
        let unsaid = matches!(options.life, Life::Unsaid);
        match word.as_str() {
            "NX" if of_set && !options.only_old => options.only_new = true,
            "XX" if of_set && !options.only_new => options.only_old = true,
            "GET" if of_set => options.get = true,
            "KEEPTTL" if of_set && (unsaid || matches!(options.life, Life::Keep)) => options.life = Life::Keep,
            "PERSIST" if !of_set && (unsaid || matches!(options.life, Life::Persist)) => options.life = Life::Persist,
            "EX" | "PX" | "EXAT" | "PXAT" if unsaid => {
                let unit = if word.starts_with('E') { Unit::Seconds } else { Unit::Millis };
                options.life = Life::Until { arg: args::following(&mut args)?, unit, absolute: word.ends_with("AT") };
            }
            _ => return Err(Fault::SYNTAX),
        }
    }
    Ok(options)
}

fn set(db: &mut Db, args: &[Bytes]) -> Outcome {
    let (key, value) = (&args[0], &args[1]);
    let options = options(&args[2..], true)?;
    let until = match options.life {
        Life::Until { arg, unit, absolute } => Some(deadline(db, arg, unit, absolute, "set")?),
        _ => None,
    };
    let old = if options.get { Some(Answer::maybe(text(db, key)?)) } else { None };
    let exists = db.space.contains(key);
    if (options.only_new && exists) || (options.only_old && !exists) {
        return Ok(old.unwrap_or(Answer::Nil));
    }
    let value = Value::Text(Text(own(value)));
    if matches!(options.life, Life::Keep) {
        db.space.put_keeping_deadline(key, value);
    } else {
        db.space.put(key, value, until);
    }
    Ok(old.unwrap_or(Answer::OK))
}

fn setnx(db: &mut Db, args: &[Bytes]) -> Outcome {
    let new = !db.space.contains(&args[0]);
    if new {
        db.space.put(&args[0], Value::Text(Text(own(&args[1]))), None);
    }
    Ok(new.into())
}

fn set_for(db: &mut Db, args: &[Bytes], unit: Unit, name: &str) -> Outcome {
    let until = deadline(db, &args[1], unit, false, name)?;
    db.space.put(&args[0], Value::Text(Text(own(&args[2]))), Some(until));
    Ok(Answer::OK)
}

fn getset(db: &mut Db, args: &[Bytes]) -> Outcome {
    let old = text(db, &args[0])?;
    db.space.put(&args[0], Value::Text(Text(own(&args[1]))), None);
    Ok(Answer::maybe(old))
}

fn getex(db: &mut Db, args: &[Bytes]) -> Outcome {
    let options = options(&args[1..], false)?;
    let Some(found) = text(db, &args[0])? else { return Ok(Answer::Nil) };
    match options.life {
        Life::Until { arg, unit, absolute } => {
            let until = deadline(db, arg, unit, absolute, "getex")?;
            db.space.set_deadline(&args[0], Some(until));
        }
        Life::Persist => db.space.set_deadline(&args[0], None),
        Life::Unsaid | Life::Keep => {}
    }
    Ok(Answer::Bulk(found))
}
