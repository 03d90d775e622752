//! What became of a connection so far: for a status, and for those who want to hear of changes.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use crate::{
    error::Error,
    store::{Event, EventKind, Events},
};

/// What a status shows of the past, and who is told of changes.
pub struct Past {
    events: Arc<Events>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    last_error: Option<(Error, SystemTime)>,
    reconnects: u64,
    /// Whether the connection has been lost, or could not be made, since it last stood.
    away: bool,
}

impl Past {
    pub fn new(events: Arc<Events>) -> Self {
        Self { events, seen: Mutex::default() }
    }

    /// The last thing that went wrong, and how often a connection was made after one had been lost.
    pub fn told(&self) -> (Option<(Error, SystemTime)>, u64) {
        let seen = self.lock();
        (seen.last_error.clone(), seen.reconnects)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn made(&self, target: &str) {
        let back = {
            let mut seen = self.lock();
            let back = std::mem::take(&mut seen.away);
            seen.reconnects += u64::from(back);
            back
        };
        if back {
            self.events.emit(&Event::new(EventKind::Connected, target, format!("connected to {target} again")));
        }
    }

    pub fn failed(&self, target: &str, what: EventKind, error: Error) {
        let text = error.message().to_owned();
        let first = {
            let mut seen = self.lock();
            seen.last_error = Some((error, SystemTime::now()));
            !std::mem::replace(&mut seen.away, true)
        };
        if first {
            self.events.emit(&Event::new(what, target, text));
        }
    }
}
