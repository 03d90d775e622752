//! What a limiter reports: how many checks it allowed and refused, who is refused most, and that the store cannot count.
//!
//! Memory is bounded: when more identifiers are refused than it keeps, the one refused least gives way, and its successor starts with that
//! count (the algorithm SpaceSaving). So a count is never too low, and the worst offenders stay.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

use super::{LimitResult, Source};
use crate::features::Moment;

/// How many identifiers are stored.
const CAPACITY: usize = 512;
/// How many characters of an identifier are kept: it comes from a client.
const MAX_CHARACTERS: usize = 64;
/// How many bursts of refusals are reported per `PERIOD`: a flood may come from any number of addresses.
const MAX_REPORTS: u32 = 10;
const PERIOD: Duration = Duration::from_secs(10);
/// How long the store has counted everything before that is reported: one of several servers may be down.
const CALM_MS: u64 = 1000;

/// Counts of a limiter, since it was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Allowed checks.
    pub allowed: u64,
    /// Refused checks, those of the deny cache included.
    pub refused: u64,
    /// Checks that the deny cache refused.
    pub cached: u64,
    /// Checks that the store did not count, because it was unavailable.
    pub uncounted: u64,
}

/// Checks of one identifier.
#[derive(Debug, Clone, Copy)]
pub struct Checks {
    /// How many were allowed.
    pub allowed: u64,
    /// How many were refused.
    pub refused: u64,
    /// How long such a refusal lasts at most.
    pub refused_for: Duration,
}

/// An identifier that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offender {
    /// The policy; empty for fixed windows without one.
    pub policy: String,
    /// The identifier, shortened.
    pub id: String,
    /// How often it was refused; of one that took the place of another, at most so often.
    pub refused: u64,
}

/// Something to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The store is unavailable, and this counter or none takes its place.
    Fallback(Source),
    /// The store counts again.
    Restored,
    /// An identifier is refused. Reported once until its limit is reset.
    Refused {
        /// The identifier.
        offender: Offender,
        /// How many other bursts were not reported.
        unreported: u64,
    },
}

/// Observes the results of a limiter.
#[derive(Debug, Default)]
pub struct Observer {
    allowed: AtomicU64,
    refused: AtomicU64,
    cached: AtomicU64,
    uncounted: AtomicU64,
    is_fallback: AtomicBool,
    /// When the store last did not count, in milliseconds of the steady clock.
    last_fallback: AtomicU64,
    refusals: Mutex<Refusals>,
}

#[derive(Debug, Default)]
struct Refusals {
    by_id: HashMap<(String, String), Refused>,
    /// The beginning of the period of reports, and how many there were in it.
    period: Option<Moment>,
    reports: u32,
    unreported: u64,
}

#[derive(Debug)]
struct Refused {
    count: u64,
    /// When the burst began, and how long it lasts at most.
    since: Moment,
    lasts: Duration,
}

impl Observer {
    /// Observes a result; returns what to report.
    pub fn observe(&self, policy: &str, id: &str, result: &LimitResult, now: Moment) -> Option<Notice> {
        let counter = if result.allowed { &self.allowed } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        match result.source {
            Source::Cache => drop(self.cached.fetch_add(1, Ordering::Relaxed)),
            Source::Local | Source::Fallback => {
                self.uncounted.fetch_add(1, Ordering::Relaxed);
                self.last_fallback.store(now.steady.as_millis() as u64, Ordering::Relaxed);
                if !self.is_fallback.swap(true, Ordering::Relaxed) {
                    return Some(Notice::Fallback(result.source));
                }
            }
            Source::Store if self.is_restored(now) => return Some(Notice::Restored),
            Source::Store => {}
        }
        // Without a counter, it is not the client's fault.
        if result.allowed || result.source == Source::Fallback {
            return None;
        }
        let lasts = Duration::from_millis(result.reset_after_ms.max(1).unsigned_abs());
        self.refusals.lock().add(policy, id, 1, now, lasts)
    }

