//! Leases that have expired by the store's clock.
//!
//! If that clock is set forward, or the server was unreachable for a while, all leases seem to have expired although their
//! holders are alive. So only a client that has compared that clock with its own monotonic clock for long enough may take over
//! leases: in that time, every live holder has renewed its lease.

use std::time::Duration;

/// Whether a client may take over expired leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takeover {
    /// Whether it may.
    pub allowed: bool,
    /// The latest time, in epoch milliseconds, that the store's clock can show unless it was set forward, in which case it may
    /// not. `None` trusts the clock.
    pub latest_ms: Option<u64>,
}

impl Takeover {
    /// For a clock known to be right.
    pub const ALLOWED: Self = Self { allowed: true, latest_ms: None };
    /// For an unknown clock.
    pub const DENIED: Self = Self { allowed: false, latest_ms: None };

    /// The tolerance for `latest_ms`, given the length of leases.
    pub fn tolerance(lease: Duration) -> Duration {
        (lease / 4).max(Duration::from_millis(100))
    }
}
