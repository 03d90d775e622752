//! Splits a request on many slots into one request per node, and joins the replies.

use bytes::Bytes;
use cinnabar_port::{
    Args, Effect, Keys, Reply, Request, Verb,
    effect::Progress,
    error::{Error, Kind, Result},
    key_positions,
};

use super::scan;
use crate::slot::slot_of;

/// A request to one node.
#[derive(Debug)]
pub struct Part {
    pub request: Request,
    /// The slot whose owner gets it; any node if `None`.
    pub slot: Option<u16>,
}

/// How the replies to the parts are joined.
#[derive(Debug)]
pub enum Join {
    /// There is one part.
    Whole,
    /// Their sum.
    Sum,
    /// All lists, concatenated.
    Concat,
    /// Each part's elements, at these positions of one list.
    Positions(Vec<Vec<u32>>),
    /// The first one: all are the same.
    First,
    /// The minimum at each position of lists of numbers.
    Least,
    /// Keys of one SCAN step, from the owner of this slot; the second field has the first slot of each node.
    Scan(u16, Vec<u16>),
}

/// Splits a request. `firsts` returns the first slot of each node.
///
/// # Errors
/// `E_UNSUPPORTED` if it needs several slots at once and cannot be split.
pub fn split(request: Request, firsts: impl FnOnce() -> Vec<u16>) -> Result<(Vec<Part>, Join)> {
    let whole = |request, slot| Ok((vec![Part { request, slot }], Join::Whole));
    match request.name() {
        "DEL" | "UNLINK" | "EXISTS" | "TOUCH" => Ok(by_slot(request, |_| Join::Sum)),
        "MGET" => Ok(by_slot(request, Join::Positions)),
        "DBSIZE" => Ok(everywhere(&request, firsts(), Join::Sum)),
        // Each node stores its own scripts and functions.
        "SCRIPT" if is_any(&request, &["LOAD", "FLUSH"]) => Ok(everywhere(&request, firsts(), Join::First)),
        "SCRIPT" if is_any(&request, &["EXISTS"]) => Ok(everywhere(&request, firsts(), Join::Least)),
        "FUNCTION" if is_any(&request, &["LOAD", "DELETE", "FLUSH", "RESTORE"]) => {
            Ok(everywhere(&request, firsts(), Join::First))
        }
        "KEYS" => Ok(everywhere(&request, firsts(), Join::Concat)),
        "FLUSHALL" | "FLUSHDB" => Ok(everywhere(&request, firsts(), Join::First)),
        "SCAN" => match request.args.first().and_then(|cursor| scan::unfold(cursor)) {
            // An invalid cursor: let the server report it.
            None => whole(request, None),
            Some((slot, inner)) => {
                let firsts = firsts();
                // Slots before the first assigned one have no owner.
                let slot = if slot == 0 { firsts.iter().copied().min().unwrap_or(0) } else { slot };
                let mut part = request;
                part.args[0] = Bytes::from(inner.to_string());
                Ok((vec![Part { request: part, slot: Some(slot) }], Join::Scan(slot, firsts)))
            }
        },
        _ => {
            let slot = slot(&request)?;
            whole(request, slot)
        }
    }
}

/// The slot shared by all keys.
fn slot(request: &Request) -> Result<Option<u16>> {
    if let Verb::Transaction(whole) = &request.verb {
        return slot_of_all(request, &whole.requests);
    }
    let Some(mut keys) = request.touched() else { return Ok(supposed_key(request).map(|key| slot_of(key))) };
    let Some(first) = keys.next() else { return Ok(None) };
    let slot = slot_of(first);
    match keys.find(|key| slot_of(key) != slot) {
        None => Ok(Some(slot)),
        Some(other) => Err(divided(request, first, other)),
    }
}

/// The slot of a transaction: that of its known keys, otherwise of a guessed key.
fn slot_of_all(whole: &Request, requests: &[Request]) -> Result<Option<u16>> {
    let mut keys = requests.iter().filter_map(Request::touched).flatten();
    let Some(first) = keys.next() else {
        return Ok(requests.iter().find_map(supposed_key).map(|key| slot_of(key)));
    };
    let slot = slot_of(first);
    match keys.find(|key| slot_of(key) != slot) {
        None => Ok(Some(slot)),
        Some(other) => Err(divided(whole, first, other)),
    }
}

fn is_any(request: &Request, subcommands: &[&str]) -> bool {
    request.args.first().is_some_and(|word| subcommands.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes())))
}

/// A guess at the key of a command whose keys are unknown. If it is wrong, the server redirects.
fn supposed_key(request: &Request) -> Option<&Bytes> {
    key_positions::find(request.name()).map_or_else(|| request.args.first(), |position| position.guess(&request.args))
}

