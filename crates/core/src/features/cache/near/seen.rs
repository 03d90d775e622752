//! Keys that were read recently, as bits of their hashes: two keys may share one, so that a key may count as read that was not.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many bits each half has.
const BITS: usize = 1 << 20;
/// After so many keys, the younger half becomes the older one, which is cleared.
const MOST: usize = BITS / 4;

/// The keys that were read recently.
pub struct Seen {
    halves: [Box<[AtomicU64]>; 2],
    /// How many keys were added to the younger half, and which of the halves that is.
    added: AtomicUsize,
    young: AtomicUsize,
}

impl Default for Seen {
    fn default() -> Self {
        let half = || (0..BITS / 64).map(|_| AtomicU64::new(0)).collect();
        Self { halves: [half(), half()], added: AtomicUsize::new(0), young: AtomicUsize::new(0) }
    }
}

impl Seen {
    /// Adds a key with this hash; returns whether it was there.
    pub fn add(&self, hash: u64) -> bool {
        let (word, bit) = ((hash as usize % BITS) / 64, 1 << (hash % 64));
        let young = self.young.load(Ordering::Relaxed) & 1;
        let [is_in_young, is_in_old] =
            [young, 1 - young].map(|half| self.halves[half][word].load(Ordering::Relaxed) & bit != 0);
        if !is_in_young {
            self.halves[young][word].fetch_or(bit, Ordering::Relaxed);
            if self.added.fetch_add(1, Ordering::Relaxed) + 1 == MOST {
                self.turn(young);
            }
        }
        is_in_young || is_in_old
    }

    fn turn(&self, young: usize) {
        for word in &self.halves[1 - young] {
            word.store(0, Ordering::Relaxed);
        }
        self.added.store(0, Ordering::Relaxed);
        self.young.store(1 - young, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use foldhash::fast::FixedState;

    use super::*;

    fn hash(number: u64) -> u64 {
        FixedState::default().hash_one(number)
    }

    #[test]
    fn a_key_is_there_until_many_others_were_added() {
        let seen = Seen::default();
        assert!(!seen.add(hash(0)));
        assert!(seen.add(hash(0)));
        let before = (1..200_000).filter(|number| seen.add(hash(*number))).count();
        assert!(before < 40_000, "{before} of 200000 others count as read");
        assert!(seen.add(hash(1)), "recently");
        for number in 1_000_000..2_000_000 {
            seen.add(hash(number));
        }
        let left = (1..10_000).filter(|number| seen.add(hash(*number))).count();
        assert!(left < 5_000, "{left} of 10000 are still there");
    }
}
