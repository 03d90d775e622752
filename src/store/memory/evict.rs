//! Keeps memory within its bound: what is over goes first, then what would end anyway, then what was not used for longest.

use super::answer::Fault;
use super::space::Keyspace;

/// How many dead keys one background sweep removes at most: it holds the lock meanwhile.
pub const SWEEP: usize = 1000;

/// Keys looked at to find an old one. Exact order would cost every read a list update; ten come close (Redis takes five).
const SAMPLE: usize = 10;

impl Keyspace {
    /// Makes room for `added` bytes by dropping other keys than those the running command touched. Those hold `own`
    /// bytes, of which it will give `freed` back. Refused when dropping all others would not be enough.
    pub fn make_room(&mut self, added: usize, own: usize, freed: usize) -> Result<(), Fault> {
        if added + own - freed > self.max {
            return Err(Fault::OUT_OF_MEMORY);
        }
        while self.used() + added - freed > self.max {
            if self.sweep(1) == 0 && !self.evict() {
                return Err(Fault::OUT_OF_MEMORY);
            }
        }
        Ok(())
    }

    /// Drops a key that was not used for long; false when there is none but those in use now.
    ///
    /// One that has no end is what nobody expects to lose, such as a job that waits: it is dropped only where no other can be.
    fn evict(&mut self) -> bool {
        let sampled = self.sample();
        let ends = |i: &usize| self.entries.get_index(*i).is_some_and(|(_, entry)| entry.deadline.is_some());
        let found = sampled.filter(ends).or_else(|| self.first_to_end()).or(sampled).or_else(|| self.any_unused());
        let Some(i) = found else { return false };
        self.remove_at(i);
        self.counters.evicted += 1;
        true
    }

    fn sample(&mut self) -> Option<usize> {
        let len = self.entries.len();
        if len <= SAMPLE {
            return None;
        }
        let tick = self.tick;
        let places: [usize; SAMPLE] = std::array::from_fn(|_| (self.next_random() % len as u64) as usize);
        let rank = |i: &usize| {
            self.entries.get_index(*i).map_or((true, tick), |(_, entry)| (entry.deadline.is_none(), entry.used_at))
        };
        places.into_iter().filter(|i| rank(i).1 < tick).min_by_key(rank)
    }

    /// The key that ends soonest.
    fn first_to_end(&self) -> Option<usize> {
        let mut ending = self.deadlines.iter().filter_map(|(_, key)| self.entries.get_full(key));
        ending.find(|(_, _, entry)| entry.used_at < self.tick).map(|(i, ..)| i)
    }

    fn any_unused(&self) -> Option<usize> {
        let all = self.entries.values().enumerate().filter(|(_, entry)| entry.used_at < self.tick);
        all.min_by_key(|(_, entry)| entry.used_at).map(|(i, _)| i)
    }

    /// xorshift64*: which keys are sampled is no secret.
    pub fn next_random(&mut self) -> u64 {
        let mut x = self.random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random = x;
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}
