//! Keys and channels of queues.

use bytes::Bytes;
use cinnabar_port::error::Result;

use super::{Prefix, companion, in_database};

/// The prefix of all keys of a queue; scripts append the suffixes of `queue.lua`.
pub fn queue(prefix: &Prefix, name: &str) -> Result<Bytes> {
    companion(prefix, "", "name", name, "")
}

/// A key of a queue, with the suffixes of `queue.lua`, to be declared by the call of a script. Ids and deduplication
/// keys are given as they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKey<'a> {
    /// The ready jobs.
    Ready,
    /// The delayed jobs.
    Delayed,
    /// When each lease expires.
    Leased,
    /// The lease of each job.
    Leases,
    /// The done jobs.
    Done,
    /// The dead jobs.
    Dead,
    /// The parked jobs, whose groups are full.
    Parked,
    /// The suspects, which run exclusively.
    Suspects,
    /// Metadata of the queue itself.
    Meta,
    /// How many processes wait for each job.
    Waiters,
    /// When each repeat is due.
    Repeats,
    /// A job.
    Job(&'a [u8]),
    /// The log of a job.
    Log(&'a [u8]),
    /// The outcome of a job, for its waiters.
    Outcome(&'a [u8]),
    /// The job with this deduplication key.
    Dedup(&'a [u8]),
    /// A repeat.
    Repeat(&'a [u8]),
}

impl QueueKey<'_> {
    /// Builds this key of the queue with this prefix.
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

/// The prefix of the channels of a queue. The channels of a server are common to its databases, so those of all
/// databases but 0 include the number.
pub fn queue_channels(queue: &[u8], database: u8) -> Bytes {
    [queue, in_database(database).as_bytes()].concat().into()
}

/// The channel of the events of a queue's jobs.
pub fn queue_events(channels: &[u8]) -> Bytes {
    [channels, b"events"].concat().into()
}

/// The channel that wakes the workers of a queue.
pub fn queue_wake(channels: &[u8]) -> Bytes {
    [channels, b"wake"].concat().into()
}
