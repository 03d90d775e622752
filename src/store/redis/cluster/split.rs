//! A request of many slots, cut into requests that one node can answer each, and the answers put together again.

use bytes::Bytes;

use super::{scan, slot::slot_of};
use crate::{
    error::{Error, Kind, Result},
    store::{Args, Keys, Reply, Request, Verb},
};

/// What one node is asked.
#[derive(Debug)]
pub struct Part {
    pub request: Request,
    /// The slot whose node is asked; any node where there is none.
    pub slot: Option<u16>,
}

/// How the answers to all parts become one.
#[derive(Debug)]
pub enum Join {
    /// There is one part.
    Whole,
    /// Their sum.
    Sum,
    /// All lists behind one another.
    Concat,
    /// Each part's elements at these places of one list.
    Places(Vec<Vec<u32>>),
    /// That of the first: all are the same.
    First,
    /// Lists of numbers, of which the least at each place counts.
    Least,
    /// A page of keys from the node of this slot, where nodes begin with these slots.
    Scan(u16, Vec<u16>),
}

/// Cuts a request up. `firsts` are the first slots of all nodes.
///
/// # Errors
/// `E_UNSUPPORTED` when it needs several slots at once and cannot be cut.
pub fn split(request: Request, firsts: impl FnOnce() -> Vec<u16>) -> Result<(Vec<Part>, Join)> {
    let whole = |request, slot| Ok((vec![Part { request, slot }], Join::Whole));
    match request.name() {
        "DEL" | "UNLINK" | "EXISTS" | "TOUCH" => Ok(by_slot(request, |_| Join::Sum)),
        "MGET" => Ok(by_slot(request, Join::Places)),
        "DBSIZE" => Ok(everywhere(&request, firsts(), Join::Sum)),
        // Each node has scripts and functions of its own.
        "SCRIPT" if is_any(&request, &["LOAD", "FLUSH"]) => Ok(everywhere(&request, firsts(), Join::First)),
        "SCRIPT" if is_any(&request, &["EXISTS"]) => Ok(everywhere(&request, firsts(), Join::Least)),
        "FUNCTION" if is_any(&request, &["LOAD", "DELETE", "FLUSH", "RESTORE"]) => {
            Ok(everywhere(&request, firsts(), Join::First))
        }
        "KEYS" => Ok(everywhere(&request, firsts(), Join::Concat)),
        "FLUSHALL" | "FLUSHDB" => Ok(everywhere(&request, firsts(), Join::First)),
        "SCAN" => match request.args.first().and_then(|cursor| scan::unfold(cursor)) {
            // A server says best what is wrong with it.
            None => whole(request, None),
            Some((slot, inner)) => {
                let firsts = firsts();
                // Slots before the first that anybody has belong to nobody.
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

/// The slot of all keys.
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

/// The slot of a transaction: that of all keys that are known, else of one that is supposed.
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

/// The key of a command whose keys nobody knows: its first argument, or the first key of a script. Where that is wrong, the
/// server says where it belongs.
fn supposed_key(request: &Request) -> Option<&Bytes> {
    match request.name() {
        "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" => {
            request.args.get(2).filter(|_| request.args.get(1).is_some_and(|count| &count[..] != b"0"))
        }
        "PUBLISH" | "PUBSUB" | "SLOWLOG" | "LATENCY" | "MEMORY" | "MODULE" | "SHUTDOWN" | "DEBUG" | "TIME" | "ROLE"
        | "CLUSTER" | "CONFIG" | "CLIENT" | "SCRIPT" | "FUNCTION" | "ACL" | "INFO" | "COMMAND" | "PING" => None,
        _ => request.args.first(),
    }
}

fn divided(request: &Request, one: &[u8], other: &[u8]) -> Error {
    let what = match &request.verb {
        Verb::Script(_) | Verb::Many(_) => "a script",
        Verb::Transaction(_) => "a transaction",
        _ => request.name(),
    };
    // Not the keys: they may be secrets, and an error is read by many.
    let message = format!(
        "{what} needs keys of one slot, but these are in slots {} and {} of the cluster; keys with the same text in braces, \
         such as {{a}}:x and {{a}}:y, share one",
        slot_of(one),
        slot_of(other)
    );
    Error::new(Kind::Unsupported, message)
}

/// The same command once for each slot among its arguments, all of which are keys.
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
    let mut places = Vec::with_capacity(groups.len());
    let parts = groups.into_iter().map(|(slot, args, at)| {
        places.push(at);
        let keys = Keys::At { first: 0, count: args.len().min(usize::from(u16::MAX)) as u16, step: 1 };
        let request = Request { verb: request.verb.clone(), args, keys, ..request };
        Part { request, slot: Some(slot) }
    });
    let parts = parts.collect();
    (parts, join(places))
}

/// The same command once for each node.
fn everywhere(request: &Request, firsts: Vec<u16>, join: Join) -> (Vec<Part>, Join) {
    let parts = firsts.into_iter().map(|first| Part { request: request.clone(), slot: Some(first) });
    (parts.collect(), join)
}

impl Join {
    /// One answer from those of all parts.
    pub fn join(self, replies: Vec<Result<Reply>>, repeatable: bool) -> Result<Reply> {
        if matches!(self, Self::Whole) {
            let none = || Err(Error::new(Kind::Internal, "a request was cut into nothing"));
            return replies.into_iter().next().unwrap_or_else(none);
        }
        let done = replies.iter().any(Result::is_ok);
        let replies: Vec<Reply> = replies.into_iter().collect::<Result<_>>().map_err(|error| {
            if repeatable || !done || !error.is_unavailable() {
                return error;
            }
            let message = format!("some nodes of the cluster have done it, and not all: {}", error.message());
            Error::new(Kind::MaybeApplied, message)
        })?;
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
            Self::Places(places) => {
                let mut all = vec![Reply::Nil; places.iter().map(Vec::len).sum()];
                for (places, reply) in places.into_iter().zip(replies) {
                    let items = reply.array()?;
                    if items.len() != places.len() {
                        return Err(Error::new(
                            Kind::InvalidData,
                            "a node answered another number of values than asked",
                        ));
                    }
                    for (at, item) in places.into_iter().zip(items) {
                        all[at as usize] = item;
                    }
                }
                Ok(Reply::Array(all))
            }
            Self::Scan(slot, firsts) => {
                let [cursor, keys] = replies.into_iter().next().unwrap_or(Reply::Nil).tuple()?;
                let inner = cursor.bulk()?.unwrap_or_default();
                let inner = std::str::from_utf8(&inner).ok().and_then(|digits| digits.parse().ok());
                let inner =
                    inner.ok_or_else(|| Error::new(Kind::InvalidData, "a node answered a cursor that is none"))?;
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
