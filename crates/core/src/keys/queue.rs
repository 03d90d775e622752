//! Keys and channels of queues.

use bytes::Bytes;
use cinnabar_port::error::Result;

use super::{Prefix, companion, in_database};

/// What all keys of a queue begin with; scripts put behind it what `queue.lua` names.
pub fn queue(prefix: &Prefix, name: &str) -> Result<Bytes> {
    companion(prefix, "", "name", name, "")
}

/// A key of a queue, as `queue.lua` has it too: whoever runs a script names those that it uses. Ids, and what jobs are the same by,
/// are given as they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKey<'a> {
    /// The ready jobs.
    Ready,
    /// Those that wait for their time.
    Delayed,
    /// When which lease ends.
    Leased,
    /// Who holds which job.
    Leases,
    /// The jobs that are done.
    Done,
    /// Those that failed permanently.
    Dead,
    /// Those whose groups have no room.
    Parked,
    /// Those that run alone.
    Suspects,
    /// What there is to know about the queue itself.
    Meta,
    /// For how many processes each job is waited for.
    Waiters,
    /// When which repeat is due.
    Repeats,
    /// A job.
    Job(&'a [u8]),
    /// The lines of a job's log.
    Log(&'a [u8]),
    /// How a job ended, for those who waited for it.
    Outcome(&'a [u8]),
    /// The job that is the same by this.
    Dedup(&'a [u8]),
    /// A repeat.
    Repeat(&'a [u8]),
}

impl QueueKey<'_> {
    /// This key of the queue whose keys all begin so.
    pub fn of(self, queue: &[u8]) -> Bytes {
        let (kind, rest): (&str, &[u8]) = match self {
            Self::Ready => ("ready", b""),
            Self::Delayed => ("delayed", b""),
            Self::Leased => ("leased", b""),
            Self::Leases => ("leases", b""),
            Self::Done => ("done", b""),
            Self::Dead => ("dead", b""),
            Self::Parked => ("parked", b""),
            Self::Suspects => ("suspects", b""),
            Self::Meta => ("meta", b""),
            Self::Waiters => ("waited", b""),
            Self::Repeats => ("repeats", b""),
            Self::Job(id) => ("job:", id),
            Self::Log(id) => ("log:", id),
            Self::Outcome(id) => ("end:", id),
            Self::Dedup(by) => ("dedup:", by),
            Self::Repeat(id) => ("repeat:", id),
        };
        [queue, kind.as_bytes(), rest].concat().into()
    }
}

/// What the channels of a queue begin with. A server has its channels once and not for each database, so all but those of number 0
/// say which.
pub fn queue_channels(queue: &[u8], database: u8) -> Bytes {
    [queue, in_database(database).as_bytes()].concat().into()
}

/// The channel that tells what happens to the jobs of a queue.
pub fn queue_events(channels: &[u8]) -> Bytes {
    [channels, b"events"].concat().into()
}

/// The channel that wakes the workers of a queue.
pub fn queue_wake(channels: &[u8]) -> Bytes {
    [channels, b"wake"].concat().into()
}
