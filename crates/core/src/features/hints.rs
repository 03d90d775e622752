//! A bounded cache of what this process last read at some keys, so that requests that depend on it can go out in the same round.
//!
//! A hint may be missing, outdated, or that of another key with the same hash: it can save a round but decides nothing.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    mem,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use foldhash::fast::RandomState;
use parking_lot::Mutex;

/// The values last read at keys. Keys in use stay; there are never more than twice `half_size`.
#[derive(Debug)]
pub struct Hints<T> {
    half_size: usize,
    /// Whether anything was ever inserted. Without that, lookups take no lock.
    in_use: AtomicBool,
    halves: Mutex<Halves<T>>,
    hasher: RandomState,
}

/// When the younger half is full, it replaces the older one.
#[derive(Debug)]
struct Halves<T> {
    young: HashMap<u64, T, RandomState>,
    old: HashMap<u64, T, RandomState>,
}

impl<T: Clone> Hints<T> {
    /// Creates a cache of two halves with up to `half_size` keys each.
    pub fn new(half_size: usize) -> Self {
        let halves = Halves { young: HashMap::default(), old: HashMap::default() };
        Self { half_size, in_use: AtomicBool::new(false), halves: Mutex::new(halves), hasher: RandomState::default() }
    }

    /// Returns the value last read at a key, if it is cached.
    pub fn get(&self, key: &Bytes) -> Option<T> {
        if !self.in_use.load(Ordering::Relaxed) {
            return None;
        }
        let hash = self.hasher.hash_one(key);
        let mut halves = self.halves.lock();
        if let Some(seen) = halves.young.get(&hash) {
            return Some(seen.clone());
        }
        let seen = halves.old.remove(&hash)?;
        halves.insert(hash, seen.clone(), self.half_size);
        Some(seen)
    }

    /// Stores the value that was read at a key.
    pub fn insert(&self, key: &Bytes, seen: T) {
        self.halves.lock().insert(self.hasher.hash_one(key), seen, self.half_size);
        self.in_use.store(true, Ordering::Relaxed);
    }

    /// Removes all keys.
    pub fn clear(&self) {
        let mut halves = self.halves.lock();
        halves.young.clear();
        halves.old.clear();
    }

    /// Removes a key.
    pub fn remove(&self, key: &Bytes) {
        let hash = self.hasher.hash_one(key);
        let mut halves = self.halves.lock();
        halves.young.remove(&hash);
        halves.old.remove(&hash);
    }
}

impl<T> Halves<T> {
    fn insert(&mut self, hash: u64, seen: T, half_size: usize) {
        if self.young.len() >= half_size {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(hash, seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1000;

    fn key(n: usize) -> Bytes {
        Bytes::from(n.to_string())
    }

    #[test]
    fn keys_in_use_stay_and_others_are_evicted() {
        let hints = Hints::new(MOST);
        hints.insert(&key(0), 0);
        for n in 1..MOST * 5 {
            hints.insert(&key(n), n);
            assert_eq!(hints.get(&key(n)), Some(n));
            if n % 100 == 0 {
                assert_eq!(hints.get(&key(0)), Some(0));
            }
        }
        assert!(hints.get(&key(1)).is_none());
        let halves = hints.halves.lock();
        assert!(halves.young.len() <= MOST && halves.old.len() <= MOST);
    }

    #[test]
    fn a_removed_key_is_missing() {
        let hints = Hints::new(MOST);
        assert!(hints.get(&key(1)).is_none());
        hints.insert(&key(1), 1);
        hints.remove(&key(2));
        assert_eq!(hints.get(&key(1)), Some(1), "another key");
        for n in 2..MOST + 2 {
            hints.insert(&key(n), n);
        }
        hints.remove(&key(1));
        assert!(hints.get(&key(1)).is_none());
    }
}
