//! What happens to jobs, as the channel of events tells it.

use std::time::Duration;

use bytes::Bytes;

/// One thing that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which job.
    pub id: String,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
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
    /// It failed for good.
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

/// Reads one message of a queue's channel of events: what happened, in order. What is no event is left out.
pub fn events(message: &[u8]) -> Vec<Event> {
    let _ = message;
    Vec::new()
}
