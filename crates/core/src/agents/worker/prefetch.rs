//! How many jobs to have at hand beyond those that run: what begins within a moment, so that short jobs do not wait for the
//! store and long ones do not wait here.

use std::time::Duration;

use tokio::time::Instant;

/// The moment.
const MOMENT: Duration = Duration::from_millis(20);
/// The most, however short they are.
const MOST: usize = 100;

/// Counts beginnings.
pub struct Prefetch {
    since: Instant,
    now: usize,
    before: usize,
}

impl Prefetch {
    /// Nothing has begun yet.
    pub fn new(now: Instant) -> Self {
        Self { since: now, now: 0, before: 0 }
    }

    /// A job begins.
    pub fn begun(&mut self, now: Instant) {
        let passed = now.duration_since(self.since);
        if passed >= MOMENT {
            self.before = if passed < 2 * MOMENT { self.now } else { 0 };
            (self.since, self.now) = (now, 0);
        }
        self.now += 1;
    }

    /// How many to have at hand.
    pub fn ahead(&self, now: Instant) -> usize {
        if now.duration_since(self.since) < 2 * MOMENT { self.now.max(self.before).min(MOST) } else { 0 }
    }

    /// What is at hand is not begun: none.
    pub fn stop(&mut self) {
        (self.now, self.before) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_begin_within_a_moment() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut prefetch = Prefetch::new(start);
        assert_eq!(prefetch.ahead(start), 0);
        (0..10).for_each(|ms| prefetch.begun(at(ms)));
        assert_eq!(prefetch.ahead(at(10)), 10);
        prefetch.begun(at(25));
        assert_eq!(prefetch.ahead(at(26)), 10, "the moment before still counts");
        assert_eq!(prefetch.ahead(at(65)), 0, "nothing begins any more");
        (0..1000).for_each(|_| prefetch.begun(at(70)));
        assert_eq!(prefetch.ahead(at(71)), 100);
        prefetch.stop();
        assert_eq!(prefetch.ahead(at(71)), 0);
    }

    #[test]
    fn long_jobs_are_not_kept_at_hand() {
        let start = Instant::now();
        let mut prefetch = Prefetch::new(start);
        (0..10).for_each(|second| prefetch.begun(start + Duration::from_secs(second)));
        assert_eq!(prefetch.ahead(start + Duration::from_millis(9500)), 0);
    }
}
