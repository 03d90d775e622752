//! Compares the store's clock with a monotonic clock to detect jumps.

use std::time::Duration;

use tokio::time::Instant;

use crate::features::Takeover;

/// Observations of the store's clock.
#[derive(Default)]
pub struct ClockMonitor {
    /// The last time it showed, and a moment before it was read.
    seen: Option<(u64, Instant)>,
    /// Since when it has not jumped forward.
    since: Option<Instant>,
    /// When it was read, and the latest time it could show then.
    asked: Option<(Instant, Option<u64>)>,
}

impl ClockMonitor {
    /// What may be done about expired leases now. They may be taken over once the clock has been steady for long enough for
    /// every live holder of a lease of this length to have renewed it.
    pub fn ask(&mut self, lease: Duration, now: Instant) -> Takeover {
        let latest_ms = self.seen.map(|(shown, at)| shown.saturating_add(now.duration_since(at).as_millis() as u64));
        self.asked = Some((now, latest_ms));
        let allowed = self.since.is_some_and(|since| now.duration_since(since) >= lease / 2);
        Takeover { allowed, latest_ms }
    }

    /// Records the time that the clock showed.
    pub fn saw(&mut self, shown: u64, lease: Duration, now: Instant) {
        let Some((asked, latest)) = self.asked.take() else { return };
        let tolerance = Takeover::tolerance(lease).as_millis() as u64;
        let is_ahead = latest.is_none_or(|latest| shown > latest.saturating_add(tolerance));
        if is_ahead || self.since.is_none() {
            self.since = Some(now);
        }
        self.seen = Some((shown, asked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    struct Play {
        steady: ClockMonitor,
        now: Instant,
        shown: u64,
    }

    impl Play {
        /// Lets time pass, in which the clock may be set forward; returns whether leases may be taken over, and what the script
        /// decides.
        fn after(&mut self, ms: u64, set_forward: u64) -> bool {
            self.now += Duration::from_millis(ms);
            self.shown += ms + set_forward;
            let Takeover { allowed, latest_ms } = self.steady.ask(LEASE, self.now);
            self.steady.saw(self.shown, LEASE, self.now);
            allowed
                && latest_ms.is_none_or(|latest| self.shown <= latest + Takeover::tolerance(LEASE).as_millis() as u64)
        }
    }

    #[test]
    fn a_clock_is_trusted_after_half_a_lease_until_it_is_set_forward() {
        let mut play = Play { steady: ClockMonitor::default(), now: Instant::now(), shown: 1_700_000_000_000 };
        assert!(!play.after(0, 0) && !play.after(4900, 0));
        assert!(play.after(100, 0) && play.after(60_000, 0), "nothing was set");
        assert!(!play.after(1000, 11_000), "at once");
        assert!(!play.after(1000, 0) && !play.after(3900, 0) && play.after(100, 0));
        assert!(play.after(1000, 2000), "less than anybody's lease has left");
    }

    #[test]
    fn a_clock_that_was_set_back_is_watched_from_there() {
        let mut play = Play { steady: ClockMonitor::default(), now: Instant::now(), shown: 1_700_000_000_000 };
        assert!(!play.after(0, 0) && play.after(5000, 0));
        play.shown -= 3_600_000;
        assert!(play.after(1000, 0));
        assert!(!play.after(1000, 3_600_000), "and set right again");
    }

    #[test]
    fn what_was_not_answered_is_not_counted() {
        let mut steady = ClockMonitor::default();
        let now = Instant::now();
        steady.saw(5, LEASE, now);
        assert_eq!(steady.ask(LEASE, now), Takeover::DENIED);
        steady.ask(LEASE, now + Duration::from_secs(60));
        assert_eq!(steady.ask(LEASE, now + Duration::from_secs(90)), Takeover::DENIED);
    }
}
