//! Remembers which epochs recently read sessions depend on, so that a session and its epochs are read in one round.
//!
//! A hint may be wrong or missing: the session itself records what it needs, and a second round is made then.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use foldhash::fast::RandomState;
use smallvec::SmallVec;

/// Keys of epochs.
pub type Needed = SmallVec<[Bytes; 1]>;

/// How many sessions each of the two halves remembers, at some 200 bytes each.
const MOST: usize = 16_384;

/// The epochs needed per id.
#[derive(Debug, Default)]
pub struct Hints(Mutex<Halves>);

/// When the younger half is full, it replaces the older one.
#[derive(Debug, Default)]
struct Halves {
    young: HashMap<Bytes, Needed, RandomState>,
    old: HashMap<Bytes, Needed, RandomState>,
}

impl Hints {
    /// The epochs this id needed last; empty if unknown.
    pub fn of(&self, id: &Bytes) -> Needed {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(needed) = halves.young.get(id) {
            return needed.clone();
        }
        let Some(needed) = halves.old.remove(id) else { return Needed::new() };
        halves.remember(id, needed.clone());
        needed
    }

    /// Remembers the epochs that this id needs.
    pub fn remember(&self, id: &Bytes, needed: &Needed) {
        if !needed.is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remember(id, needed.clone());
        }
    }
}

impl Halves {
    fn remember(&mut self, id: &Bytes, needed: Needed) {
        if self.young.len() >= MOST {
            self.old = mem::take(&mut self.young);
        }
        // Copied, because an id may be a small slice of a large buffer.
        self.young.insert(Bytes::copy_from_slice(id), needed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_and_the_rest_goes() {
        let (hints, id) = (Hints::default(), |n: usize| Bytes::from(n.to_string()));
        let needed = |n| Needed::from_iter([id(n)]);
        hints.remember(&id(0), &needed(0));
        for n in 1..MOST * 5 {
            hints.remember(&id(n), &needed(n));
            if n % 1000 == 0 {
                assert_eq!(hints.of(&id(0)), needed(0));
            }
        }
        assert!(hints.of(&id(1)).is_empty());
        let halves = hints.0.lock().unwrap();
        assert!(halves.young.len() <= MOST && halves.old.len() <= MOST);
    }
}
