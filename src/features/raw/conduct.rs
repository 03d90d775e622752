//! What a command does to the connection that carries it.
//!
//! Callers share connections, and a server does not say which command an answer belongs to: they are told apart by counting.
//! So only what is known to answer once, at once, and to leave nothing behind travels with others. What waits at the server, and
//! what is not known here, has a connection of its own; what needs more than one command on the same connection is refused.

mod known;

pub use known::reads;

use std::time::Duration;

use bytes::Bytes;

use crate::store::Wait;

/// How a command may travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// It answers once, at once, and leaves nothing behind.
    Shares,
    /// It answers once, after a wait.
    Waits(Wait),
    /// Nobody here knows it.
    Unknown,
    /// It cannot do here what it is for; what to do instead.
    Refused(&'static str),
}

/// What this command, its name in capitals, does with these arguments.
pub fn of(name: &str, args: &[Bytes]) -> Conduct {
    let subcommand = || args.first().map(|word| String::from_utf8_lossy(word).to_ascii_uppercase()).unwrap_or_default();
    if known::shares(name, subcommand) {
        return Conduct::Shares;
    }
    match name {
        "BLPOP" | "BRPOP" | "BZPOPMIN" | "BZPOPMAX" | "BRPOPLPUSH" | "BLMOVE" => {
            waits(args, args.len().saturating_sub(1), false)
        }
        "BLMPOP" | "BZMPOP" => waits(args, 0, false),
        "XREAD" | "XREADGROUP" => stream_read(args),
        "CLIENT" => match subcommand().as_str() {
            "REPLY" | "SETNAME" | "SETINFO" | "TRACKING" | "CACHING" | "NO-EVICT" | "NO-TOUCH" | "CAPA"
            | "IMPORT-SOURCE" => Conduct::Refused(STATE),
            _ => Conduct::Unknown,
        },
        "SCRIPT" if subcommand() == "DEBUG" => Conduct::Refused("debug scripts with redis-cli --ldb"),
        "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE" => {
            Conduct::Refused("use subscribe() of the service, which has a connection for messages")
        }
        "MONITOR" => Conduct::Refused("it has no end; watch a server with redis-cli monitor"),
        "SYNC" | "PSYNC" | "REPLCONF" => Conduct::Refused("it is what replicas say to their primary"),
        "MULTI" | "EXEC" | "DISCARD" => Conduct::Refused("use multi(), which takes any command by sendCommand"),
        "WATCH" | "UNWATCH" => Conduct::Refused(
            "others' commands would come between it and the transaction; compare and set in a script, by eval()",
        ),
        "SELECT" => Conduct::Refused("it would change the database of every caller; a service has one, in its URL"),
        "AUTH" | "HELLO" => {
            Conduct::Refused("it would change the user of every caller; a service has one, in its options")
        }
        "QUIT" | "RESET" => {
            Conduct::Refused("it would end what other callers wait for; use disconnect() of the service")
        }
        "ASKING" | "READONLY" | "READWRITE" => Conduct::Refused(STATE),
        "WAIT" | "WAITAOF" => Conduct::Refused(
            "it counts replicas that have what was written over its own connection, and callers share theirs; \
             min-replicas-to-write of the server refuses writes that no replica would get",
        ),
        _ => Conduct::Unknown,
    }
}

const STATE: &str = "it would change the connection, which callers share and which may be another one at the next call";

fn waits(args: &[Bytes], at: usize, millis: bool) -> Conduct {
    let time = args.get(at).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<f64>().ok());
    match time {
        Some(0.0) => Conduct::Waits(Wait { at, millis, time: None }),
        Some(time) => match Duration::try_from_secs_f64(if millis { time / 1000.0 } else { time }) {
            Ok(time) => Conduct::Waits(Wait { at, millis, time: Some(time) }),
            Err(_) => Conduct::Unknown,
        },
        // The server says best what is wrong with it.
        None => Conduct::Unknown,
    }
}

/// A stream is waited for only where `BLOCK` says so.
fn stream_read(args: &[Bytes]) -> Conduct {
    let mut at = 0;
    let mut wait = Conduct::Shares;
    while let Some(word) = args.get(at) {
        at += match word.to_ascii_uppercase().as_slice() {
            b"STREAMS" => return wait,
            b"BLOCK" => {
                wait = waits(args, at + 1, true);
                2
            }
            b"COUNT" | b"CLAIM" => 2,
            b"GROUP" => 3,
            b"NOACK" => 1,
            _ => return Conduct::Unknown,
        };
    }
    Conduct::Unknown
}

#[cfg(test)]
mod tests;
