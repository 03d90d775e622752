//! Sorted sets: members and scores. Ranges have a file of their own.

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::db::Db;
use super::number;
use super::sorted_set::SortedSet;
use super::spec::Spec;

pub const COMMANDS: &[Spec] = &[
    Spec::new("ZADD", -4, zadd).adds(),
    Spec::new("ZINCRBY", 4, zincrby).adds(),
    Spec::new("ZREM", -3, zrem).removes(),
    Spec::new("ZSCORE", 3, zscore),
    Spec::new("ZMSCORE", -3, zmscore),
    Spec::new("ZCARD", 2, zcard),
    Spec::new("ZRANK", 3, |db, args| rank(db, args, false)),
    Spec::new("ZREVRANK", 3, |db, args| rank(db, args, true)),
    Spec::new("ZPOPMIN", -2, |db, args| pop(db, args, false)).removes(),
    Spec::new("ZPOPMAX", -2, |db, args| pop(db, args, true)).removes(),
];

/// A key's sorted set.
pub fn sorted_set<'a>(db: &'a mut Db, args: &[Bytes]) -> Result<Option<&'a SortedSet>, Fault> {
    db.space.get::<SortedSet>(&args[0])
}

/// When a score is written.
#[derive(Default)]
struct Flags {
    only_new: bool,
    only_old: bool,
    higher: bool,
    lower: bool,
    count_changes: bool,
    add: bool,
}

/// What became of one member.
enum Done {
    Added(f64),
    Changed(f64),
    Same(f64),
    Refused,
}

impl Flags {
    /// Reads them off the front; how many there were.
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

    fn check(&self, pairs: usize) -> Result<(), Fault> {
        if self.only_new && self.only_old {
            return Err(Fault::new("ERR XX and NX options at the same time are not compatible"));
        }
        if (self.higher && self.lower) || (self.only_new && (self.higher || self.lower)) {
            return Err(Fault::new("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.add && pairs > 1 {
            return Err(Fault::new("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    fn apply(&self, set: &mut SortedSet, member: &Bytes, given: f64) -> Result<Done, Fault> {
        let Some(old) = set.score(member) else {
            if self.only_old {
                return Ok(Done::Refused);
            }
            set.set(member, given);
            return Ok(Done::Added(given));
        };
        if self.only_new {
            return Ok(Done::Refused);
        }
        let new = if self.add { old + given } else { given };
        if new.is_nan() {
            return Err(Fault::new("ERR resulting score is not a number (NaN)"));
        }
        if (self.higher && new <= old) || (self.lower && new >= old) {
            return Ok(Done::Refused);
        }
        if new == old {
            return Ok(Done::Same(new));
        }
        set.set(member, new);
        Ok(Done::Changed(new))
    }
}

fn zadd(db: &mut Db, args: &[Bytes]) -> Outcome {
    let (flags, skipped) = Flags::parse(&args[1..]);
    add(db, args, flags, &args[1 + skipped..])
}

fn zincrby(db: &mut Db, args: &[Bytes]) -> Outcome {
    add(db, args, Flags { add: true, ..Flags::default() }, &args[1..])
}

fn add(db: &mut Db, args: &[Bytes], flags: Flags, pairs: &[Bytes]) -> Outcome {
    let (pairs, []) = pairs.as_chunks::<2>() else { return Err(Fault::SYNTAX) };
    if pairs.is_empty() {
        return Err(Fault::SYNTAX);
    }
    flags.check(pairs.len())?;
    // All scores are read before anything is written: a bad one changes nothing.
    let scores = pairs.iter().map(|[score, _]| args::float(score)).collect::<Result<Vec<f64>, Fault>>()?;
    db.space.edit(&args[0], |set: &mut SortedSet| {
        let (mut added, mut changed, mut last) = (0, 0, Answer::Nil);
        for ([_, member], score) in pairs.iter().zip(scores) {
            let score = match flags.apply(set, member, score)? {
                Done::Added(score) => {
                    added += 1;
                    score
                }
                Done::Changed(score) => {
                    changed += 1;
                    score
                }
                Done::Same(score) => score,
                Done::Refused => continue,
            };
            last = Answer::Bulk(number::write_float(score));
        }
        Ok(match (flags.add, flags.count_changes) {
            (true, _) => last,
            (_, true) => Answer::count(added + changed),
            _ => Answer::count(added),
        })
    })?
}

fn zrem(db: &mut Db, args: &[Bytes]) -> Outcome {
    let remove = |set: &mut SortedSet| args[1..].iter().filter(|member| set.remove(member)).count();
    Ok(Answer::count(db.space.change(&args[0], remove)?.unwrap_or(0)))
}

fn zscore(db: &mut Db, args: &[Bytes]) -> Outcome {
    let score = sorted_set(db, args)?.and_then(|set| set.score(&args[1]));
    Ok(Answer::maybe(score.map(number::write_float)))
}

fn zmscore(db: &mut Db, args: &[Bytes]) -> Outcome {
    let set = sorted_set(db, args)?;
    let score = |member: &Bytes| Answer::maybe(set.and_then(|set| set.score(member)).map(number::write_float));
    Ok(Answer::Array(args[1..].iter().map(score).collect()))
}

fn zcard(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::count(sorted_set(db, args)?.map_or(0, SortedSet::len)))
}

fn rank(db: &mut Db, args: &[Bytes], reverse: bool) -> Outcome {
    let Some(set) = sorted_set(db, args)? else { return Ok(Answer::Nil) };
    let rank = set.rank(&args[1]).map(|rank| if reverse { set.len() - 1 - rank } else { rank });
    Ok(rank.map_or(Answer::Nil, Answer::count))
}

fn pop(db: &mut Db, args: &[Bytes], highest: bool) -> Outcome {
    let count = match args {
        [_] => 1,
        [_, count] => args::count(count)?,
        _ => return Err(Fault::SYNTAX),
    };
    let popped = db.space.change(&args[0], |set: &mut SortedSet| {
        let mut flat = Vec::new();
        for _ in 0..count.min(set.len()) {
            let end = if highest { set.iter().next_back() } else { set.iter().next() };
            let Some((member, score)) = end.map(|(member, score)| (member.clone(), score)) else { break };
            set.remove(&member);
            flat.extend([member, number::write_float(score)]);
        }
        Answer::bulks(flat)
    })?;
    Ok(popped.unwrap_or(Answer::Array(Vec::new())))
}
