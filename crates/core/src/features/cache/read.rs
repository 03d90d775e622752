//! How an entry is read: what was stored, with the epochs of its tags, and checked to be valid and fresh.

mod expired;

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
    Cache, LoadStart, VALUE,
    entry::{Entry, Header},
    epochs::{self, Validity},
};
use crate::{
    features::near::{NearAt, NewEntry, Reading},
    keys,
};

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
    /// A load, also if there is a fresh value, whose time is nearly over: how long it is fresh is read too.
    EagerLoad,
    /// How long it is fresh: not counted in the statistics.
    Ttl,
}

impl Purpose {
    /// Whether it is for a load.
    pub(super) fn takes_stale(self) -> bool {
        matches!(self, Self::Load | Self::EagerLoad | Self::Poll)
    }

    fn is_counted(self) -> bool {
        matches!(self, Self::Value | Self::Load | Self::EagerLoad)
    }

    fn asks_ttl(self) -> bool {
        matches!(self, Self::EagerLoad | Self::Ttl)
    }
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
    /// For how long it was fresh when it was stored, if it records that.
    life: Option<Duration>,
}

impl Cache {
    /// Reads an entry and checks that it is valid; counts its errors.
    pub(super) fn find(&self, name: &str, purpose: Purpose, near: Option<NearAt>) -> Call<LoadStart> {
        self.counting_errors(self.read(name, purpose, near))
    }

    /// Does the same without counting errors.
    pub(super) fn read(&self, name: &str, purpose: Purpose, near: Option<NearAt>) -> Call<LoadStart> {
        let key = keys::cache_entry(&self.0.prefix, name);
        let usable = near.as_ref().filter(|near| !near.is_missing && !purpose.asks_ttl());
        if let Some(entry) = usable.and_then(|near| near.find(&key, VALUE)) {
            self.0.hits.fetch_add(1, Ordering::Relaxed);
            self.0.near_hits.fetch_add(1, Ordering::Relaxed);
            return Call::ready(LoadStart { value: Some(entry.json.clone()), ..LoadStart::default() });
        }
        let guess = self.0.tag_hints.get(&key);
        let reading = near.as_ref().and_then(|near| near.begin(&key, guess.as_deref().unwrap_or_default()));
        let asks_ttl = reading.is_some() || purpose.asks_ttl();
        let pttl = asks_ttl.then(|| Request::keyed("PTTL", [key.clone()]).reads());
        let epochs = guess.iter().flat_map(|epochs| epochs.iter().cloned()).map(Request::get);
        let requests: Vec<_> = [Request::get(key.clone())].into_iter().chain(pttl).chain(epochs).collect();
        let cache = self.clone();
        Call::round(requests, move |Replies(replies)| {
            let mut replies = replies.into_iter();
            let stored = replies.next().unwrap_or(Ok(Reply::Nil));
            let left = if asks_ttl { replies.next().and_then(|reply| reply.and_then(Reply::int).ok()) } else { None };
            let guessed = guess.map(|epochs| (epochs, Replies(replies.collect())));
            Read { cache, key, purpose, near, reading, left, life: None }.check(stored, guessed)
        })
    }
}

impl Read {
    fn check(mut self, stored: Result<Reply>, guessed: Guessed) -> Result<Step<LoadStart>> {
        let Some(stored) = stored.and_then(Reply::bulk)? else { return Ok(self.miss()) };
        let Some(Entry { header, json }) = Entry::read(stored, &self.key, &self.cache.0.protection)? else {
            return Ok(self.miss());
        };
        let header = header.unwrap_or_default();
        // In a clearable cache, an entry that records no epoch of all would survive.
        if header.outdated.is_some() || (self.cache.0.clearable && header.all.is_none()) {
            return Ok(self.miss());
        }
        self.life = Some(Duration::from_millis(header.life_ms)).filter(|life| !life.is_zero());
        let tag_hints = &self.cache.0.tag_hints;
        if header.tags.is_empty() && header.all.is_none() {
            if guessed.is_some() {
                tag_hints.remove(&self.key);
            }
            return Ok(self.freshness(&header, json, &[]));
        }
        let epochs = header.epoch_keys(&self.cache.0.prefix);
        if let Some((known, replies)) = guessed
            && known == epochs
        {
            return self.check_epochs(header, &epochs, replies, json);
        }
        tag_hints.insert(&self.key, epochs.clone());
        let requests: Vec<_> = epochs.iter().cloned().map(Request::get).collect();
        Ok(Step::Next(Call::round(requests, move |replies| self.check_epochs(header, &epochs, replies, json))))
    }

    /// Checks that the epochs are those that the entry records.
    fn check_epochs(self, header: Header, keys: &[Bytes], epochs: Replies, json: Bytes) -> Result<Step<LoadStart>> {
        let mut expired = Vec::new();
        for ((key, recorded), current) in keys.iter().zip(header.epochs()).zip(epochs.0) {
            let Some(current) = current?.bulk()? else { return Ok(self.miss()) };
            match epochs::validity(recorded, &current) {
                Validity::Valid => {}
                Validity::Expired(time) => expired.push((key.clone(), time)),
                Validity::Invalid => return Ok(self.miss()),
            }
        }
        if expired.is_empty() {
            return Ok(self.freshness(&header, json, keys));
        }
        Ok(self.expired((header.stale_ms, header.grace_ms), expired, json))
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
        // Another program may have written any header.
        let ending_ms = stale_ms.saturating_add(grace_ms);
        if left_ms > ending_ms || ending_ms == 0 {
            let fresh = Duration::from_millis(left_ms.saturating_sub(ending_ms));
            self.keep(fresh, &json, epoch_keys);
            return self.hit(json, Some(fresh));
        }
        if !self.purpose.takes_stale() {
            return self.miss();
        }
        if left_ms <= grace_ms { self.in_grace(grace_ms, json) } else { self.stale(json) }
    }

    fn stale(&self, json: Bytes) -> Step<LoadStart> {
        self.count(&self.cache.0.stale_hits);
        Step::Done(LoadStart { value: Some(json), stale: true, ..LoadStart::default() })
    }

    /// Returns a value that is served if the load of a fresh one fails, for so many milliseconds.
    fn in_grace(&self, grace_ms: u64, json: Bytes) -> Step<LoadStart> {
        if grace_ms == 0 {
            return self.miss();
        }
        // Whether it is served is not known yet.
        self.count(&self.cache.0.misses);
        Step::Done(LoadStart { value: Some(json), in_grace: true, ..LoadStart::default() })
    }

    fn keep(&self, ttl: Duration, json: &Bytes, epoch_keys: &[Bytes]) {
        if let (Some(near), Some(reading)) = (&self.near, &self.reading) {
            near.keep(&self.key, reading, NewEntry { kind: VALUE, json, ttl, life: self.life, epoch_keys });
        }
    }

    fn count(&self, outcome: &AtomicU64) {
        if self.purpose.is_counted() {
            outcome.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns a fresh value, with how much longer it is fresh, if that is known.
    fn hit(&self, json: Bytes, fresh: Option<Duration>) -> Step<LoadStart> {
        self.count(&self.cache.0.hits);
        Step::Done(LoadStart { value: Some(json), fresh, life: self.life, ..LoadStart::default() })
    }

    fn miss(&self) -> Step<LoadStart> {
        self.count(&self.cache.0.misses);
        Step::Done(LoadStart::default())
    }
}