fn divided(request: &Request, one: &[u8], other: &[u8]) -> Error {
    let what = match &request.verb {
        Verb::Script(_) | Verb::Many(_) => "a script",
        Verb::Transaction(_) => "a transaction",
        _ => request.name(),
    };
    // The keys are not included, since they may be secrets.
    let message = format!(
        "all keys of {what} must be in one slot, but these are in slots {} and {} of the cluster; keys with the same text in braces, \
         such as {{a}}:x and {{a}}:y, share a slot",
        slot_of(one),
        slot_of(other)
    );
    Error::new(Kind::Unsupported, message)
}

/// Splits a command whose arguments are all keys into one command per slot.
fn by_slot(request: Request, join: impl FnOnce(Vec<Vec<u32>>) -> Join) -> (Vec<Part>, Join) {
    let first = request.args.first().map(|key| slot_of(key));
    if request.args.iter().all(|key| Some(slot_of(key)) == first) {
        return (vec![Part { request, slot: first }], Join::Whole);
    }
    let mut groups: Vec<(u16, Args, Vec<u32>)> = Vec::new();
    let mut group_of = std::collections::HashMap::new();
    for (at, key) in request.args.iter().enumerate() {
        let slot = slot_of(key);
        let group = *group_of.entry(slot).or_insert_with(|| {
            groups.push((slot, Args::new(), Vec::new()));
            groups.len() - 1
        });
        groups[group].1.push(key.clone());
        groups[group].2.push(at as u32);
    }
    let mut positions = Vec::with_capacity(groups.len());
    let parts = groups.into_iter().map(|(slot, args, at)| {
        positions.push(at);
        let keys = Keys::leading(args.len());
        let request = Request { verb: request.verb.clone(), args, keys, effect: request.effect.clone(), ..request };
        Part { request, slot: Some(slot) }
    });
    let parts = parts.collect();
    (parts, join(positions))
}

/// Repeats the command for each node.
fn everywhere(request: &Request, firsts: Vec<u16>, join: Join) -> (Vec<Part>, Join) {
    let parts = firsts.into_iter().map(|first| Part { request: request.clone(), slot: Some(first) });
    (parts.collect(), join)
}

impl Join {
    /// Joins the replies to all parts into one.
    pub fn join(self, replies: Vec<Result<Reply>>, effect: &Effect) -> Result<Reply> {
        if matches!(self, Self::Whole) {
            let none = || Err(Error::new(Kind::Internal, "a request was split into no parts"));
            return replies.into_iter().next().unwrap_or_else(none);
        }
        let mut progress = Progress::default();
        replies.iter().for_each(|reply| progress.record(effect, reply));
        let replies: Vec<Reply> =
            replies.into_iter().collect::<Result<_>>().map_err(|error| progress.final_error(error))?;
        match self {
            Self::Whole | Self::First => Ok(replies.into_iter().next().unwrap_or(Reply::Nil)),
            Self::Least => {
                let lists = replies.into_iter().map(Reply::array).collect::<Result<Vec<_>>>()?;
                let least = lists.into_iter().map(|list| list.into_iter().map(Reply::int).collect()).reduce(least);
                Ok(Reply::Array(least.unwrap_or(Ok(Vec::new()))?.into_iter().map(Reply::Int).collect()))
            }
            Self::Sum => Ok(Reply::Int(replies.into_iter().map(Reply::int).sum::<Result<i64>>()?)),
            Self::Concat => {
                let lists = replies.into_iter().map(Reply::array).collect::<Result<Vec<_>>>()?;
                Ok(Reply::Array(lists.into_iter().flatten().collect()))
            }
            Self::Positions(positions) => {
                let mut all = vec![Reply::Nil; positions.iter().map(Vec::len).sum()];
                for (positions, reply) in positions.into_iter().zip(replies) {
                    let items = reply.array()?;
                    if items.len() != positions.len() {
                        return Err(Error::new(Kind::InvalidData, "a node returned an unexpected number of values"));
                    }
                    for (at, item) in positions.into_iter().zip(items) {
                        all[at as usize] = item;
                    }
                }
                Ok(Reply::Array(all))
            }
            Self::Scan(slot, firsts) => {
                let [cursor, keys] = replies.into_iter().next().unwrap_or(Reply::Nil).tuple()?;
                let inner = cursor.bulk()?.unwrap_or_default();
                let inner = std::str::from_utf8(&inner).ok().and_then(|digits| digits.parse().ok());
                let inner = inner.ok_or_else(|| Error::new(Kind::InvalidData, "a node returned an invalid cursor"))?;
                Ok(Reply::Array(vec![Reply::Bulk(scan::fold(slot, inner, firsts).into()), keys]))
            }
        }
    }
}

fn least(one: Result<Vec<i64>>, other: Result<Vec<i64>>) -> Result<Vec<i64>> {
    Ok(one?.into_iter().zip(other?).map(|(one, other)| one.min(other)).collect())
}

#[cfg(test)]
mod tests;