    /// Observes checks that were decided from a share; returns what to report.
    pub fn observe_shared(&self, policy: &str, id: &str, checks: Checks, now: Moment) -> Option<Notice> {
        self.allowed.fetch_add(checks.allowed, Ordering::Relaxed);
        self.refused.fetch_add(checks.refused, Ordering::Relaxed);
        if checks.refused == 0 {
            return None;
        }
        self.refusals.lock().add(policy, id, checks.refused, now, checks.refused_for)
    }

    /// Observes that the store has leased hits; returns what to report.
    pub fn observe_lease(&self, now: Moment) -> Option<Notice> {
        self.is_restored(now).then_some(Notice::Restored)
    }

    /// Whether the store counts again, and that has not been reported.
    fn is_restored(&self, now: Moment) -> bool {
        self.is_fallback.load(Ordering::Relaxed)
            && now.steady.as_millis() as u64 >= self.last_fallback.load(Ordering::Relaxed) + CALM_MS
            && self.is_fallback.swap(false, Ordering::Relaxed)
    }

    /// Returns the counts.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            allowed: read(&self.allowed),
            refused: read(&self.refused),
            cached: read(&self.cached),
            uncounted: read(&self.uncounted),
        }
    }

    /// Returns the identifiers that were refused most, the worst first.
    pub fn offenders(&self, most: usize) -> Vec<Offender> {
        let refusals = self.refusals.lock();
        let mut all: Vec<_> = refusals
            .by_id
            .iter()
            .map(|((policy, id), refused)| Offender { policy: policy.clone(), id: id.clone(), refused: refused.count })
            .collect();
        all.sort_by(|one, other| other.refused.cmp(&one.refused).then_with(|| one.id.cmp(&other.id)));
        all.truncate(most);
        all
    }
}

impl Refusals {
    fn add(&mut self, policy: &str, id: &str, times: u64, now: Moment, lasts: Duration) -> Option<Notice> {
        let id: String = id.chars().take(MAX_CHARACTERS).collect();
        let key = (policy.to_owned(), id);
        let is_new = match self.by_id.get_mut(&key) {
            Some(known) => {
                known.count += times;
                // What is never allowed has no end of its own.
                let is_over = now.since(known.since) >= known.lasts.max(PERIOD);
                if is_over {
                    (known.since, known.lasts) = (now, lasts);
                }
                is_over
            }
            None => {
                let count = times + self.make_room();
                self.by_id.insert(key.clone(), Refused { count, since: now, lasts });
                true
            }
        };
        if !is_new {
            return None;
        }
        if self.period.is_none_or(|since| now.since(since) >= PERIOD) {
            (self.period, self.reports) = (Some(now), 0);
        }
        self.reports += 1;
        if self.reports > MAX_REPORTS {
            self.unreported += 1;
            return None;
        }
        let refused = self.by_id.get(&key).map_or(times, |refused| refused.count);
        let (policy, id) = key;
        let unreported = std::mem::take(&mut self.unreported);
        Some(Notice::Refused { offender: Offender { policy, id, refused }, unreported })
    }

