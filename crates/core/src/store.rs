//! An engine with its subscriptions, as features see it. Features speak Redis; an engine only executes.

mod batch;
mod key_watch;
mod local_store;
mod permissions;
mod registry;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cinnabar_memory as memory;
use cinnabar_port::{
    Call, Event, EventEmitter, EventKind, MessageListener, Reply, Request, Status, Topic, Topology,
    error::{Error, Kind, Result},
    runtime,
};
use cinnabar_redis::{
    self as redis,
    settings::{Server, Settings},
};
use tokio::time::Instant;

pub use batch::panicked;
pub use key_watch::KeyWatch;
pub use local_store::{LocalStore, local_store};
use permissions::DeniedPermissions;
pub use permissions::{Permission, Publication};
pub use registry::Registry;
pub use registry::store as shared;

/// An engine with its event listeners.
pub struct Store {
    engine: Engine,
    events: Arc<EventEmitter>,
    /// Whether `report_eviction` was called before.
    eviction_reported: AtomicBool,
    /// Whether `report_unreadable` was called before.
    unreadable_reported: AtomicBool,
    denied: DeniedPermissions,
}

/// One of the two engines. This is deliberately not an extension point.
pub enum Engine {
    /// A server, over the network.
    Redis(Box<redis::Engine>),
    /// The embedded engine.
    Memory(memory::Engine),
}

impl Store {
    /// Creates a store for these settings. It does not connect yet.
    pub fn new(settings: &Settings) -> Result<Self> {
        let events = Arc::<EventEmitter>::default();
        let engine = match settings.server {
            Server::Memory(_) => Engine::Memory(memory::Engine::new(settings.max_bytes)?),
            _ => Engine::Redis(Box::new(redis::Engine::new(settings, events.clone())?)),
        };
        Ok(Self {
            engine,
            events,
            eviction_reported: AtomicBool::new(false),
            unreadable_reported: AtomicBool::new(false),
            denied: DeniedPermissions::default(),
        })
    }

    /// Creates a store over an engine.
    pub fn over(engine: Engine) -> Self {
        Self {
            engine,
            events: Arc::default(),
            eviction_reported: AtomicBool::new(false),
            unreadable_reported: AtomicBool::new(false),
            denied: DeniedPermissions::default(),
        }
    }

    /// The emitter of state changes.
    pub fn events(&self) -> &EventEmitter {
        &self.events
    }

    /// Notifies the listeners, once, that the server may evict keys without a ttl under this policy.
    pub fn report_eviction(&self, policy: &str) {
        if self.eviction_reported.swap(true, Ordering::Relaxed) {
            return;
        }
        let target = self.status().servers.first().map(|server| server.target.clone()).unwrap_or_default();
        let text = format!(
            "{target} evicts keys when it is full (maxmemory-policy {policy}), pending jobs among them: set it to noeviction"
        );
        self.events.emit(&Event::new(EventKind::Evicts, target, text));
    }

    /// Notifies the listeners, once, that a session does not decrypt.
    pub fn report_unreadable(&self) {
        if self.unreadable_reported.swap(true, Ordering::Relaxed) {
            return;
        }
        let target = self.status().servers.first().map(|server| server.target.clone()).unwrap_or_default();
        let text = "a stored session is not accepted: its value was changed or moved, its key is not in encryption.keys, or it is not \
                    encrypted (stats().errors counts them)";
        self.events.emit(&Event::new(EventKind::Unreadable, target, text));
    }

    /// Records whether its server denies this user to publish or to subscribe on a channel, and reports that once while it does.
    pub fn record_permission(&self, what: Permission, channel: impl FnOnce() -> Bytes, denied: bool) {
        if self.denied.set(what, channel, denied, std::time::Instant::now()) {
            let target = self.status().servers.first().map(|server| server.target.clone()).unwrap_or_default();
            let text = format!(
                "{target} does not let this user {}: workers poll for jobs once a second, and notifications are delayed; allow the \
                 channels, for example with &queue:*, &room:*, &session:* and &rate_limit:*",
                what.verb()
            );
            self.events.emit(&Event::new(EventKind::Muted, target, text));
        }
    }

    /// Wraps a call so that the outcome of what it published is recorded.
    pub fn recording_publication<T: Send + 'static>(self: &Arc<Self>, call: Call<(T, Option<Publication>)>) -> Call<T> {
        let store = self.clone();
        call.map(move |(result, published)| {
            if let Some(Publication { channel, denied }) = published {
                store.record_permission(Permission::Publish, || channel, denied);
            }
            result
        })
    }

    /// Runs a round of requests, and returns a reply for each, in order. Each request is atomic, the round is not. A request without a
    /// reply at the deadline gets an error.
    pub async fn execute(&self, batch: Vec<Request>, deadline: Instant) -> Vec<Result<Reply>> {
        match &self.engine {
            Engine::Redis(engine) => engine.execute(batch, deadline).await,
            Engine::Memory(engine) => engine.execute(batch, deadline.into_std()).await,
        }
    }

    /// Whether it is the embedded engine, whose clock tests can move.
    pub fn is_embedded(&self) -> bool {
        matches!(self.engine, Engine::Memory(_))
    }

    /// Waits until the engine is connected.
    pub async fn connect(&self) -> Result<()> {
        match &self.engine {
            Engine::Redis(engine) => engine.connect().await,
            Engine::Memory(_) => Ok(()),
        }
    }

    /// Whether the engine is connected.
    pub fn is_connected(&self) -> bool {
        match &self.engine {
            Engine::Redis(engine) => engine.is_connected(),
            Engine::Memory(_) => true,
        }
    }

    /// Returns the current status from local state. Sends nothing.
    pub fn status(&self) -> Status {
        let status = match &self.engine {
            Engine::Redis(engine) => engine.status(),
            Engine::Memory(_) => Status::idle(Topology::Memory),
        };
        Status { muted: self.denied.is_any(std::time::Instant::now()), ..status }
    }

    /// Delivers what is published to `topic` from the moment this returns. The returned number is for `unsubscribe`.
    pub async fn subscribe(&self, topic: Topic, listener: MessageListener) -> Result<u64> {
        match &self.engine {
            Engine::Redis(engine) => engine.subscribe(topic, listener).await,
            Engine::Memory(engine) => Ok(engine.subscribe(topic, listener)),
        }
    }

    /// Removes some expired keys of the embedded engine. Returns false if the engine is another one.
    pub fn sweep(&self) -> bool {
        match &self.engine {
            Engine::Redis(_) => false,
            Engine::Memory(engine) => {
                engine.sweep();
                true
            }
        }
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, id: u64) {
        match &self.engine {
            Engine::Redis(engine) => engine.unsubscribe(id),
            Engine::Memory(engine) => engine.unsubscribe(id),
        }
    }

    /// Moves the clock of the embedded engine, for tests of expiry.
    ///
    /// # Errors
    /// `E_UNSUPPORTED` on a server, whose clock cannot be moved.
    pub fn advance(&self, by: Duration) -> Result<()> {
        match &self.engine {
            Engine::Redis(_) => Err(Error::new(Kind::Unsupported, "time can be moved on the embedded engine only")),
            Engine::Memory(engine) => {
                engine.advance(by);
                Ok(())
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let (Engine::Redis(engine), Ok(runtime)) = (&self.engine, runtime::get()) {
            let _inside = runtime.enter();
            engine.close();
        }
    }
}
