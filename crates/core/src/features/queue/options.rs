//! What a queue is set to.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::error::{Error, Result};

use crate::features::ttl;

/// The most that one job's data or result may be allowed to have: a script that moves a hundred of them holds up everybody.
const LARGEST: usize = 64 << 20;

/// Options of a queue. Everybody who uses it should give the same.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the keys begin with; `queue:`.
    pub prefix: Option<String>,
    /// The database number that is part of channel names; 0 by default.
    pub database: u8,
    /// The most bytes that the data of a job or its result may have, each; 1 MiB, at most 64 MiB.
    pub max_bytes: usize,
    /// Which jobs are kept that are done; the last 100, for an hour, within 1 MiB.
    pub keep_done: Retention,
    /// Which dead jobs are kept; the last 1000, for 7 days, within 10 MiB.
    pub keep_dead: Retention,
    /// How many times a worker may crash with a job before it is dead; 5, from 1.
    pub max_crashes: u32,
}

/// How many finished jobs are kept, for how long, and in how many bytes of data and results together. The oldest go first,
/// when one of the three is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// At most so many; none at all when 0.
    pub count: u64,
    /// At most for so long.
    pub age: Duration,
    /// At most so many bytes, to within one part in 64, of which each job takes 64 at least.
    pub bytes: u64,
}

impl Retention {
    /// Nothing is kept.
    pub const NOTHING: Self = Self { count: 0, age: Duration::ZERO, bytes: 0 };

    /// What scripts take: count, milliseconds, bytes.
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
    pub(super) fn check(&self) -> Result<()> {
        if !(1..=LARGEST).contains(&self.max_bytes) {
            return Err(Error::settings(format!("maxBytes must be from 1 to {LARGEST}, got {}", self.max_bytes)));
        }
        if self.max_crashes == 0 {
            return Err(Error::settings("maxCrashes must be at least 1"));
        }
        Ok(())
    }
}
