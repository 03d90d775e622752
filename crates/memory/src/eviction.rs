//! Keeps memory within its bound: what is over goes first, then what would end anyway and was not used for longest. What has
//! no end stays, and writes are refused instead.

use super::answer::Fault;
use super::space::Keyspace;

/// How many dead keys one background sweep removes at most: it holds the lock meanwhile.
pub const SWEEP: usize = 1000;

/// Keys looked at to find an old one. Exact order would cost every read a list update; ten come close (Redis takes five).
const SAMPLE: usize = 10;

impl Keyspace {
    /// Makes room for `added` bytes by dropping other keys than those the running command touched. Those hold `own`
    /// bytes, of which it will give `freed` back. Refused when dropping all others that end would not be enough.
    ///
    /// As on a server, a script that has begun to write is not stopped half-way; only, it may go over by no more than a quarter.
    pub fn make_room(&mut self, added: usize, own: usize, freed: usize) -> Result<(), Fault> {
        let most = if self.has_written { self.max + self.max / 4 } else { self.max };
        if added + own - freed > most {
            return Err(Fault::OUT_OF_MEMORY);
        }
        while self.used() + added - freed > self.max {
            if self.sweep(1) == 0 && !self.evict() {
                return if self.used() + added - freed > most { Err(Fault::OUT_OF_MEMORY) } else { Ok(()) };
            }
        }
        Ok(())
    }

    /// Drops a key that would end anyway and was not used for long; false when there is none but those in use now.
    ///
    /// One that has no end is what nobody expects to lose, such as a job that waits.
    fn evict(&mut self) -> bool {
        let Some(i) = self.sample().or_else(|| self.first_to_end()) else { return false };
        self.remove_at(i);
        self.counters.evicted += 1;
        true
    }

    /// The one that was used least recently, of some that end.
    fn sample(&mut self) -> Option<usize> {
        let len = self.entries.len() as u64;
        let places: [usize; SAMPLE] = std::array::from_fn(|at| {
            // Of few, each is looked at.
            if len <= SAMPLE as u64 { at } else { (self.next_random() % len) as usize }
        });
        let droppable = places.into_iter().filter_map(|i| Some((i, self.entries.get_index(i)?.1)));
        let droppable = droppable.filter(|(_, entry)| entry.deadline.is_some() && entry.used_at < self.tick);
        droppable.min_by_key(|(_, entry)| entry.used_at).map(|(i, _)| i)
    }

    /// The key that ends soonest.
    fn first_to_end(&self) -> Option<usize> {
        let mut ending = self.deadlines.iter().filter_map(|(_, key)| self.entries.get_full(key));
        ending.find(|(_, _, entry)| entry.used_at < self.tick).map(|(i, ..)| i)
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
