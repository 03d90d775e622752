//! Where state lives. Features speak Redis; an engine only answers.

mod batch;
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
pub use local_store::{LocalStore, local_store};
use permissions::DeniedPermissions;
pub use permissions::{Permission, Publication};
pub use registry::Registry;
pub use registry::store as shared;

/// An engine, and who wants to hear how it fares.
pub struct Store {
    engine: Engine,
    events: Arc<EventEmitter>,
    /// Whether it was said that the server drops keys.
    eviction_reported: AtomicBool,
    denied: DeniedPermissions,
}

/// One of two engines. Two is a fact, not an extension point.
pub enum Engine {
    /// A server, over the network.
    Redis(Box<redis::Engine>),
    /// The embedded engine.
    Memory(memory::Engine),
}

impl Store {
    /// The engine that these settings ask for. Nothing is dialled yet.
    pub fn new(settings: &Settings) -> Result<Self> {
        let events = Arc::<EventEmitter>::default();
        let engine = match settings.server {
            Server::Memory(_) => Engine::Memory(memory::Engine::new(settings.max_bytes)?),
            _ => Engine::Redis(Box::new(redis::Engine::new(settings, events.clone())?)),
        };
        Ok(Self { engine, events, eviction_reported: AtomicBool::new(false), denied: DeniedPermissions::default() })
    }

    /// A store over this engine.
    pub fn over(engine: Engine) -> Self {
        Self {
            engine,
            events: Arc::default(),
            eviction_reported: AtomicBool::new(false),
            denied: DeniedPermissions::default(),
        }
    }

    /// Changes of its state are told here.
    pub fn events(&self) -> &EventEmitter {
        &self.events
    }

    /// Tells its listeners, once, that its server drops keys that should stay, by this policy.
    pub fn report_eviction(&self, policy: &str) {
        if self.eviction_reported.swap(true, Ordering::Relaxed) {
            return;
        }
        let target = self.status().servers.first().map(|server| server.target.clone()).unwrap_or_default();
        let text = format!(
            "{target} drops keys when it is full (maxmemory-policy {policy}), jobs that wait among them: set it to noeviction"
        );
        self.events.emit(&Event::new(EventKind::Evicts, target, text));
    }

    /// Records whether its server denies this user to publish or to subscribe on a channel, and reports that once while it does.
    pub fn record_permission(&self, what: Permission, channel: impl FnOnce() -> Bytes, denied: bool) {
        if self.denied.set(what, channel, denied, std::time::Instant::now()) {
            let target = self.status().servers.first().map(|server| server.target.clone()).unwrap_or_default();
            let text = format!(
                "{target} does not let this user {}: jobs are looked for once a second, and nobody hears of anything at once; \
                 allow the channels, as by &queue:* and &room:*",
                what.verb()
            );
            self.events.emit(&Event::new(EventKind::Muted, target, text));
        }
    }

    /// A call that records what it published.
    pub fn recording_publication<T: Send + 'static>(self: &Arc<Self>, call: Call<(T, Option<Publication>)>) -> Call<T> {
        let store = self.clone();
        call.map(move |(answer, published)| {
            if let Some(Publication { channel, denied }) = published {
                store.record_permission(Permission::Publish, || channel, denied);
            }
            answer
        })
    }

    /// Runs a round of requests: one reply each, in order. Each is atomic, the round is not. What has no answer at the
    /// deadline gets an error then.
    pub async fn execute(&self, batch: Vec<Request>, deadline: Instant) -> Vec<Result<Reply>> {
        match &self.engine {
            Engine::Redis(engine) => engine.execute(batch, deadline).await,
            Engine::Memory(engine) => engine.execute(batch, deadline.into_std()).await,
        }
    }

    /// Waits until the engine can answer.
    pub async fn connect(&self) -> Result<()> {
        match &self.engine {
            Engine::Redis(engine) => engine.connect().await,
            Engine::Memory(_) => Ok(()),
        }
    }

    /// Whether the engine can answer now.
    pub fn is_connected(&self) -> bool {
        match &self.engine {
            Engine::Redis(engine) => engine.is_connected(),
            Engine::Memory(_) => true,
        }
    }

    /// How it is, without asking a server.
    pub fn status(&self) -> Status {
        let status = match &self.engine {
            Engine::Redis(engine) => engine.status(),
            Engine::Memory(_) => Status::idle(Topology::Memory),
        };
        Status { muted: self.denied.is_any(std::time::Instant::now()), ..status }
    }

    /// Delivers what is published to `topic` from the moment this answers; the number ends it.
    pub async fn subscribe(&self, topic: Topic, listener: MessageListener) -> Result<u64> {
        match &self.engine {
            Engine::Redis(engine) => engine.subscribe(topic, listener).await,
            Engine::Memory(engine) => Ok(engine.subscribe(topic, listener)),
        }
    }

    /// Frees some of what has expired in the embedded engine; answers whether there is such an engine.
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
    /// `E_UNSUPPORTED` on a server: nobody moves its clock.
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
