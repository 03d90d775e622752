//! Keys that were read recently, as bits of their hashes: two keys may share one, so that a key may count as read that was not.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many words of 64 bits each half has.
const WORDS: usize = 1 << 15;
/// After so many keys, the younger half becomes the older one, which is cleared.
const MOST: usize = 1 << 18;

/// The keys that were read recently.
pub struct Seen {
    halves: [Box<[AtomicU64]>; 2],
    /// How many keys were added to the younger half, and which of the halves that is.
    added: AtomicUsize,
    young: AtomicUsize,
}

impl Default for Seen {
    fn default() -> Self {
        let half = || (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        Self { halves: [half(), half()], added: AtomicUsize::new(0), young: AtomicUsize::new(0) }
    }
}

/// The word of a key with this hash, and its two bits.
fn position(hash: u64) -> (usize, u64) {
    (hash as usize % WORDS, 1 << (hash >> 58) | 1 << (hash >> 52 & 63))
}

impl Seen {
    /// Whether a key with this hash was added.
    pub fn has(&self, hash: u64) -> bool {
        let (word, bits) = position(hash);
        self.halves.iter().any(|half| half[word].load(Ordering::Relaxed) & bits == bits)
    }

    /// Adds a key with this hash.
    pub fn add(&self, hash: u64) {
        let (word, bits) = position(hash);
        let young = self.young.load(Ordering::Relaxed) & 1;
        let before = self.halves[young][word].fetch_or(bits, Ordering::Relaxed);
        if before & bits != bits && self.added.fetch_add(1, Ordering::Relaxed) + 1 == MOST {
            self.turn(young);
        }
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
        assert!(!seen.has(hash(0)));
        seen.add(hash(0));
        assert!(seen.has(hash(0)));
        (1..200_000).for_each(|number| seen.add(hash(number)));
        let others = (200_000..400_000).filter(|number| seen.has(hash(*number))).count();
        assert!(others < 20_000, "{others} of 200000 others count as read");
        assert!(seen.has(hash(1)), "recently");
        (1_000_000..2_000_000).for_each(|number| seen.add(hash(number)));
        let left = (1..10_000).filter(|number| seen.has(hash(*number))).count();
        assert!(left < 2_000, "{left} of 10000 are still there");
    }
}
