//! How an entry is read: what was stored, with the epochs of its tags, and checked to be valid and fresh.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{Call, Replies, Reply, Request, Step, error::Result};

use super::{
    Cache, LoadStart,
    entry::{Entry, Header},
    near::{NearAt, Reading},
};
use crate::keys;

/// How long the value of a key without a ttl, which another program has written, is kept near.
const WITHOUT_TTL: Duration = Duration::from_secs(3600);

/// The epochs that were read with an entry, since it most likely still has the tags it had when it was last read.
type Guessed = Option<(Arc<[Bytes]>, Replies)>;

/// An entry being read.
struct Read {
    cache: Cache,
    key: Bytes,
    /// Whether the caller can load a fresh value, so that a stale one counts.
    is_for_load: bool,
    /// Whether the outcome is counted in the statistics.
    counts: bool,
    near: Option<NearAt>,
    /// How its value is kept near, if it is.
    keeping: Option<Keeping>,
}

struct Keeping {
    reading: Reading,
    /// The reply to PTTL.
    left: i64,
}

impl Cache {
    /// Reads an entry and checks that it is valid. A stale entry counts only if it is read for a load.
    pub(super) fn find(&self, name: &str, is_for_load: bool, near: Option<NearAt>) -> Call<LoadStart> {
        self.counting_errors(self.read(name, is_for_load, true, near))
    }

    /// Does the same; `counts` is whether the outcome is counted in the statistics.
    pub(super) fn read(&self, name: &str, is_for_load: bool, counts: bool, near: Option<NearAt>) -> Call<LoadStart> {
        let key = keys::cache_entry(&self.0.prefix, name);
        if let Some(entry) = near.as_ref().filter(|near| !near.is_missing).and_then(|near| near.find(&key)) {
            self.0.hits.fetch_add(1, Ordering::Relaxed);
            self.0.near_hits.fetch_add(1, Ordering::Relaxed);
            return Call::ready(LoadStart { value: Some(entry.json.clone()), ..LoadStart::default() });
        }
        let reading = near.as_ref().and_then(|near| near.begin(&key));
        let guess = self.0.tag_hints.get(&key);
        let pttl = reading.as_ref().map(|_| Request::keyed("PTTL", [key.clone()]).reads());
        let epochs = guess.iter().flat_map(|epochs| epochs.iter().cloned()).map(Request::get);
        let requests: Vec<_> = [Request::get(key.clone())].into_iter().chain(pttl).chain(epochs).collect();
        let cache = self.clone();
        Call::round(requests, move |Replies(replies)| {
            let mut replies = replies.into_iter();
            let stored = replies.next().unwrap_or(Ok(Reply::Nil));
            let keeping = reading.and_then(|reading| {
                let left = replies.next()?.and_then(Reply::int).ok()?;
                Some(Keeping { reading, left })
            });
            let guessed = guess.map(|epochs| (epochs, Replies(replies.collect())));
            Read { cache, key, is_for_load, counts, near, keeping }.check(stored, guessed)
        })
    }
}

impl Read {
    fn check(self, stored: Result<Reply>, guessed: Guessed) -> Result<Step<LoadStart>> {
        let Some(stored) = stored.and_then(Reply::bulk)? else { return Ok(self.miss()) };
        let Entry { header, json } = Entry::read(stored)?;
        let header = header.unwrap_or_default();
        if header.outdated.is_some() {
            return Ok(self.miss());
        }
        let tag_hints = &self.cache.0.tag_hints;
        if header.tags.is_empty() {
            if guessed.is_some() {
                tag_hints.remove(&self.key);
            }
            return Ok(self.freshness(&header, json, &[]));
        }
        let prefix = &self.cache.0.prefix;
        let epochs: Arc<[Bytes]> = header.tags.iter().map(|(tag, _)| keys::cache_tag_epoch(prefix, tag)).collect();
        if let Some((known, replies)) = guessed
            && known == epochs
        {
            return self.check_epochs(header, &epochs, replies, json);
        }
        tag_hints.insert(&self.key, epochs.clone());
        let requests: Vec<_> = epochs.iter().cloned().map(Request::get).collect();
        Ok(Step::Next(Call::round(requests, move |replies| self.check_epochs(header, &epochs, replies, json))))
    }

    /// Checks that each tag has the epoch that the entry records.
    fn check_epochs(self, header: Header, keys: &[Bytes], epochs: Replies, json: Bytes) -> Result<Step<LoadStart>> {
        for ((_, recorded), current) in header.tags.iter().zip(epochs.0) {
            if current?.bulk()?.is_none_or(|current| current != recorded.as_bytes()) {
                return Ok(self.miss());
            }
        }
        Ok(self.freshness(&header, json, keys))
    }

    /// Determines whether an entry is fresh, stale or in its grace, which are the parts of its ttl in this order.
    fn freshness(self, header: &Header, json: Bytes, epoch_keys: &[Bytes]) -> Step<LoadStart> {
        let (stale_ms, grace_ms) = (header.stale_ms, header.grace_ms);
        if let Some(Keeping { left, .. }) = self.keeping {
            // Without a value, it has expired in between.
            return if left == -2 { self.hit(json) } else { self.at(left, (stale_ms, grace_ms), json, epoch_keys) };
        }
        if let Some(near) = &self.near {
            near.note(&self.key);
        }
        if (stale_ms, grace_ms) == (0, 0) {
            return self.hit(json);
        }
        Step::Next(Call::round([Request::keyed("PTTL", [self.key.clone()]).reads()], move |replies| {
            let left = replies.last().and_then(Reply::int)?;
            Ok(self.at(left, (stale_ms, grace_ms), json, &[]))
        }))
    }

    /// Returns an entry whose key has this PTTL, and which ends with so many milliseconds of being stale and in its grace.
    fn at(self, left: i64, ends: (u64, u64), json: Bytes, epoch_keys: &[Bytes]) -> Step<LoadStart> {
        let (stale_ms, grace_ms) = ends;
        let Ok(left_ms) = u64::try_from(left) else {
            if left == -2 {
                return self.miss();
            }
            self.keep(WITHOUT_TTL, &json, epoch_keys);
            return self.hit(json);
        };
        if left_ms > stale_ms + grace_ms || ends == (0, 0) {
            self.keep(Duration::from_millis(left_ms.saturating_sub(stale_ms + grace_ms)), &json, epoch_keys);
            return self.hit(json);
        }
        if !self.is_for_load {
            return self.miss();
        }
        let in_grace = left_ms <= grace_ms;
        // Whether it is served in its grace is not known yet.
        self.count(if in_grace { &self.cache.0.misses } else { &self.cache.0.stale_hits });
        Step::Done(LoadStart { value: Some(json), stale: !in_grace, in_grace, lease: None })
    }

    fn keep(&self, ttl: Duration, json: &Bytes, epoch_keys: &[Bytes]) {
        if let (Some(near), Some(Keeping { reading, .. })) = (&self.near, &self.keeping) {
            near.keep(&self.key, *reading, json, ttl, epoch_keys);
        }
    }

    fn count(&self, outcome: &AtomicU64) {
        if self.counts {
            outcome.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn hit(&self, json: Bytes) -> Step<LoadStart> {
        self.count(&self.cache.0.hits);
        Step::Done(LoadStart { value: Some(json), ..LoadStart::default() })
    }

    fn miss(&self) -> Step<LoadStart> {
        self.count(&self.cache.0.misses);
        Step::Done(LoadStart::default())
    }
}
