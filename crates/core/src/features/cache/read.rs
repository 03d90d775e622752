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

/// What an entry is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Its fresh value.
    Value,
    /// A load, if there is no fresh value; a stale one counts.
    Load,
    /// The same while another process loads: not counted in the statistics.
    Poll,
    /// How long it is fresh: not counted in the statistics.
    Ttl,
}

/// An entry being read.
struct Read {
    cache: Cache,
    key: Bytes,
    purpose: Purpose,
    near: Option<NearAt>,
    /// How its value is kept near, if it is.
    reading: Option<Reading>,
    /// The reply to PTTL, if that was sent with the entry.
    left: Option<i64>,
}

impl Cache {
    /// Reads an entry and checks that it is valid; counts its errors.
    pub(super) fn find(&self, name: &str, purpose: Purpose, near: Option<NearAt>) -> Call<LoadStart> {
        self.counting_errors(self.read(name, purpose, near))
    }

    /// Does the same without counting errors.
    pub(super) fn read(&self, name: &str, purpose: Purpose, near: Option<NearAt>) -> Call<LoadStart> {
        let key = keys::cache_entry(&self.0.prefix, name);
        if let Some(entry) = near.as_ref().filter(|near| !near.is_missing).and_then(|near| near.find(&key)) {
            self.0.hits.fetch_add(1, Ordering::Relaxed);
            self.0.near_hits.fetch_add(1, Ordering::Relaxed);
            return Call::ready(LoadStart { value: Some(entry.json.clone()), ..LoadStart::default() });
        }
        let reading = near.as_ref().and_then(|near| near.begin(&key));
        let guess = self.0.tag_hints.get(&key);
        let asks_ttl = reading.is_some() || purpose == Purpose::Ttl;
        let pttl = asks_ttl.then(|| Request::keyed("PTTL", [key.clone()]).reads());
        let epochs = guess.iter().flat_map(|epochs| epochs.iter().cloned()).map(Request::get);
        let requests: Vec<_> = [Request::get(key.clone())].into_iter().chain(pttl).chain(epochs).collect();
        let cache = self.clone();
        Call::round(requests, move |Replies(replies)| {
            let mut replies = replies.into_iter();
            let stored = replies.next().unwrap_or(Ok(Reply::Nil));
            let left = if asks_ttl { replies.next().and_then(|reply| reply.and_then(Reply::int).ok()) } else { None };
            let guessed = guess.map(|epochs| (epochs, Replies(replies.collect())));
            Read { cache, key, purpose, near, reading, left }.check(stored, guessed)
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
        if let Some(left) = self.left {
            // It has expired between the two.
            return if left == -2 {
                self.hit(json, None)
            } else {
                self.at(left, (stale_ms, grace_ms), json, epoch_keys)
            };
        }
        if let Some(near) = &self.near {
            near.note(&self.key);
        }
        if (stale_ms, grace_ms) == (0, 0) {
            return self.hit(json, None);
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
            return self.hit(json, Some(Duration::MAX));
        };
        if left_ms > stale_ms + grace_ms || ends == (0, 0) {
            let fresh = Duration::from_millis(left_ms.saturating_sub(stale_ms + grace_ms));
            self.keep(fresh, &json, epoch_keys);
            return self.hit(json, Some(fresh));
        }
        if !matches!(self.purpose, Purpose::Load | Purpose::Poll) {
            return self.miss();
        }
        let in_grace = left_ms <= grace_ms;
        // Whether it is served in its grace is not known yet.
        self.count(if in_grace { &self.cache.0.misses } else { &self.cache.0.stale_hits });
        Step::Done(LoadStart { value: Some(json), stale: !in_grace, in_grace, ..LoadStart::default() })
    }

    fn keep(&self, ttl: Duration, json: &Bytes, epoch_keys: &[Bytes]) {
        if let (Some(near), Some(reading)) = (&self.near, self.reading) {
            near.keep(&self.key, reading, json, ttl, epoch_keys);
        }
    }

    fn count(&self, outcome: &AtomicU64) {
        if matches!(self.purpose, Purpose::Value | Purpose::Load) {
            outcome.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns a fresh value, with how much longer it is fresh, if that is known.
    fn hit(&self, json: Bytes, fresh: Option<Duration>) -> Step<LoadStart> {
        self.count(&self.cache.0.hits);
        Step::Done(LoadStart { value: Some(json), fresh, ..LoadStart::default() })
    }

    fn miss(&self) -> Step<LoadStart> {
        self.count(&self.cache.0.misses);
        Step::Done(LoadStart::default())
    }
}
