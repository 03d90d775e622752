//! Everything a command may touch.

use super::clock::Clock;
use super::hub::Hub;
use super::space::Keyspace;

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
}
