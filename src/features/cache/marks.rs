//! Marks: random values in separate keys, used to detect changes.
//!
//! Each tag has a mark, which every entry with that tag records: the entry is valid while the two are equal. Invalidating a tag
//! deletes its mark, and the next use creates another. So a mark that was lost, evicted or flushed causes misses, which is
//! safe, and unused tags cost nothing. Each mark is in a slot of its own.
//!
//! A key that is being loaded has a mark too, its lease. Writing or removing the key deletes it, so a load that started earlier
//! finds a different lease, or none, when it tries to fill. Loads with the same lease have numbers: one that started earlier does
//! not replace the value of one that started later. No wall clock is involved.

use std::{
    hash::BuildHasher,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use foldhash::fast::RandomState;

use crate::{
    error::Result,
    features::life,
    random,
    store::{Merge, Reply, Request, script},
};

script!(OPEN = "cache/open.lua", keys: 1, args: 2);
script!(LEASE = "cache/lease.lua", keys: 1, args: 2);
script!(RELEASE = "cache/release.lua", keys: 1, args: 1);

/// How many entries have their tags remembered.
const PLACES: usize = 4096;

/// A new unique mark.
pub fn new() -> Result<Bytes> {
    Ok(random::hex::<8>()?.into())
}

/// Reads the mark at a key, or stores `new` there if there is none; it lives at least `life`.
pub fn open(key: Bytes, new: Bytes, life: Duration) -> Request {
    Request::script(&OPEN, [key, new, life::millis(life)]).merging(Merge::Script).repeatable().unseen()
}

/// Opens the lease of a load, under a mark that is `new` if there is none; it lives at least `life`. The reply is the mark and
/// the number of the load.
pub fn lease(key: Bytes, new: Bytes, life: Duration) -> Request {
    Request::script(&LEASE, [key, new, life::millis(life)]).merging(Merge::Script).repeatable().unseen()
}

/// Deletes the lease of a load that produced no value.
pub fn release(key: Bytes, mark: Bytes) -> Request {
    Request::script(&RELEASE, [key, mark]).merging(Merge::Script).repeatable().unseen()
}

/// Reads the reply of `open` or `lease`.
pub fn read(reply: Reply) -> Result<String> {
    let mark = reply.bulk()?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&mark).into_owned())
}

/// A cache of the tags that entries had when last read, so that their marks are read in the same round. Entries may overwrite
/// each other; a missing one only costs a second round.
#[derive(Default)]
pub struct Seen {
    /// Whether it is in use, so that caches without tags skip the lookup.
    any: AtomicBool,
    table: Mutex<Vec<Option<Place>>>,
    hasher: RandomState,
}

struct Place {
    hash: u64,
    marks: Arc<[Bytes]>,
}

impl Seen {
    /// The keys of the marks that an entry depends on, if remembered.
    pub fn of(&self, entry: &Bytes) -> Option<Arc<[Bytes]>> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let hash = self.hasher.hash_one(entry);
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let place = table.get(hash as usize % PLACES)?.as_ref()?;
        (place.hash == hash).then(|| place.marks.clone())
    }

    /// Remembers the keys of the marks that an entry depends on.
    pub fn learn(&self, entry: &Bytes, marks: &[Bytes]) {
        let hash = self.hasher.hash_one(entry);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.is_empty() {
            table.resize_with(PLACES, || None);
        }
        table[hash as usize % PLACES] = Some(Place { hash, marks: marks.into() });
        self.any.store(true, Ordering::Relaxed);
    }

    /// Forgets an entry that no longer has tags.
    pub fn forget(&self, entry: &Bytes) {
        let hash = self.hasher.hash_one(entry);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = table.get_mut(hash as usize % PLACES)
            && place.as_ref().is_some_and(|place| place.hash == hash)
        {
            *place = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_remembered_until_it_is_forgotten() {
        let (seen, one, two) = (Seen::default(), Bytes::from_static(b"one"), Bytes::from_static(b"two"));
        assert!(seen.of(&one).is_none());
        seen.learn(&one, std::slice::from_ref(&two));
        assert_eq!(seen.of(&one).as_deref(), Some(&[two.clone()][..]));
        assert!(seen.of(&two).is_none());
        seen.forget(&two);
        assert!(seen.of(&one).is_some(), "of another entry");
        seen.forget(&one);
        assert!(seen.of(&one).is_none());
    }

    #[test]
    fn it_never_grows() {
        let seen = Seen::default();
        for n in 0..3 * PLACES {
            let entry = Bytes::from(n.to_string());
            seen.learn(&entry, std::slice::from_ref(&entry));
            assert!(seen.of(&entry).is_some());
        }
        assert_eq!(seen.table.lock().unwrap().len(), PLACES);
    }
}
