//! Parts of sorted sets, by place or by score.

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::db::Db;
use super::number;
use super::sorted_set::{Limit, SortedSet};
use super::sorted_sets::sorted_set;
use super::spec::Spec;

pub const COMMANDS: &[Spec] = &[
    Spec::new("ZRANGE", -4, |db, args| range(db, args, None, None)),
    Spec::new("ZREVRANGE", -4, |db, args| range(db, args, Some(By::Place), Some(true))),
    Spec::new("ZRANGEBYSCORE", -4, |db, args| range(db, args, Some(By::Score), Some(false))),
    Spec::new("ZREVRANGEBYSCORE", -4, |db, args| range(db, args, Some(By::Score), Some(true))),
    Spec::new("ZCOUNT", 4, zcount),
    Spec::new("ZREMRANGEBYSCORE", 4, remove_by_score).removes(),
    Spec::new("ZREMRANGEBYRANK", 4, remove_by_rank).removes(),
];

#[derive(Clone, Copy, PartialEq)]
enum By {
    Place,
    Score,
}

/// A limit's score, `(` before it where it lies outside itself. Nothing at all is 0, as in C.
fn limit(arg: &[u8]) -> Result<Limit, Fault> {
    let (text, exclusive) = arg.strip_prefix(b"(").map_or((arg, false), |text| (text, true));
    let score = if text.is_empty() { Some(0.0) } else { lenient_float(text) };
    score.map(|score| Limit { score, exclusive }).ok_or(Fault::new("ERR min or max is not a float"))
}

/// Limits may be beyond every double: there is simply nothing there.
fn lenient_float(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| !number.is_nan())
}

/// What was asked for behind key, start and stop.
struct Options {
    by: By,
    reverse: bool,
    scores: bool,
    /// First of those found, and how many.
    part: Option<(i64, i64)>,
}

/// `by` and `reverse` are options of `ZRANGE` only: its older relatives have them in their names.
fn options(args: &[Bytes], by: Option<By>, reverse: Option<bool>) -> Result<Options, Fault> {
    let mut options =
        Options { by: by.unwrap_or(By::Place), reverse: reverse.unwrap_or(false), scores: false, part: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match args::word(arg).as_str() {
            "WITHSCORES" => options.scores = true,
            "LIMIT" => {
                let (first, count) = (args::following(&mut args)?, args::following(&mut args)?);
                options.part = Some((args::integer(first)?, args::integer(count)?));
            }
            "BYSCORE" if by.is_none() => options.by = By::Score,
            "REV" if reverse.is_none() => options.reverse = true,
            _ => return Err(Fault::SYNTAX),
        }
    }
    if options.by == By::Place && options.part.is_some_and(|(_, count)| count != -1) {
        return Err(Fault::new(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ));
    }
    Ok(options)
}

fn range(db: &mut Db, args: &[Bytes], by: Option<By>, reverse: Option<bool>) -> Outcome {
    let options = options(&args[3..], by, reverse)?;
    let (first, last) = (&args[1], &args[2]);
    let found = match options.by {
        By::Place => {
            let (start, stop) = (args::integer(first)?, args::integer(last)?);
            by_place(sorted_set(db, args)?, start, stop, options.reverse)
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
    Ok(Answer::bulks(flat.flatten()))
}

type Members = Vec<(Bytes, f64)>;

fn owned<'a>(members: impl Iterator<Item = (&'a Bytes, f64)>) -> Members {
    members.map(|(member, score)| (member.clone(), score)).collect()
}

fn by_place(set: Option<&SortedSet>, start: i64, stop: i64, reverse: bool) -> Members {
    let Some(set) = set else { return Vec::new() };
    let len = set.len();
    let places = args::slice(start, stop, len);
    let count = places.len();
    // Counted from the nearer end.
    let (low, high) = if reverse { (len - places.end, len - places.start) } else { (places.start, places.end) };
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
    let (first, count) = options.part.unwrap_or((0, -1));
    let Ok(first) = usize::try_from(first) else { return Vec::new() };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let between = set.between(min, max);
    if options.reverse { owned(between.rev().skip(first).take(count)) } else { owned(between.skip(first).take(count)) }
}

fn zcount(db: &mut Db, args: &[Bytes]) -> Outcome {
    let (min, max) = (limit(&args[1])?, limit(&args[2])?);
    Ok(Answer::count(sorted_set(db, args)?.map_or(0, |set| set.between(min, max).count())))
}

fn remove_by_score(db: &mut Db, args: &[Bytes]) -> Outcome {
    let (min, max) = (limit(&args[1])?, limit(&args[2])?);
    remove(db, args, |set| owned(set.between(min, max)))
}

fn remove_by_rank(db: &mut Db, args: &[Bytes]) -> Outcome {
    let (start, stop) = (args::integer(&args[1])?, args::integer(&args[2])?);
    remove(db, args, |set| by_place(Some(set), start, stop, false))
}

fn remove(db: &mut Db, args: &[Bytes], which: impl Fn(&SortedSet) -> Members) -> Outcome {
    let removed = db.space.change(&args[0], |set: &mut SortedSet| {
        let gone = which(set);
        gone.iter().filter(|(member, _)| set.remove(member)).count()
    })?;
    Ok(Answer::count(removed.unwrap_or(0)))
}
