//! Limits the memory in use, like `volatile-lru`: expired keys are removed first, then the least recently used of those with a
//! deadline. Keys without one are never evicted; writes are rejected instead.

use super::keyspace::Keyspace;
use super::resp_value::CommandError;

/// The most expired keys that one background sweep removes, because it holds the lock meanwhile.
pub const SWEEP: usize = 1000;

/// The number of keys sampled to find one that was not used recently. An exact order would cost every read a list update; ten come
/// close (Redis takes five).
const SAMPLE: usize = 10;

impl Keyspace {
    /// Makes room for `added` bytes by evicting keys other than those that the running command accesses. Those take `current` bytes,
    /// of which the command will free `freed`. Returns an error if evicting all other keys with a deadline would not suffice.
    ///
    /// As on a server, a script that has started to write is not stopped halfway, but it may exceed the limit by at most a quarter.
    pub fn make_room(&mut self, added: usize, current: usize, freed: usize) -> Result<(), CommandError> {
        let most = if self.has_written { self.max + self.max / 4 } else { self.max };
        if added + current - freed > most {
            return Err(CommandError::OUT_OF_MEMORY);
        }
        while self.used() + added - freed > self.max {
            if self.sweep(1) == 0 && !self.evict() {
                return if self.used() + added - freed > most { Err(CommandError::OUT_OF_MEMORY) } else { Ok(()) };
            }
        }
        Ok(())
    }

    /// Evicts a key with a deadline that was not used recently; returns false if there are only keys in use by the running command.
    ///
    /// Keys without a deadline must not be lost: a waiting job, for example.
    fn evict(&mut self) -> bool {
        let Some(i) = self.sample().or_else(|| self.first_to_expire()) else { return false };
        self.remove_at(i);
        self.counters.evicted += 1;
        true
    }

    /// Returns the least recently used key of a sample of those with a deadline.
    fn sample(&mut self) -> Option<usize> {
        let len = self.entries.len() as u64;
        let indices: [usize; SAMPLE] = std::array::from_fn(|at| {
            // If there are few, all are sampled.
            if len <= SAMPLE as u64 { at } else { (self.next_random() % len) as usize }
        });
        let evictable = indices.into_iter().filter_map(|i| Some((i, self.entries.get_index(i)?.1)));
        let evictable = evictable.filter(|(_, entry)| entry.deadline.is_some() && entry.used_at < self.tick);
        evictable.min_by_key(|(_, entry)| entry.used_at).map(|(i, _)| i)
    }

    /// Returns the key that expires soonest.
    fn first_to_expire(&self) -> Option<usize> {
        let mut expiring = self.deadlines.iter().filter_map(|(_, key)| self.entries.get_full(key));
        expiring.find(|(_, _, entry)| entry.used_at < self.tick).map(|(i, ..)| i)
    }

    /// xorshift64*, since the choice of samples need not be unpredictable.
    pub fn next_random(&mut self) -> u64 {
        let mut x = self.random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random = x;
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}