    /// Removes the identifier that was refused least if there are too many; returns its count.
    fn make_room(&mut self) -> u64 {
        if self.by_id.len() < CAPACITY {
            return 0;
        }
        let least = self.by_id.iter().min_by_key(|(_, refused)| refused.count);
        let Some((key, count)) = least.map(|(key, refused)| (key.clone(), refused.count)) else { return 0 };
        self.by_id.remove(&key);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(seconds: u64) -> Moment {
        Moment { steady: Duration::from_secs(seconds), wall: Duration::from_secs(seconds) }
    }

    fn result(allowed: bool, source: Source) -> LimitResult {
        LimitResult { source, reset_after_ms: 60_000, ..LimitResult::uncounted(allowed, Some(5), 60_000) }
    }

    fn refuse(observer: &Observer, id: &str, at: u64) -> Option<Notice> {
        observer.observe("p", id, &result(false, Source::Store), moment(at))
    }

    #[test]
    fn a_burst_is_reported_once() {
        let observer = Observer::default();
        assert!(matches!(refuse(&observer, "a", 0), Some(Notice::Refused { offender, .. }) if offender.refused == 1));
        for second in 0..59 {
            assert_eq!(refuse(&observer, "a", second), None);
        }
        assert!(matches!(refuse(&observer, "a", 60), Some(Notice::Refused { offender, .. }) if offender.refused == 61));
        assert_eq!(observer.observe("p", "b", &result(true, Source::Store), moment(60)), None);
        assert_eq!(observer.counts(), Counts { allowed: 1, refused: 61, ..Counts::default() });
    }

    #[test]
    fn a_flood_from_many_addresses_is_reported_in_few_lines() {
        let observer = Observer::default();
        let reported = (0..1000).filter(|n| refuse(&observer, &n.to_string(), 0).is_some()).count();
        assert_eq!(reported, 10);
        let later = refuse(&observer, "later", 10);
        assert!(matches!(later, Some(Notice::Refused { unreported: 990, .. })), "{later:?}");
    }

    #[test]
    fn the_worst_offenders_stay_in_bounded_memory() {
        let observer = Observer::default();
        for n in 0..20_000_u32 {
            refuse(&observer, &format!("address {n}"), 0);
            if n % 4 == 0 {
                refuse(&observer, "worst", 0);
            }
            if n % 8 == 0 {
                refuse(&observer, "second", 0);
            }
        }
        let worst = observer.offenders(2);
        assert_eq!([&worst[0].id, &worst[1].id], ["worst", "second"]);
        assert!(worst[0].refused >= 5000 && worst[1].refused >= 2500, "never too low: {worst:?}");
        assert_eq!(observer.offenders(usize::MAX).len(), CAPACITY);
        refuse(&observer, &"x".repeat(10_000), 0);
        assert!(observer.offenders(usize::MAX).iter().all(|offender| offender.id.len() <= MAX_CHARACTERS));
    }

    #[test]
    fn what_is_never_allowed_is_reported_once_per_period() {
        let observer = Observer::default();
        let never = LimitResult { reset_after_ms: 0, retry_after_ms: None, ..result(false, Source::Store) };
        let reported = (0..20).filter(|second| observer.observe("p", "a", &never, moment(*second)).is_some()).count();
        assert_eq!(reported, 2, "at 0 and at 10 seconds");
    }

    #[test]
    fn checks_that_a_share_decided_count_as_many() {
        let observer = Observer::default();
        let checks = Checks { allowed: 5, refused: 7, refused_for: Duration::from_secs(60) };
        let notice = observer.observe_shared("p", "a", checks, moment(0));
        assert!(matches!(notice, Some(Notice::Refused { offender, .. }) if offender.refused == 7));
        assert_eq!(observer.observe_shared("p", "a", Checks { refused: 0, ..checks }, moment(1)), None);
        assert_eq!(observer.counts(), Counts { allowed: 10, refused: 7, ..Counts::default() });
        assert_eq!(observer.offenders(1)[0].refused, 7);
    }

    #[test]
    fn a_fallback_is_reported_once_per_outage() {
        let observer = Observer::default();
        let observe = |source, at| observer.observe("p", "a", &result(true, source), moment(at));
        assert_eq!(observe(Source::Store, 0), None);
        assert_eq!(observe(Source::Local, 0), Some(Notice::Fallback(Source::Local)));
        for _ in 0..100 {
            assert_eq!(observe(Source::Store, 0), None, "one of several servers is there");
            assert_eq!(observe(Source::Fallback, 0), None);
        }
        assert_eq!(observe(Source::Store, 1), Some(Notice::Restored));
        assert_eq!(observe(Source::Store, 1), None);
        assert_eq!(observe(Source::Fallback, 2), Some(Notice::Fallback(Source::Fallback)));
        assert_eq!(observer.counts().uncounted, 102);
        let refused = observer.observe("p", "a", &result(false, Source::Fallback), moment(0));
        assert_eq!((refused, observer.offenders(1).len()), (None, 0), "it is not the client's fault");
    }
}
