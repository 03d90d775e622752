//! Marks: random words in keys of their own, by which it is known that nothing has happened in between.
//!
//! A tag has one, which every entry with that tag carries: while the two are equal, the entry is valid. Invalidating a tag
//! deletes its mark, and whoever needs one again makes another. So a mark that is lost, evicted or flushed makes entries
//! miss, which is the safe side, and a tag that no entry has costs nothing. Each lies in a slot of its own.
//!
//! A key that is being loaded has one too, its lease. Whatever is written or dropped under the key deletes it, so a load
//! that began before finds another one, or none, when it comes to fill. No wall clock is read anywhere.

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
script!(RELEASE = "cache/release.lua", keys: 1, args: 1);

/// Entries whose tags are remembered.
const PLACES: usize = 4096;

/// A word that nobody else has.
pub fn new() -> Result<Bytes> {
    Ok(random::hex::<8>()?.into())
}

/// Asks for the mark under a key, and has `new` put there where there is none, for at least so long.
pub fn open(key: Bytes, new: Bytes, life: Duration) -> Request {
    Request::script(&OPEN, [key, new, life::millis(life)]).merging(Merge::Script).repeatable().unseen()
}

/// Takes away the lease of a load that brought nothing.
pub fn release(key: Bytes, mark: Bytes) -> Request {
    Request::script(&RELEASE, [key, mark]).merging(Merge::Script).repeatable().unseen()
}

/// The mark that was asked for.
pub fn read(reply: Reply) -> Result<String> {
    let mark = reply.bulk()?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&mark).into_owned())
}

/// Which tags an entry had when it was last seen, so that they are asked for together with it. Of what shares a place, the
/// last one is remembered: who is forgotten costs a second round, nothing else.
#[derive(Default)]
pub struct Seen {
    /// Whether there is any: until then nobody pays for it.
    any: AtomicBool,
    table: Mutex<Vec<Option<Place>>>,
    hasher: RandomState,
}

struct Place {
    hash: u64,
    marks: Arc<[Bytes]>,
}

impl Seen {
    /// The keys of the marks that an entry needed.
    pub fn of(&self, entry: &Bytes) -> Option<Arc<[Bytes]>> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let hash = self.hasher.hash_one(entry);
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let place = table.get(hash as usize % PLACES)?.as_ref()?;
        (place.hash == hash).then(|| place.marks.clone())
    }

    /// Remembers the keys of the marks that an entry needs.
    pub fn learn(&self, entry: &Bytes, marks: &[Bytes]) {
        let hash = self.hasher.hash_one(entry);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.is_empty() {
            table.resize_with(PLACES, || None);
        }
        table[hash as usize % PLACES] = Some(Place { hash, marks: marks.into() });
        self.any.store(true, Ordering::Relaxed);
    }

    /// Forgets an entry that has no tags any more.
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
