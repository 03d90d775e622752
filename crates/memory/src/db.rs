//! Everything a command may touch.

use bytes::Bytes;
use smallvec::SmallVec;

use super::answer::Fault;
use super::clock::Clock;
use super::pubsub::Hub;
use super::space::Keyspace;
use super::table::{Does, Spec};
use super::value::{NEW_KEY, PER_ELEMENT};

/// Keys, listeners and time.
pub struct Db {
    pub space: Keyspace,
    pub hub: Hub,
    pub clock: Clock,
    /// Commands and scripts run so far.
    pub processed: u64,
}

impl Db {
    pub fn new(max_bytes: usize) -> Self {
        Self { space: Keyspace::new(max_bytes), hub: Hub::default(), clock: Clock::new(), processed: 0 }
    }

    /// Starts a command or a script: time stands still within it.
    pub fn begin(&mut self) {
        self.processed += 1;
        self.space.begin(self.clock.micros());
    }

    /// Makes room for what a command may add, by dropping other keys that would end anyway.
    pub fn make_room(&mut self, spec: &Spec, args: &[Bytes]) -> Result<(), Fault> {
        match spec.does {
            Does::Read => return Ok(()),
            Does::Remove => {
                self.space.has_written = true;
                return Ok(());
            }
            Does::Add | Does::Replace => {}
        }
        let mut keys: SmallVec<[&Bytes; 1]> = spec.keys(args).collect();
        keys.sort_unstable();
        keys.dedup();
        let own: usize = keys.into_iter().map(|key| self.space.touch(key)).sum();
        // What each argument can cost at most once it lies in a collection.
        let added = args.iter().map(|arg| arg.len() + PER_ELEMENT).sum::<usize>() + NEW_KEY;
        let freed = if matches!(spec.does, Does::Replace) { own } else { 0 };
        self.space.make_room(added, own, freed)?;
        self.space.has_written = true;
        Ok(())
    }
}
