//! Events of an engine: one per change of state.

use std::{
    sync::{Arc, Weak},
    time::SystemTime,
};

use parking_lot::Mutex;

/// A change of state.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// The server: host and port, or `unix:` and the path of a socket.
    pub target: String,
    /// What happened.
    pub what: EventKind,
    /// A description for the log, without secrets.
    pub text: String,
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// Connected again after `Lost` or `Down`.
    Connected,
    /// A connection ended unexpectedly.
    Lost,
    /// The server is unreachable; emitted once per outage.
    Down,
    /// The breaker rejects calls.
    BreakerOpen,
    /// The breaker allows a probe.
    BreakerHalfOpen,
    /// Calls are allowed again.
    BreakerClosed,
    /// Another server is the primary now.
    Failover,
    /// Slots have moved, or servers have come or gone.
    TopologyChanged,
    /// The server may evict keys that must be kept; emitted once.
    Evicts,
    /// The user lacks permission to publish or subscribe; emitted once until it is granted.
    Muted,
    /// A lock was lost while its operation was running.
    LockLost,
}

impl EventKind {
    /// Its name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Lost => "lost",
            Self::Down => "down",
            Self::BreakerOpen => "breaker-open",
            Self::BreakerHalfOpen => "breaker-half-open",
            Self::BreakerClosed => "breaker-closed",
            Self::Failover => "failover",
            Self::TopologyChanged => "topology-changed",
            Self::Evicts => "evicts",
            Self::Muted => "muted",
            Self::LockLost => "lock-lost",
        }
    }
}

impl Event {
    /// An event that happens now.
    pub fn new(what: EventKind, target: impl Into<String>, text: impl Into<String>) -> Self {
        Self { at: SystemTime::now(), target: target.into(), what, text: text.into() }
    }
}

/// Called with each event on the thread that emits it: it must neither block nor emit.
pub type Watcher = dyn Fn(&Event) + Send + Sync;

/// The listeners of a store.
#[derive(Default)]
pub struct Events(Mutex<Vec<Weak<Watcher>>>);

impl Events {
    /// Notifies `watcher` of every event until it is dropped.
    pub fn watch(&self, watcher: &Arc<Watcher>) {
        self.0.lock().push(Arc::downgrade(watcher));
    }

    /// Notifies all watchers.
    pub fn emit(&self, event: &Event) {
        let watchers: Vec<_> = {
            let mut all = self.0.lock();
            all.retain(|watcher| watcher.strong_count() > 0);
            all.iter().filter_map(Weak::upgrade).collect()
        };
        // Called outside the lock: a watcher may drop the store.
        for watcher in watchers {
            watcher(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn who_has_let_go_hears_nothing() {
        let events = Events::default();
        let heard = Arc::new(AtomicUsize::new(0));
        let watcher = || -> Arc<Watcher> {
            let heard = heard.clone();
            Arc::new(move |_| {
                heard.fetch_add(1, Ordering::Relaxed);
            })
        };
        let (stays, goes) = (watcher(), watcher());
        events.watch(&stays);
        events.watch(&goes);
        drop(goes);
        events.emit(&Event::new(EventKind::Lost, "here", "text"));
        assert_eq!(heard.load(Ordering::Relaxed), 1);
        assert_eq!(events.0.lock().len(), 1, "what is gone is forgotten");
    }
}
