//! Events of an engine: one per change of state.

use std::{
    sync::{Arc, Weak},
    time::SystemTime,
};

use parking_lot::Mutex;

/// A change of state.
#[derive(Debug, Clone)]
pub struct Event {
    /// When it happened.
    pub at: SystemTime,
    /// The server: host and port, or `unix:` and the path of a socket.
    pub target: String,
    /// What happened.
    pub kind: EventKind,
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
    /// Slots have moved, or servers were added or removed.
    TopologyChanged,
    /// The server may evict keys that features rely on; emitted once.
    Evicts,
    /// The user lacks permission to publish or subscribe; emitted once until it is granted.
    Muted,
    /// A lock was lost while its operation was running.
    LockLost,
    /// A stored session does not decrypt; emitted once.
    Unreadable,
    /// A rate limiter cannot count at the store; emitted once per outage.
    LimitFallback,
    /// It can again.
    LimitRestored,
    /// A rate limiter refuses an identifier; emitted once per burst.
    LimitRefused,
    /// The server does not report changes, so that nothing is cached near; emitted once until it does.
    NearUnavailable,
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
            Self::Unreadable => "unreadable",
            Self::LimitFallback => "limit-fallback",
            Self::LimitRestored => "limit-restored",
            Self::LimitRefused => "limit-refused",
            Self::NearUnavailable => "near-unavailable",
        }
    }
}

impl Event {
    /// An event that happens now.
    pub fn new(kind: EventKind, target: impl Into<String>, text: impl Into<String>) -> Self {
        Self { at: SystemTime::now(), target: target.into(), kind, text: text.into() }
    }
}

/// Called with each event on the thread that emits it: it must neither block nor emit.
pub type EventListener = dyn Fn(&Event) + Send + Sync;

/// The event listeners of a store.
#[derive(Default)]
pub struct EventEmitter(Mutex<Vec<Weak<EventListener>>>);

impl EventEmitter {
    /// Calls `listener` with every event until it is dropped.
    pub fn add_listener(&self, listener: &Arc<EventListener>) {
        self.0.lock().push(Arc::downgrade(listener));
    }

    /// Calls all listeners.
    pub fn emit(&self, event: &Event) {
        let listeners: Vec<_> = {
            let mut all = self.0.lock();
            all.retain(|listener| listener.strong_count() > 0);
            all.iter().filter_map(Weak::upgrade).collect()
        };
        // Called outside the lock: a listener may drop the store.
        for listener in listeners {
            listener(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn dropped_listeners_are_removed() {
        let events = EventEmitter::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let listener = || -> Arc<EventListener> {
            let calls = calls.clone();
            Arc::new(move |_| {
                calls.fetch_add(1, Ordering::Relaxed);
            })
        };
        let (retained, dropped) = (listener(), listener());
        events.add_listener(&retained);
        events.add_listener(&dropped);
        drop(dropped);
        events.emit(&Event::new(EventKind::Lost, "here", "text"));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!(events.0.lock().len(), 1);
    }
}
