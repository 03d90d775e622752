//! What happens to jobs, as the channel of events tells it.

use std::time::Duration;

use bytes::Bytes;

use crate::keys;

/// One thing that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which job.
    pub id: String,
    /// What.
    pub what: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// It was added.
    Added {
        /// What kind of job it is.
        name: String,
    },
    /// A worker has it.
    Active {
        /// Which attempt begins, from 1.
        attempt: u32,
    },
    /// It is so far.
    Progress {
        /// JSON; `None` when it is too long for a message.
        value: Option<Bytes>,
    },
    /// It is done.
    Completed {
        /// Which attempt it was.
        attempt: u32,
        /// JSON, empty when there is none; `None` when it is too long for a message and has to be read.
        result: Option<Bytes>,
    },
    /// An attempt failed, and another one follows.
    Retrying {
        /// Which attempt failed.
        attempt: u32,
        /// When the next may begin.
        delay: Duration,
        /// JSON; `None` when it is too long for a message and has to be read.
        error: Option<Bytes>,
    },
    /// The worker crashed that had it; it is ready again.
    Stalled {
        /// How often that has happened to it.
        crashes: u32,
    },
    /// It failed permanently.
    Dead {
        /// Which attempt failed last; 0 when none did, because every worker crashed.
        attempt: u32,
        /// JSON; `None` when it is too long for a message and has to be read.
        error: Option<Bytes>,
    },
    /// It was removed.
    Removed,
    /// It is ready again: somebody retried it or sent it back from the dead.
    Retried,
}

/// Reads one message of a queue's channel of events: what happened, in order. What is no event ends it.
pub fn events(message: &[u8]) -> Vec<Event> {
    let mut rest = message;
    std::iter::from_fn(|| next(&mut rest)).collect()
}

/// Reads an event off the front: lines of what, id, number and length, then the value.
fn next(rest: &mut &[u8]) -> Option<Event> {
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = &rest[..end];
        *rest = &rest[end + 1..];
        Some(line)
    };
    let (what, id, number, length) = (line()?, line()?, line()?, line()?);
    let number = std::str::from_utf8(number).ok()?;
    let value = match length {
        b"-" => None,
        digits => {
            let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
            let value = rest.get(..length)?;
            *rest = &rest[length..];
            Some(Bytes::copy_from_slice(value))
        }
    };
    let (first, second) = number.split_once(' ').unwrap_or((number, "0"));
    let number: u32 = first.parse().ok()?;
    let what = match what {
        b"added" => EventKind::Added { name: String::from_utf8_lossy(&value.unwrap_or_default()).into_owned() },
        b"active" => EventKind::Active { attempt: number },
        b"progress" => EventKind::Progress { value },
        b"completed" => EventKind::Completed { attempt: number, result: value },
        b"retrying" => {
            EventKind::Retrying { attempt: number, delay: Duration::from_millis(second.parse().ok()?), error: value }
        }
        b"stalled" => EventKind::Stalled { crashes: number },
        b"dead" => EventKind::Dead { attempt: number, error: value },
        b"removed" => EventKind::Removed,
        b"retried" => EventKind::Retried,
        _ => return None,
    };
    Some(Event { id: keys::decoded_id(id), what })
}
