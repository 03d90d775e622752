//! What this process last saw at some keys, so that what depends on it is asked for or written in the same round.
//!
//! What is remembered may be missing, outdated, or of another key with the same hash: it can save a round but decides nothing.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    mem,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use foldhash::fast::RandomState;
use parking_lot::Mutex;

/// What was seen at keys, of which it remembers those in use and no more than twice `most`.
#[derive(Debug)]
pub struct Recent<T> {
    most: usize,
    /// Whether it is in use, so that who needs none skips the look-up.
    any: AtomicBool,
    halves: Mutex<Halves<T>>,
    hasher: RandomState,
}

/// When the younger half is full, it replaces the older one.
#[derive(Debug)]
struct Halves<T> {
    young: HashMap<u64, T, RandomState>,
    old: HashMap<u64, T, RandomState>,
}

impl<T: Clone> Recent<T> {
    /// Remembers up to `most` keys in each of two halves.
    pub fn new(most: usize) -> Self {
        let halves = Halves { young: HashMap::default(), old: HashMap::default() };
        Self { most, any: AtomicBool::new(false), halves: Mutex::new(halves), hasher: RandomState::default() }
    }

    /// What was last seen at a key, if that is remembered.
    pub fn of(&self, key: &Bytes) -> Option<T> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let hash = self.hasher.hash_one(key);
        let mut halves = self.halves.lock();
        if let Some(seen) = halves.young.get(&hash) {
            return Some(seen.clone());
        }
        let seen = halves.old.remove(&hash)?;
        halves.learn(hash, seen.clone(), self.most);
        Some(seen)
    }

    /// Remembers what was seen at a key.
    pub fn learn(&self, key: &Bytes, seen: T) {
        self.halves.lock().learn(self.hasher.hash_one(key), seen, self.most);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Forgets a key.
    pub fn forget(&self, key: &Bytes) {
        let hash = self.hasher.hash_one(key);
        let mut halves = self.halves.lock();
        halves.young.remove(&hash);
        halves.old.remove(&hash);
    }
}

impl<T> Halves<T> {
    fn learn(&mut self, hash: u64, seen: T, most: usize) {
        if self.young.len() >= most {
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
    fn what_is_in_use_stays_and_the_rest_goes() {
        let recent = Recent::new(MOST);
        recent.learn(&key(0), 0);
        for n in 1..MOST * 5 {
            recent.learn(&key(n), n);
            assert_eq!(recent.of(&key(n)), Some(n));
            if n % 100 == 0 {
                assert_eq!(recent.of(&key(0)), Some(0));
            }
        }
        assert!(recent.of(&key(1)).is_none());
        let halves = recent.halves.lock();
        assert!(halves.young.len() <= MOST && halves.old.len() <= MOST);
    }

    #[test]
    fn what_is_forgotten_is_not_there() {
        let recent = Recent::new(MOST);
        assert!(recent.of(&key(1)).is_none());
        recent.learn(&key(1), 1);
        recent.forget(&key(2));
        assert_eq!(recent.of(&key(1)), Some(1), "another key");
        for n in 2..MOST + 2 {
            recent.learn(&key(n), n);
        }
        recent.forget(&key(1));
        assert!(recent.of(&key(1)).is_none());
    }
}
