//! Events of jobs, as published on the channel of events.

use std::time::Duration;

use bytes::Bytes;

use crate::keys;

/// An event of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The id of the job.
    pub id: String,
    /// What happened.
    pub what: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// It was added.
    Added {
        /// The name of the job.
        name: String,
    },
    /// A worker has started it.
    Active {
        /// The attempt, from 1.
        attempt: u32,
    },
    /// It has reported its progress.
    Progress {
        /// JSON; `None` if it is too long for a message.
        value: Option<Bytes>,
    },
    /// It is done.
    Completed {
        /// The attempt.
        attempt: u32,
        /// JSON, empty for none; `None` if it is too long for a message and has to be read.
        result: Option<Bytes>,
    },
    /// An attempt failed, and another one follows.
    Retrying {
        /// The attempt that failed.
        attempt: u32,
        /// The delay of the next attempt.
        delay: Duration,
        /// JSON; `None` if it is too long for a message and has to be read.
        error: Option<Bytes>,
    },
    /// Its worker crashed; it is ready again.
    Stalled {
        /// How many times that has happened to it.
        crashes: u32,
    },
    /// It failed permanently.
    Dead {
        /// The last attempt that failed; 0 if none did, because every worker crashed.
        attempt: u32,
        /// JSON; `None` if it is too long for a message and has to be read.
        error: Option<Bytes>,
    },
    /// It was removed.
    Removed,
    /// It is ready again, because it was retried or redriven.
    Retried,
}

/// Reads a message of the channel of events, in order, up to the first thing that is not an event.
pub fn events(message: &[u8]) -> Vec<Event> {
    let mut rest = message;
    std::iter::from_fn(|| next(&mut rest)).collect()
}

/// Reads the next event: a line each for kind, id, number and length, then the value.
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
