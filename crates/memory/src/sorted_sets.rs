//! Commands on sorted sets, except ranges.

use bytes::Bytes;

use super::args;
use super::command::Command;
use super::database::Database;
use super::number;
use super::resp_value::{CommandError, CommandResult, RespValue};
use super::sorted_set::SortedSet;

pub const COMMANDS: &[Command] = &[
    Command::new("ZADD", -4, zadd).adds(),
    Command::new("ZINCRBY", 4, zincrby).adds(),
    Command::new("ZREM", -3, zrem).removes(),
    Command::new("ZSCORE", 3, zscore),
    Command::new("ZMSCORE", -3, zmscore),
    Command::new("ZCARD", 2, zcard),
    Command::new("ZRANK", 3, |db, args| rank(db, args, false)),
    Command::new("ZREVRANK", 3, |db, args| rank(db, args, true)),
    Command::new("ZPOPMIN", -2, |db, args| pop(db, args, false)).removes(),
    Command::new("ZPOPMAX", -2, |db, args| pop(db, args, true)).removes(),
];

/// Returns the sorted set of a key.
pub fn sorted_set<'a>(db: &'a mut Database, args: &[Bytes]) -> Result<Option<&'a SortedSet>, CommandError> {
    db.keyspace.get::<SortedSet>(&args[0])
}

/// The conditions under which a score is written.
#[derive(Default)]
struct Flags {
    only_new: bool,
    only_old: bool,
    higher: bool,
    lower: bool,
    count_changes: bool,
    add: bool,
}

/// The outcome for one member.
enum Change {
    Added(f64),
    Changed(f64),
    Unchanged(f64),
    Rejected,
}

impl Flags {
    /// Parses leading flags, and returns how many there were.
    fn parse(args: &[Bytes]) -> (Self, usize) {
        let mut flags = Self::default();
        for (i, arg) in args.iter().enumerate() {
            match args::word(arg).as_str() {
                "NX" => flags.only_new = true,
                "XX" => flags.only_old = true,
                "GT" => flags.higher = true,
                "LT" => flags.lower = true,
                "CH" => flags.count_changes = true,
                "INCR" => flags.add = true,
                _ => return (flags, i),
            }
        }
        (flags, args.len())
    }

    fn check(&self, pairs: usize) -> Result<(), CommandError> {
        if self.only_new && self.only_old {
            return Err(CommandError::new("ERR XX and NX options at the same time are not compatible"));
        }
        if (self.higher && self.lower) || (self.only_new && (self.higher || self.lower)) {
            return Err(CommandError::new("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.add && pairs > 1 {
            return Err(CommandError::new("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    fn apply(&self, set: &mut SortedSet, member: &Bytes, given: f64) -> Result<Change, CommandError> {
        let Some(old) = set.score(member) else {
            if self.only_old {
                return Ok(Change::Rejected);
            }
            set.set(member, given);
            return Ok(Change::Added(given));
        };
        if self.only_new {
            return Ok(Change::Rejected);
        }
        let new = if self.add { old + given } else { given };
        if new.is_nan() {
            return Err(CommandError::new("ERR resulting score is not a number (NaN)"));
        }
        if (self.higher && new <= old) || (self.lower && new >= old) {
            return Ok(Change::Rejected);
        }
        if new == old {
            return Ok(Change::Unchanged(new));
        }
        set.set(member, new);
        Ok(Change::Changed(new))
    }
}

fn zadd(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let (flags, skipped) = Flags::parse(&args[1..]);
    add(db, args, flags, &args[1 + skipped..])
}

fn zincrby(db: &mut Database, args: &[Bytes]) -> CommandResult {
    add(db, args, Flags { add: true, ..Flags::default() }, &args[1..])
}

fn add(db: &mut Database, args: &[Bytes], flags: Flags, pairs: &[Bytes]) -> CommandResult {
    let (pairs, []) = pairs.as_chunks::<2>() else { return Err(CommandError::SYNTAX) };
    if pairs.is_empty() {
        return Err(CommandError::SYNTAX);
    }
    flags.check(pairs.len())?;
    // All scores are parsed before anything is written, so an invalid one changes nothing.
    let scores = pairs.iter().map(|[score, _]| args::float(score)).collect::<Result<Vec<f64>, CommandError>>()?;
    db.keyspace.edit(&args[0], |set: &mut SortedSet| {
        let (mut added, mut changed, mut last) = (0, 0, RespValue::Nil);
        for ([_, member], score) in pairs.iter().zip(scores) {
            let score = match flags.apply(set, member, score)? {
                Change::Added(score) => {
                    added += 1;
                    score
                }
                Change::Changed(score) => {
                    changed += 1;
                    score
                }
                Change::Unchanged(score) => score,
                Change::Rejected => continue,
            };
            last = RespValue::Bulk(number::write_float(score));
        }
        Ok(match (flags.add, flags.count_changes) {
            (true, _) => last,
            (_, true) => RespValue::from_count(added + changed),
            _ => RespValue::from_count(added),
        })
    })?
}

fn zrem(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let remove = |set: &mut SortedSet| args[1..].iter().filter(|member| set.remove(member)).count();
    Ok(RespValue::from_count(db.keyspace.change(&args[0], remove)?.unwrap_or(0)))
}

fn zscore(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let score = sorted_set(db, args)?.and_then(|set| set.score(&args[1]));
    Ok(RespValue::bulk_or_nil(score.map(number::write_float)))
}

fn zmscore(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let set = sorted_set(db, args)?;
    let score = |member: &Bytes| RespValue::bulk_or_nil(set.and_then(|set| set.score(member)).map(number::write_float));
    Ok(RespValue::Array(args[1..].iter().map(score).collect()))
}

fn zcard(db: &mut Database, args: &[Bytes]) -> CommandResult {
    Ok(RespValue::from_count(sorted_set(db, args)?.map_or(0, SortedSet::len)))
}

fn rank(db: &mut Database, args: &[Bytes], reverse: bool) -> CommandResult {
    let Some(set) = sorted_set(db, args)? else { return Ok(RespValue::Nil) };
    let rank = set.rank(&args[1]).map(|rank| if reverse { set.len() - 1 - rank } else { rank });
    Ok(rank.map_or(RespValue::Nil, RespValue::from_count))
}

fn pop(db: &mut Database, args: &[Bytes], highest: bool) -> CommandResult {
    let count = match args {
        [_] => 1,
        [_, count] => args::count(count)?,
        _ => return Err(CommandError::SYNTAX),
    };
    let popped = db.keyspace.change(&args[0], |set: &mut SortedSet| {
        let mut flat = Vec::new();
        for _ in 0..count.min(set.len()) {
            let end = if highest { set.iter().next_back() } else { set.iter().next() };
            let Some((member, score)) = end.map(|(member, score)| (member.clone(), score)) else { break };
            set.remove(&member);
            flat.extend([member, number::write_float(score)]);
        }
        RespValue::bulk_array(flat)
    })?;
    Ok(popped.unwrap_or(RespValue::Array(Vec::new())))
}
