//! Remembers for how long rolling sessions need no renewal, so that reads until then are plain `GET`s.
//!
//! The store decides whether a renewal is due, whenever this is unknown. What it said is kept with the caller's time at the beginning of
//! that call, so a renewal is never late, however long calls take.

use std::time::Duration;

use bytes::Bytes;

use super::{Sessions, read::ValidSession};
use crate::features::Moment;

/// What is known about a rolling session.
#[derive(Debug, Clone, Copy)]
pub struct Freshness {
    /// The beginning of the call that found out.
    at: Moment,
    /// For how long no renewal is due.
    lasts: Duration,
    /// The ttl that the session had. One that has another ttl is another session.
    ttl: Duration,
}

impl Freshness {
    /// Whether a session with this ttl is meant.
    pub fn is_of(&self, ttl: Duration) -> bool {
        self.ttl == ttl
    }

    fn includes(&self, now: Moment) -> bool {
        now.since(self.at) < self.lasts
    }
}

/// Returns how much of a ttl may pass before a read renews it.
pub fn renewal_period(ttl: Duration) -> Duration {
    ttl / 10
}

impl Sessions {
    /// Whether reading a session renews its ttl.
    pub fn is_rolling(&self) -> bool {
        self.0.rolling
    }

    /// Returns what is known about a session that needs no renewal now.
    pub(super) fn freshness(&self, id: &Bytes, now: Option<Moment>) -> Option<Freshness> {
        let now = now?;
        self.0.freshness.get(id).filter(|known| known.includes(now))
    }

    /// Remembers that a session was renewed by a call that began at this time, or that it needed no renewal then.
    pub(super) fn remember_fresh(&self, id: &Bytes, at: Option<Moment>, valid: &ValidSession, renewed: bool) {
        let Some(at) = at else { return };
        let lasts = self.lasts_fresh(valid, renewed);
        self.0.freshness.insert(id, Freshness { at, lasts, ttl: self.renewal_ttl(&valid.record) });
    }

    /// Returns for how long no renewal is due of a session that was renewed, or needed no renewal.
    pub(super) fn lasts_fresh(&self, valid: &ValidSession, renewed: bool) -> Duration {
        let ttl = self.renewal_ttl(&valid.record);
        let period = renewal_period(ttl);
        // At the end of a limited life, a renewal changes nothing even if little is left.
        let surplus =
            u64::try_from(valid.ttl_ms).ok().and_then(|left| Duration::from_millis(left).checked_sub(ttl - period));
        if renewed { period } else { surplus.map_or(period, |surplus| surplus.min(period)) }
    }

    /// Drops what is known about a session whose ttl was set.
    pub(super) fn drop_freshness(&self, id: &Bytes) {
        if self.0.rolling {
            self.0.freshness.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_until_either_clock_says_that_it_is_over() {
        let moment = |steady, wall| Moment { steady: Duration::from_secs(steady), wall: Duration::from_secs(wall) };
        let ttl = Duration::from_secs(100);
        let known = Freshness { at: moment(50, 1_000), lasts: renewal_period(ttl), ttl };
        assert!(known.includes(moment(50, 1_000)) && known.includes(moment(59, 1_009)));
        assert!(known.includes(moment(49, 999)), "a call that began earlier");
        assert!(!known.includes(moment(60, 1_000)), "the wall clock was set back");
        assert!(!known.includes(moment(51, 1_010)), "the machine was suspended");
        assert!(!known.includes(moment(51, 900)), "the wall clock was set back by more than that");
        assert!(known.is_of(ttl) && !known.is_of(Duration::from_secs(99)));
    }
}
