//! The options of a queue.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::error::{Error, Result};

use crate::features::ttl;

/// Options of a queue. All who use the queue should give the same.
#[derive(Debug, Clone)]
pub struct Options {
    /// The prefix of the keys; `queue:` by default.
    pub prefix: Option<String>,
    /// The database number that is part of channel names; 0 by default.
    pub database: u8,
    /// The most bytes of the data of a job, and of its result; 1 MiB by default, at most 64 MiB.
    pub max_bytes: usize,
    /// The retention of done jobs; by default the last 100, for an hour, within 1 MiB.
    pub keep_done: Retention,
    /// The retention of dead jobs; by default the last 1000, for 7 days, within 10 MiB.
    pub keep_dead: Retention,
    /// How many crashes of its workers make a job dead, from 1; 5 by default.
    pub max_crashes: u32,
}

/// How many finished jobs are retained, for how long, and in how many bytes of data and results together. The oldest
/// are deleted when one of the three is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The most jobs; 0 for none.
    pub count: u64,
    /// The longest time.
    pub age: Duration,
    /// The most bytes, to within one part in 64; each job counts 64 at least.
    pub bytes: u64,
}

impl Retention {
    /// Retains nothing.
    pub const NOTHING: Self = Self { count: 0, age: Duration::ZERO, bytes: 0 };

    /// The arguments of scripts: count, milliseconds, bytes.
    pub(super) fn arguments(&self) -> [Bytes; 3] {
        [self.count.to_string().into(), ttl::millis(self.age), self.bytes.to_string().into()]
    }
}

impl Default for Options {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            prefix: None,
            database: 0,
            max_bytes: 1 << 20,
            keep_done: Retention { count: 100, age: Duration::from_secs(HOUR), bytes: 1 << 20 },
            keep_dead: Retention { count: 1000, age: Duration::from_secs(7 * 24 * HOUR), bytes: 10 << 20 },
            max_crashes: 5,
        }
    }
}

impl Options {
    /// The upper bound of `max_bytes`: a script that moves a hundred of such jobs blocks the server for all clients.
    pub const MOST_BYTES: usize = 64 << 20;

    pub(super) fn check(&self) -> Result<()> {
        if !(1..=Self::MOST_BYTES).contains(&self.max_bytes) {
            let most = Self::MOST_BYTES;
            return Err(Error::settings(format!("maxBytes must be from 1 to {most}, got {}", self.max_bytes)));
        }
        if self.max_crashes == 0 {
            return Err(Error::settings("maxCrashes must be at least 1"));
        }
        Ok(())
    }
}
