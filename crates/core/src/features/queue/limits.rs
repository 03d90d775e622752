//! Limits: how many jobs may run at once, and how many may start in a time.

use std::time::Duration;

use cinnabar_port::error::{Error, Result};

/// Limits of a queue, counted over all workers together. Each worker of a queue should name the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most active jobs.
    pub concurrency: Option<u32>,
    /// The rate of starts.
    pub rate: Option<Rate>,
    /// The most active jobs of each group.
    pub group_concurrency: Option<u32>,
    /// The rate of starts of each group.
    pub group_rate: Option<Rate>,
}

/// At most `max` starts in any span of time of this length, by the store's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// From 1 to `MOST`.
    pub max: u32,
    /// From a millisecond to `LONGEST`; whole milliseconds.
    pub per: Duration,
}

impl Rate {
    /// The most starts that it may count: each is stored for the length of its window.
    pub const MOST: u32 = 100_000;
    /// The longest window.
    pub const LONGEST: Duration = Duration::from_secs(366 * 86_400);
}

impl Limits {
    /// Whether there is any limit.
    pub fn is_some(&self) -> bool {
        *self != Self::default()
    }

    pub(super) fn check(&self) -> Result<()> {
        for (what, limit) in
            [("limits.concurrency", self.concurrency), ("limits.group.concurrency", self.group_concurrency)]
        {
            if limit == Some(0) {
                return Err(Error::argument(format!("{what} must be at least 1")));
            }
        }
        for (what, rate) in [("limits.rate", self.rate), ("limits.group.rate", self.group_rate)] {
            let Some(Rate { max, per }) = rate else { continue };
            if !(1..=Rate::MOST).contains(&max) {
                return Err(Error::argument(format!("{what}.max must be from 1 to {}, got {max}", Rate::MOST)));
            }
            if !(Duration::from_millis(1)..=Rate::LONGEST).contains(&per) {
                return Err(Error::argument(format!("{what}.perMs must be from 1 ms to a year, got {per:?}")));
            }
        }
        Ok(())
    }
}
