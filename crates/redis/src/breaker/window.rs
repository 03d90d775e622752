//! The outcomes of recent calls.

use std::time::Duration;

use tokio::time::Instant;

use super::Outcomes;

const BUCKETS: usize = 10;

/// A sliding window of counts. It drops a tenth at a time, so it covers nine to ten tenths of its length.
#[derive(Debug)]
pub struct Window {
    /// The duration of one bucket.
    span: Duration,
    /// The time of the first call, from which spans are counted.
    begun: Option<Instant>,
    /// The span of the newest bucket.
    latest: u64,
    buckets: [Bucket; BUCKETS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    span: u64,
    calls: u64,
    failed: u64,
    slow: u64,
}

impl Window {
    /// Creates an empty window of this length.
    pub fn new(length: Duration) -> Self {
        let span = (length / BUCKETS as u32).max(Duration::from_nanos(1));
        Self { span, begun: None, latest: 0, buckets: Default::default() }
    }

    /// Adds these counts.
    pub fn add(&mut self, outcomes: Outcomes, now: Instant) {
        self.begun.get_or_insert(now);
        // Threads may get here in another order than that in which they read the clock.
        self.latest = self.latest.max(self.span_of(now));
        let bucket = &mut self.buckets[(self.latest % BUCKETS as u64) as usize];
        if bucket.span != self.latest {
            *bucket = Bucket { span: self.latest, ..Bucket::default() };
        }
        bucket.calls += outcomes.calls();
        bucket.failed += u64::from(outcomes.failed);
        bucket.slow += u64::from(outcomes.slow);
    }

    /// Returns the numbers of all calls, of failed and of slow ones in the window.
    pub fn sums(&self, now: Instant) -> (u64, u64, u64) {
        let span = self.latest.max(self.span_of(now));
        let remembered = self.buckets.iter().filter(|bucket| bucket.span + BUCKETS as u64 > span);
        remembered.fold((0, 0, 0), |(calls, failed, slow), bucket| {
            (calls + bucket.calls, failed + bucket.failed, slow + bucket.slow)
        })
    }

    /// Drops all counts.
    pub fn clear(&mut self) {
        self.buckets = Default::default();
    }

    fn span_of(&self, now: Instant) -> u64 {
        let since = self.begun.map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun));
        u64::try_from(since.as_nanos() / self.span.as_nanos()).unwrap_or(u64::MAX)
    }
}
