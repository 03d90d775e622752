//! The clock of the engine: the wall clock at its start, plus the time elapsed since, plus what tests have added.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that never goes backwards, even if the system's clock does.
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
