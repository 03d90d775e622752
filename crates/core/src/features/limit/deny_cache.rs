//! Remembers what the store refused and for how long it will refuse the same, so that a denied client costs no call.
//!
//! A denial is counted from when its call began, so it never lasts longer than in the store, unless that allows more than before: then
//! the store publishes the key. Nothing is remembered before such messages are received, nor from a call during which one arrived; where
//! some may have got lost, everything is removed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::Call;
use smallvec::SmallVec;

use super::{LimitResult, Source};
use crate::features::{Moment, hints::Hints};

/// How many identifiers each half of the cache holds.
const HALF: usize = 8192;
/// The longest time for which the store is not asked, because another program may delete its keys.
const LONGEST: Duration = Duration::from_secs(10);
/// The longest key in bytes about which anything is remembered: clients choose most of it.
const LONGEST_KEY: usize = 1024;

/// What decides, besides the key and the cost: the arguments of the policy.
pub(super) type Rules = SmallVec<[Bytes; 4]>;

/// The denials of a store that this process knows of.
#[derive(Debug)]
pub struct DenyCache {
    denials: Hints<Denial>,
    /// Whether messages about changes are received.
    listening: AtomicBool,
    /// The number of changes since the beginning.
    changes: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Clone)]
struct Denial {
    /// Compared, because keys may have the same hash.
    key: Bytes,
    rules: Rules,
    cost: u64,
    at: Moment,
    lasts: Duration,
    result: LimitResult,
}

/// A deny cache, and the time of a call.
#[derive(Debug, Clone)]
pub struct Denials {
    /// The cache.
    pub cache: Arc<DenyCache>,
    /// The time.
    pub now: Moment,
}

impl Denials {
    /// Returns the refusal of a check if the store would refuse it; otherwise the call, from whose result the cache learns.
    pub(super) fn around(self, key: Bytes, rules: Rules, cost: u64, call: Call<LimitResult>) -> Call<LimitResult> {
        let Self { cache, now } = self;
        if key.len() > LONGEST_KEY {
            return call;
        }
        if let Some(refusal) = cache.refusal(&key, &rules, cost, now) {
            return Call::ready(refusal);
        }
        let changes = cache.changes.load(Ordering::Acquire);
        call.inspect(move |result| {
            if let Ok(result) = result {
                cache.learn(Asked { key, rules, cost, at: now, changes }, result);
            }
        })
    }
}

/// The beginning of a call that may be refused.
#[derive(Debug)]
struct Asked {
    key: Bytes,
    rules: Rules,
    cost: u64,
    at: Moment,
    changes: u64,
}

impl Default for DenyCache {
    fn default() -> Self {
        Self {
            denials: Hints::new(HALF),
            listening: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }
}

impl DenyCache {
    /// Messages about changes are received from now on.
    pub fn listen(&self) {
        self.clear();
        self.listening.store(true, Ordering::Release);
    }

    /// The key with these bytes may allow more than before.
    pub fn remove(&self, key: &Bytes) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.denials.remove(key);
    }

    /// Any key may.
    pub fn clear(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.denials.clear();
    }

    /// Returns how many checks it has refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Returns the refusal of a check, if the store would refuse it.
    fn refusal(&self, key: &Bytes, rules: &Rules, cost: u64, now: Moment) -> Option<LimitResult> {
        let denial = self.denials.get(key)?;
        let passed = now.since(denial.at);
        // For fewer hits it may allow them, for more it refuses longer.
        if denial.key != key || denial.rules != *rules || cost != denial.cost || passed >= denial.lasts {
            return None;
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        let passed_ms = passed.as_millis() as i64;
        let left = |ms: i64| (ms - passed_ms).max(1);
        Some(LimitResult {
            reset_after_ms: left(denial.result.reset_after_ms),
            retry_after_ms: denial.result.retry_after_ms.map(left),
            source: Source::Cache,
            ..denial.result
        })
    }

    /// Wraps a call after which the key may allow more than before.
    pub(super) fn changing<T: Send + 'static>(self: &Arc<Self>, key: Bytes, call: Call<T>) -> Call<T> {
        let cache = self.clone();
        call.inspect(move |_| cache.remove(&key))
    }

