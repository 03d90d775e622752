//! Which epochs the sessions of late named, so that a session and what it depends on are asked for in one round.
//!
//! A hint may be wrong or missing; the session itself says what it needs, and costs a second round then.

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

/// How many sessions each of both halves remembers; some 200 bytes each.
const MOST: usize = 16_384;

/// What was needed for which id.
#[derive(Debug, Default)]
pub struct Hints(Mutex<Halves>);

/// When the younger half is full it becomes the older one, whose place is free then.
#[derive(Debug, Default)]
struct Halves {
    young: HashMap<Bytes, Needed, RandomState>,
    old: HashMap<Bytes, Needed, RandomState>,
}

impl Hints {
    /// What this id needed last, nothing where nobody knows.
    pub fn of(&self, id: &Bytes) -> Needed {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(needed) = halves.young.get(id) {
            return needed.clone();
        }
        let Some(needed) = halves.old.remove(id) else { return Needed::new() };
        halves.remember(id, needed.clone());
        needed
    }

    /// Remembers what it needs.
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
        // Copied: an id may be a small part of a large buffer.
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
