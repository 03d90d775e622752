//! How a command uses its connection.
//!
//! Callers share connections, and replies are matched to commands by position. So a shared connection carries only commands
//! known to reply exactly once, without blocking, and to leave no state on the connection. Blocking and unknown commands get a
//! dedicated connection; commands that depend on another command on the same connection are rejected.

mod known;

pub use known::reads;

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::BlockingTimeout;

/// How a command uses its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionUse {
    /// It replies exactly once, without blocking, and leaves no state.
    Shared,
    /// It blocks, then replies exactly once.
    Blocking(BlockingTimeout),
    /// Unknown, so it gets a dedicated connection.
    Unknown,
    /// It cannot work here; the text says what to use instead.
    Unsupported(&'static str),
}

/// Classifies a command, given by its upper-case name, with these arguments.
pub fn classify(name: &str, args: &[Bytes]) -> ConnectionUse {
    let subcommand = || args.first().map(|word| String::from_utf8_lossy(word).to_ascii_uppercase()).unwrap_or_default();
    if known::is_shareable(name, subcommand) {
        return ConnectionUse::Shared;
    }
    match name {
        "BLPOP" | "BRPOP" | "BZPOPMIN" | "BZPOPMAX" | "BRPOPLPUSH" | "BLMOVE" => {
            waits(args, args.len().saturating_sub(1), false)
        }
        "BLMPOP" | "BZMPOP" => waits(args, 0, false),
        "XREAD" | "XREADGROUP" => stream_read(args),
        "CLIENT" => match subcommand().as_str() {
            "REPLY" | "SETNAME" | "SETINFO" | "TRACKING" | "CACHING" | "NO-EVICT" | "NO-TOUCH" | "CAPA"
            | "IMPORT-SOURCE" => ConnectionUse::Unsupported(STATE),
            _ => ConnectionUse::Unknown,
        },
        "SCRIPT" if subcommand() == "DEBUG" => ConnectionUse::Unsupported("use redis-cli --ldb to debug scripts"),
        "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE" => {
            ConnectionUse::Unsupported("use subscribe() of the service, which has its own connection for messages")
        }
        "MONITOR" => ConnectionUse::Unsupported("its output never ends; use redis-cli monitor"),
        "SYNC" | "PSYNC" | "REPLCONF" => ConnectionUse::Unsupported("it is part of the replication protocol"),
        "MULTI" | "EXEC" | "DISCARD" => {
            ConnectionUse::Unsupported("use multi(), which accepts any command through its sendCommand")
        }
        "WATCH" | "UNWATCH" => ConnectionUse::Unsupported(
            "other callers' commands would come between it and the transaction; use eval() with a script that compares and sets",
        ),
        "SELECT" => ConnectionUse::Unsupported(
            "it would change the database for all callers; set the database in the URL of the service",
        ),
        "AUTH" | "HELLO" => ConnectionUse::Unsupported(
            "it would change the user for all callers; set the credentials in the options of the service",
        ),
        "QUIT" | "RESET" => ConnectionUse::Unsupported(
            "it would fail the pending calls of other callers; use disconnect() of the service",
        ),
        "ASKING" | "READONLY" | "READWRITE" => ConnectionUse::Unsupported(STATE),
        "WAIT" | "WAITAOF" => ConnectionUse::Unsupported(
            "it counts replicas that have what was written over its own connection, and callers share theirs; \
             min-replicas-to-write of the server refuses writes that no replica would get",
        ),
        _ => ConnectionUse::Unknown,
    }
}

const STATE: &str =
    "it would change the state of a connection that callers share, and the next call may use another connection";

fn waits(args: &[Bytes], at: usize, millis: bool) -> ConnectionUse {
    let time = args.get(at).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<f64>().ok());
    match time {
        Some(0.0) => ConnectionUse::Blocking(BlockingTimeout { argument: at, in_millis: millis, timeout: None }),
        Some(time) => match Duration::try_from_secs_f64(if millis { time / 1000.0 } else { time }) {
            Ok(time) => {
                ConnectionUse::Blocking(BlockingTimeout { argument: at, in_millis: millis, timeout: Some(time) })
            }
            Err(_) => ConnectionUse::Unknown,
        },
        // Invalid: let the server report the error.
        None => ConnectionUse::Unknown,
    }
}

/// Reading a stream blocks only with `BLOCK`.
fn stream_read(args: &[Bytes]) -> ConnectionUse {
    let mut at = 0;
    let mut wait = ConnectionUse::Shared;
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
            _ => return ConnectionUse::Unknown,
        };
    }
    ConnectionUse::Unknown
}

#[cfg(test)]
mod tests;
