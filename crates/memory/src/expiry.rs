//! How long keys live.

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::db::Db;
use super::set_command::{Unit, invalid_deadline, to_millis};
use super::spec::Spec;

pub const COMMANDS: &[Spec] = &[
    Spec::new("EXPIRE", -3, |db, args| expire(db, args, Unit::Seconds, false, "expire")).removes(),
    Spec::new("PEXPIRE", -3, |db, args| expire(db, args, Unit::Millis, false, "pexpire")).removes(),
    Spec::new("EXPIREAT", -3, |db, args| expire(db, args, Unit::Seconds, true, "expireat")).removes(),
    Spec::new("PEXPIREAT", -3, |db, args| expire(db, args, Unit::Millis, true, "pexpireat")).removes(),
    Spec::new("TTL", 2, |db, args| Ok(remaining(db, args, |left| left.saturating_add(500) / 1000))),
    Spec::new("PTTL", 2, |db, args| Ok(remaining(db, args, |left| left))),
    Spec::new("EXPIRETIME", 2, |db, args| Ok(date(db, args, |date| date.saturating_add(500) / 1000))),
    Spec::new("PEXPIRETIME", 2, |db, args| Ok(date(db, args, |date| date))),
    Spec::new("PERSIST", 2, persist).removes(),
];

/// When a new deadline replaces the old one. A key without one lives for ever, so `GT` never shortens that.
#[derive(Default)]
struct Condition {
    none_yet: bool,
    some_already: bool,
    later: bool,
    sooner: bool,
}

impl Condition {
    fn parse(args: &[Bytes]) -> Result<Self, Fault> {
        let mut given = Self::default();
        for arg in args {
            match args::word(arg).as_str() {
                "NX" => given.none_yet = true,
                "XX" => given.some_already = true,
                "GT" => given.later = true,
                "LT" => given.sooner = true,
                _ => return Err(Fault::text(format!("ERR Unsupported option {}", String::from_utf8_lossy(arg)))),
            }
        }
        if given.none_yet && (given.some_already || given.later || given.sooner) {
            return Err(Fault::new("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if given.later && given.sooner {
            return Err(Fault::new("ERR GT and LT options at the same time are not compatible"));
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

fn expire(db: &mut Db, args: &[Bytes], unit: Unit, absolute: bool, name: &str) -> Outcome {
    let condition = Condition::parse(&args[2..])?;
    let given = args::integer(&args[1])?;
    let new = to_millis(db, given, unit, absolute).ok_or_else(|| invalid_deadline(name))?;
    let Some(old) = db.space.deadline(&args[0]) else { return Ok(false.into()) };
    if !condition.allows(old, new) {
        return Ok(false.into());
    }
    if new <= db.space.now() {
        db.space.remove(&args[0]);
    } else {
        db.space.set_deadline(&args[0], Some(new));
    }
    Ok(true.into())
}

fn date(db: &mut Db, args: &[Bytes], shown: impl Fn(i64) -> i64) -> Answer {
    Answer::Int(match db.space.deadline(&args[0]) {
        None => -2,
        Some(None) => -1,
        Some(Some(date)) => shown(date),
    })
}

fn remaining(db: &mut Db, args: &[Bytes], shown: impl Fn(i64) -> i64) -> Answer {
    let now = db.space.now();
    date(db, args, |date| shown(date - now))
}

fn persist(db: &mut Db, args: &[Bytes]) -> Outcome {
    let had = matches!(db.space.deadline(&args[0]), Some(Some(_)));
    if had {
        db.space.set_deadline(&args[0], None);
    }
    Ok(had.into())
}
