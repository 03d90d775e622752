//! Compares the store's clock with a monotonic clock to detect jumps.

use std::time::Duration;

use tokio::time::Instant;

use crate::features::Takeover;

/// Observations of the store's clock.
#[derive(Default)]
pub struct ClockMonitor {
    /// The last time it showed, and a monotonic time before it was read.
    seen: Option<(u64, Instant)>,
    /// Since when it has not jumped forward.
    since: Option<Instant>,
    /// When it is being read, and the latest time it can show unless it was set forward.
    reading: Option<(Instant, Option<u64>)>,
}

impl ClockMonitor {
    /// Call before reading the clock. Returns whether expired leases may be taken over: only if the clock has not
    /// jumped for long enough for every live holder of a lease of this length to have renewed it.
    pub fn before_read(&mut self, lease: Duration, now: Instant) -> Takeover {
        let latest_ms = self.seen.map(|(shown, at)| shown.saturating_add(now.duration_since(at).as_millis() as u64));
        self.reading = Some((now, latest_ms));
        let allowed = self.since.is_some_and(|since| now.duration_since(since) >= lease / 2);
        Takeover { allowed, latest_ms }
    }

    /// Call after reading the clock, with the time that it showed in epoch milliseconds.
    pub fn after_read(&mut self, shown: u64, lease: Duration, now: Instant) {
        let Some((reading, latest)) = self.reading.take() else { return };
        let tolerance = Takeover::tolerance(lease).as_millis() as u64;
        let is_ahead = latest.is_none_or(|latest| shown > latest.saturating_add(tolerance));
        if is_ahead || self.since.is_none() {
            self.since = Some(now);
        }
        self.seen = Some((shown, reading));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    struct Fixture {
        clock: ClockMonitor,
        now: Instant,
        shown: u64,
    }

    impl Fixture {
        /// Lets time pass, in which the clock may be set forward; returns whether leases may be taken over, and what the script
        /// decides.
        fn after(&mut self, ms: u64, set_forward: u64) -> bool {
            self.now += Duration::from_millis(ms);
            self.shown += ms + set_forward;
            let Takeover { allowed, latest_ms } = self.clock.before_read(LEASE, self.now);
            self.clock.after_read(self.shown, LEASE, self.now);
            allowed
                && latest_ms.is_none_or(|latest| self.shown <= latest + Takeover::tolerance(LEASE).as_millis() as u64)
        }
    }

    #[test]
    fn a_clock_is_trusted_after_half_a_lease_until_it_is_set_forward() {
        let mut fixture = Fixture { clock: ClockMonitor::default(), now: Instant::now(), shown: 1_700_000_000_000 };
        assert!(!fixture.after(0, 0) && !fixture.after(4900, 0));
        assert!(fixture.after(100, 0) && fixture.after(60_000, 0), "nothing was set");
        assert!(!fixture.after(1000, 11_000), "at once");
        assert!(!fixture.after(1000, 0) && !fixture.after(3900, 0) && fixture.after(100, 0));
        assert!(fixture.after(1000, 2000), "less than any lease has left");
    }

    #[test]
    fn a_clock_that_was_set_back_is_watched_from_there() {
        let mut fixture = Fixture { clock: ClockMonitor::default(), now: Instant::now(), shown: 1_700_000_000_000 };
        assert!(!fixture.after(0, 0) && fixture.after(5000, 0));
        fixture.shown -= 3_600_000;
        assert!(fixture.after(1000, 0));
        assert!(!fixture.after(1000, 3_600_000), "and set right again");
    }

    #[test]
    fn a_read_without_a_reply_is_not_counted() {
        let mut clock = ClockMonitor::default();
        let now = Instant::now();
        clock.after_read(5, LEASE, now);
        assert_eq!(clock.before_read(LEASE, now), Takeover::DENIED);
        clock.before_read(LEASE, now + Duration::from_secs(60));
        assert_eq!(clock.before_read(LEASE, now + Duration::from_secs(90)), Takeover::DENIED);
    }
}
