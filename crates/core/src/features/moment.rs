//! Points in time of a caller. A feature reads no clock, so it gets them from outside.

use std::time::Duration;

/// A point in time by two clocks of the caller, because each can fail to notice that time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By a clock that never goes backwards, but may stop while the machine is suspended.
    pub steady: Duration,
    /// Since 1970, by a clock that may be set.
    pub wall: Duration,
}

impl Moment {
    /// Returns the moment that was so long before.
    pub fn before(self, by: Duration) -> Self {
        Self { steady: self.steady.saturating_sub(by), wall: self.wall.saturating_sub(by) }
    }

    /// Returns how much time has passed since `earlier`, by the clock that shows more.
    pub fn since(self, earlier: Self) -> Duration {
        self.steady.abs_diff(earlier.steady).max(self.wall.abs_diff(earlier.wall))
    }
}