    /// Remembers a refusal by the store.
    fn learn(&self, asked: Asked, result: &LimitResult) {
        let Asked { key, rules, cost, at, changes } = asked;
        if result.allowed || result.source != Source::Store || !self.listening.load(Ordering::Acquire) {
            return;
        }
        // The wait was rounded up to a whole millisecond.
        let wait = result.retry_after_ms.map(|ms| Duration::from_millis(ms.saturating_sub(1).max(0).unsigned_abs()));
        let lasts = wait.map_or(LONGEST, |wait| wait.min(LONGEST));
        let denial = Denial { key: key.clone(), rules, cost, at, lasts, result: result.clone() };
        self.denials.insert(&key, denial);
        // A change that came meanwhile may have been about this key.
        if self.changes.load(Ordering::Acquire) != changes {
            self.denials.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use cinnabar_port::Request;

    use super::*;

    fn moment(ms: u64) -> Moment {
        Moment { steady: Duration::from_millis(ms), wall: Duration::from_millis(ms) }
    }

    fn denied(retry_ms: Option<i64>) -> LimitResult {
        LimitResult {
            retry_after_ms: retry_ms,
            reset_after_ms: 9000,
            source: Source::Store,
            ..LimitResult::uncounted(false, Some(5), 0)
        }
    }

    fn key() -> Bytes {
        Bytes::from_static(b"k")
    }

    fn rules(text: &'static str) -> Rules {
        [Bytes::from_static(text.as_bytes())].into_iter().collect()
    }

    fn asked(cache: &DenyCache, cost: u64) -> Asked {
        let changes = cache.changes.load(Ordering::Acquire);
        Asked { key: key(), rules: rules("r"), cost, at: moment(1000), changes }
    }

    fn learnt(retry_ms: Option<i64>, cost: u64) -> DenyCache {
        let cache = DenyCache::default();
        cache.listen();
        cache.learn(asked(&cache, cost), &denied(retry_ms));
        cache
    }

    #[test]
    fn it_refuses_as_long_as_the_store_does() {
        let cache = learnt(Some(500), 2);
        let at = |ms, cost| cache.refusal(&key(), &rules("r"), cost, moment(ms));
        assert_eq!(at(1000, 2).unwrap().retry_after_ms, Some(500));
        let later = at(1498, 2).unwrap();
        assert_eq!((later.retry_after_ms, later.reset_after_ms, later.source), (Some(2), 8502, Source::Cache));
        assert!(at(1499, 2).is_none(), "the store may allow it: it rounds up the wait");
        assert!(at(1000, 1).is_none(), "fewer hits may be allowed");
        assert!(at(1000, 3).is_none(), "more hits may have to wait longer, or for ever");
        assert!(cache.refusal(&key(), &rules("other"), 2, moment(1000)).is_none(), "another limit");
        assert_eq!(cache.refused(), 2);
    }

    #[test]
    fn what_never_can_be_allowed_is_asked_again_all_the_same() {
        let cache = learnt(None, 1);
        assert!(cache.refusal(&key(), &rules("r"), 1, moment(1000 + 9999)).is_some_and(|r| r.retry_after_ms.is_none()));
        assert!(cache.refusal(&key(), &rules("r"), 1, moment(1000 + 10_000)).is_none());
    }

    #[test]
    fn nothing_is_remembered_about_long_keys() {
        let cache = Arc::new(learnt(Some(500), 1));
        let calls = [1024, 1025].map(|length| {
            let key = Bytes::from(vec![b'k'; length]);
            cache.learn(Asked { key: key.clone(), ..asked(&cache, 1) }, &denied(Some(500)));
            let denials = Denials { cache: cache.clone(), now: moment(1000) };
            denials.around(key, rules("r"), 1, Call::new(Request::keyed("GET", []), |_| Ok(denied(None))))
        });
        assert_eq!(calls.map(|call| call.requests.len()), [0, 1], "only the longer one is asked about");
    }

    #[test]
    fn a_change_ends_a_denial_and_that_of_calls_in_flight() {
        let cache = learnt(Some(500), 1);
        cache.remove(&key());
        assert!(cache.refusal(&key(), &rules("r"), 1, moment(1000)).is_none());
        let call = asked(&cache, 1);
        cache.remove(&key());
        cache.learn(call, &denied(Some(500)));
        assert!(cache.refusal(&key(), &rules("r"), 1, moment(1000)).is_none());
        let call = asked(&cache, 1);
        cache.clear();
        cache.learn(call, &denied(Some(500)));
        assert!(cache.refusal(&key(), &rules("r"), 1, moment(1000)).is_none());
    }

    #[test]
    fn only_refusals_by_the_store_are_remembered_and_only_while_it_listens() {
        let cache = DenyCache::default();
        let learn = |result: &LimitResult| cache.learn(asked(&cache, 1), result);
        learn(&denied(Some(500)));
        assert!(cache.refusal(&key(), &rules("r"), 1, moment(1000)).is_none(), "not listening");
        cache.listen();
        for source in [Source::Local, Source::Fallback] {
            learn(&LimitResult { source, ..denied(Some(500)) });
        }
        learn(&LimitResult { allowed: true, ..denied(Some(500)) });
        assert!(cache.refusal(&key(), &rules("r"), 1, moment(1000)).is_none());
        learn(&denied(Some(500)));
        assert!(cache.refusal(&key(), &rules("r"), 1, moment(1000)).is_some());
    }
}
