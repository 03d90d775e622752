//! Ranges of sorted sets, by rank or by score.

use bytes::Bytes;

use super::args;
use super::command::Command;
use super::database::Database;
use super::number;
use super::resp_value::{CommandError, CommandResult, RespValue};
use super::sorted_set::{Limit, SortedSet};
use super::sorted_sets::sorted_set;

pub const COMMANDS: &[Command] = &[
    Command::new("ZRANGE", -4, |db, args| range(db, args, None, None)),
    Command::new("ZREVRANGE", -4, |db, args| range(db, args, Some(By::Rank), Some(true))),
    Command::new("ZRANGEBYSCORE", -4, |db, args| range(db, args, Some(By::Score), Some(false))),
    Command::new("ZREVRANGEBYSCORE", -4, |db, args| range(db, args, Some(By::Score), Some(true))),
    Command::new("ZCOUNT", 4, zcount),
    Command::new("ZREMRANGEBYSCORE", 4, remove_by_score).removes(),
    Command::new("ZREMRANGEBYRANK", 4, remove_by_rank).removes(),
];

#[derive(Clone, Copy, PartialEq)]
enum By {
    Rank,
    Score,
}

/// Parses a limit: a score, preceded by `(` if it is exclusive. An empty score is 0, as in C.
fn limit(arg: &[u8]) -> Result<Limit, CommandError> {
    let (text, exclusive) = arg.strip_prefix(b"(").map_or((arg, false), |text| (text, true));
    let score = if text.is_empty() { Some(0.0) } else { lenient_float(text) };
    score.map(|score| Limit { score, exclusive }).ok_or(CommandError::new("ERR min or max is not a float"))
}

/// Parses a score that may be out of range, since a limit beyond all scores is valid.
fn lenient_float(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| !number.is_nan())
}

/// The options after key, start and stop.
struct Options {
    by: By,
    reverse: bool,
    scores: bool,
    /// `LIMIT`: offset and count.
    limit: Option<(i64, i64)>,
}

/// Parses options. `by` and `reverse` are options of `ZRANGE` only; for older commands their names determine them.
fn options(args: &[Bytes], by: Option<By>, reverse: Option<bool>) -> Result<Options, CommandError> {
    let mut options =
        Options { by: by.unwrap_or(By::Rank), reverse: reverse.unwrap_or(false), scores: false, limit: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match args::word(arg).as_str() {
            "WITHSCORES" => options.scores = true,
            "LIMIT" => {
                let (first, count) = (args::following(&mut args)?, args::following(&mut args)?);
                options.limit = Some((args::integer(first)?, args::integer(count)?));
            }
            "BYSCORE" if by.is_none() => options.by = By::Score,
            "REV" if reverse.is_none() => options.reverse = true,
            _ => return Err(CommandError::SYNTAX),
        }
    }
    if options.by == By::Rank && options.limit.is_some_and(|(_, count)| count != -1) {
        return Err(CommandError::new(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ));
    }
    Ok(options)
}

fn range(db: &mut Database, args: &[Bytes], by: Option<By>, reverse: Option<bool>) -> CommandResult {
    let options = options(&args[3..], by, reverse)?;
    let (first, last) = (&args[1], &args[2]);
    let found = match options.by {
        By::Rank => {
            let (start, stop) = (args::integer(first)?, args::integer(last)?);
            by_rank(sorted_set(db, args)?, start, stop, options.reverse)
        }
        By::Score => {
            let (min, max) = if options.reverse { (last, first) } else { (first, last) };
            let (min, max) = (limit(min)?, limit(max)?);
            by_score(sorted_set(db, args)?, min, max, &options)
        }
    };
    let flat = found
        .into_iter()
        .flat_map(|(member, score)| [Some(member), options.scores.then(|| number::write_float(score))]);
    Ok(RespValue::bulk_array(flat.flatten()))
}

type Members = Vec<(Bytes, f64)>;

fn owned<'a>(members: impl Iterator<Item = (&'a Bytes, f64)>) -> Members {
    members.map(|(member, score)| (member.clone(), score)).collect()
}

fn by_rank(set: Option<&SortedSet>, start: i64, stop: i64, reverse: bool) -> Members {
    let Some(set) = set else { return Vec::new() };
    let len = set.len();
    let ranks = args::slice(start, stop, len);
    let count = ranks.len();
    // Counted from the nearer end.
    let (low, high) = if reverse { (len - ranks.end, len - ranks.start) } else { (ranks.start, ranks.end) };
    let mut found = if low <= len - high {
        owned(set.iter().skip(low).take(count))
    } else {
        let mut backwards = owned(set.iter().rev().skip(len - high).take(count));
        backwards.reverse();
        backwards
    };
    if reverse {
        found.reverse();
    }
    found
}

fn by_score(set: Option<&SortedSet>, min: Limit, max: Limit, options: &Options) -> Members {
    let Some(set) = set else { return Vec::new() };
    let (first, count) = options.limit.unwrap_or((0, -1));
    let Ok(first) = usize::try_from(first) else { return Vec::new() };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let between = set.between(min, max);
    if options.reverse { owned(between.rev().skip(first).take(count)) } else { owned(between.skip(first).take(count)) }
}

fn zcount(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let (min, max) = (limit(&args[1])?, limit(&args[2])?);
    Ok(RespValue::from_count(sorted_set(db, args)?.map_or(0, |set| set.between(min, max).count())))
}

fn remove_by_score(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let (min, max) = (limit(&args[1])?, limit(&args[2])?);
    remove(db, args, |set| owned(set.between(min, max)))
}

fn remove_by_rank(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let (start, stop) = (args::integer(&args[1])?, args::integer(&args[2])?);
    remove(db, args, |set| by_rank(Some(set), start, stop, false))
}

fn remove(db: &mut Database, args: &[Bytes], which: impl Fn(&SortedSet) -> Members) -> CommandResult {
    let removed = db.keyspace.change(&args[0], |set: &mut SortedSet| {
        let removed = which(set);
        removed.iter().filter(|(member, _)| set.remove(member)).count()
    })?;
    Ok(RespValue::from_count(removed.unwrap_or(0)))
}
