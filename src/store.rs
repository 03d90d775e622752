//! Where state lives. Features speak Redis; an engine only answers.

mod call;
pub mod keys;
mod local;
pub mod memory;
mod plan;
mod pubsub;
pub mod redis;
mod registry;
mod reply;
mod run;
mod script;
mod status;

use std::time::Duration;

pub use call::{Args, Call, Keys, Merge, Read, Replies, Request, Step, Verb};
pub use local::{Local, local};
pub use pubsub::{Listener, Message, Topic};
pub use registry::store as shared;
pub use reply::Reply;
pub(crate) use run::panicked;
pub use script::Script;
pub(crate) use script::script;
pub use status::{BreakerState, BreakerStatus, PoolStatus, ServerStatus, Status, Topology};

use crate::{
    error::{Error, Kind, Result},
    runtime,
    settings::{Server, Settings},
};

/// One of two engines. Two is a fact, not an extension point.
pub enum Store {
    /// A server, over the network.
    Redis(Box<redis::Engine>),
    /// The embedded engine.
    Memory(memory::Engine),
}

impl Store {
    /// The engine that these settings ask for. Nothing is dialled yet.
    pub fn new(settings: &Settings) -> Result<Self> {
        Ok(match settings.server {
            Server::Memory(_) => Self::Memory(memory::Engine::new(settings.max_bytes)?),
            _ => Self::Redis(Box::new(redis::Engine::new(settings)?)),
        })
    }

    /// Runs a round of requests: one reply each, in order. Each is atomic, the round is not.
    pub async fn execute(&self, batch: Vec<Request>) -> Vec<Result<Reply>> {
        match self {
            Self::Redis(engine) => engine.execute(batch).await,
            Self::Memory(engine) => engine.execute(&batch),
        }
    }

    /// Waits until the engine can answer.
    pub async fn connect(&self) -> Result<()> {
        match self {
            Self::Redis(engine) => engine.connect().await,
            Self::Memory(_) => Ok(()),
        }
    }

    /// Whether the engine can answer now.
    pub fn is_connected(&self) -> bool {
        match self {
            Self::Redis(engine) => engine.is_connected(),
            Self::Memory(_) => true,
        }
    }

    /// Delivers what is published to `topic` from the moment this answers; the number ends it.
    pub async fn subscribe(&self, topic: Topic, listener: Listener) -> Result<u64> {
        match self {
            Self::Redis(engine) => engine.subscribe(topic, listener).await,
            Self::Memory(engine) => Ok(engine.subscribe(topic, listener)),
        }
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, id: u64) {
        match self {
            Self::Redis(engine) => engine.unsubscribe(id),
            Self::Memory(engine) => engine.unsubscribe(id),
        }
    }

    /// Moves the clock of the embedded engine, for tests of expiry.
    ///
    /// # Errors
    /// `E_UNSUPPORTED` on a server: nobody moves its clock.
    pub fn advance(&self, by: Duration) -> Result<()> {
        match self {
            Self::Redis(_) => Err(Error::new(Kind::Unsupported, "time can be moved on the embedded engine only")),
            Self::Memory(engine) => {
                engine.advance(by);
                Ok(())
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let (Self::Redis(engine), Ok(runtime)) = (&*self, runtime::get()) {
            let _inside = runtime.enter();
            engine.close();
        }
    }
}
