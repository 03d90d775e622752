//! How many jobs to prefetch beyond those that run: as many as start within 20 ms, so that short jobs do not wait for
//! the store and long ones do not wait here.

use std::time::Duration;

use tokio::time::Instant;

/// The window in which starts are counted.
const WINDOW: Duration = Duration::from_millis(20);
/// The most, however short the jobs are.
const MOST: usize = 100;

/// Counts the starts of jobs.
pub struct Prefetch {
    since: Instant,
    now: usize,
    before: usize,
}

impl Prefetch {
    /// With no starts.
    pub fn new(now: Instant) -> Self {
        Self { since: now, now: 0, before: 0 }
    }

    /// Counts a start.
    pub fn begun(&mut self, now: Instant) {
        let passed = now.duration_since(self.since);
        if passed >= WINDOW {
            self.before = if passed < 2 * WINDOW { self.now } else { 0 };
            (self.since, self.now) = (now, 0);
        }
        self.now += 1;
    }

    /// How many jobs to prefetch.
    pub fn count(&self, now: Instant) -> usize {
        if now.duration_since(self.since) < 2 * WINDOW { self.now.max(self.before).min(MOST) } else { 0 }
    }

    /// Resets the count, because prefetched jobs were not started.
    pub fn reset(&mut self) {
        (self.now, self.before) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_start_within_the_window() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut prefetch = Prefetch::new(start);
        assert_eq!(prefetch.count(start), 0);
        (0..10).for_each(|ms| prefetch.begun(at(ms)));
        assert_eq!(prefetch.count(at(10)), 10);
        prefetch.begun(at(25));
        assert_eq!(prefetch.count(at(26)), 10, "the window before still counts");
        assert_eq!(prefetch.count(at(65)), 0, "nothing starts any more");
        (0..1000).for_each(|_| prefetch.begun(at(70)));
        assert_eq!(prefetch.count(at(71)), 100);
        prefetch.reset();
        assert_eq!(prefetch.count(at(71)), 0);
    }

    #[test]
    fn long_jobs_are_not_prefetched() {
        let start = Instant::now();
        let mut prefetch = Prefetch::new(start);
        (0..10).for_each(|second| prefetch.begun(start + Duration::from_secs(second)));
        assert_eq!(prefetch.count(start + Duration::from_millis(9500)), 0);
    }
}
