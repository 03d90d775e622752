//! The clock of the engine: the wall clock at its start, plus the time elapsed since, plus what tests have added.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that never goes backwards, even if the system's clock does.
pub struct Clock {
    /// `None` once it was stopped.
    started: Option<Instant>,
    /// Since 1970, at `started`; moved forward by `advance`.
    base: Duration,
}

impl Clock {
    pub fn new() -> Self {
        let base = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Some(Instant::now()), base }
    }

    pub fn advance(&mut self, by: Duration) {
        self.base = self.base.saturating_add(by);
    }

    /// Lets only `advance` move it from now on.
    pub fn stop(&mut self) {
        self.base = self.now();
        self.started = None;
    }

    /// Microseconds since 1970.
    pub fn micros(&self) -> i64 {
        i64::try_from(self.now().as_micros()).unwrap_or(i64::MAX)
    }

    fn now(&self) -> Duration {
        self.base.saturating_add(self.started.map_or(Duration::ZERO, |started| started.elapsed()))
    }
}
