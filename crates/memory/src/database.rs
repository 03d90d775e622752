//! The data that commands work on.

use super::clock::Clock;
use super::keyspace::Keyspace;
use super::subscriptions::Subscriptions;

/// Keys, subscriptions and time.
pub struct Database {
    pub keyspace: Keyspace,
    pub subscriptions: Subscriptions,
    pub clock: Clock,
    /// The number of commands and scripts executed so far.
    pub processed: u64,
}

impl Database {
    pub fn new(max_bytes: usize) -> Self {
        Self {
            keyspace: Keyspace::new(max_bytes),
            subscriptions: Subscriptions::default(),
            clock: Clock::new(),
            processed: 0,
        }
    }

    /// Starts a command or a script, within which the time does not change.
    pub fn begin(&mut self) {
        self.processed += 1;
        self.keyspace.begin(self.clock.micros());
    }
}
