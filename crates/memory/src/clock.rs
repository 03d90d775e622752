//! The engine's time: the wall clock when it started, plus what has passed since, plus what tests added.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Never runs backwards, whatever happens to the system's clock.
pub struct Clock {
    started: Instant,
    /// Since 1970, at `started`; moved forward by `advance`.
    base: Duration,
}

impl Clock {
    pub fn new() -> Self {
        let base = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), base }
    }

    pub fn advance(&mut self, by: Duration) {
        self.base = self.base.saturating_add(by);
    }

    /// Microseconds since 1970.
    pub fn micros(&self) -> i64 {
        i64::try_from(self.base.saturating_add(self.started.elapsed()).as_micros()).unwrap_or(i64::MAX)
    }
}
