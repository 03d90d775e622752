//! Leases that are over by the store's clock.
//!
//! A clock may be set forward, and a server may not have been able to hear anybody for a while: then all leases seem to be over
//! at once, though whoever holds them lives. So they are taken over only by somebody who has watched that clock for long enough
//! beside a clock of its own, in which everybody who lives has renewed its lease.

use std::time::Duration;

/// What whoever asks may do about leases that are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdue {
    /// Whether it may take them over.
    pub may: bool,
    /// The latest time, in epoch milliseconds, that the store's clock can show unless it was set forward; then it may not. Nobody
    /// doubts the clock where there is none.
    pub latest_ms: Option<u64>,
}

impl Overdue {
    /// For whoever knows that the clock is right.
    pub const SURE: Self = Self { may: true, latest_ms: None };
    /// For whoever knows nothing of the clock.
    pub const UNSURE: Self = Self { may: false, latest_ms: None };

    /// How much later than `latest_ms` the clock may be, where leases are this long.
    pub fn tolerance(lease: Duration) -> Duration {
        (lease / 4).max(Duration::from_millis(100))
    }
}
