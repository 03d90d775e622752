//! Redis and Valkey, over connections of our own. This folder alone speaks to the network.

mod breaker;
mod command;
mod connection;
mod dial;
mod pool;
mod resp;
mod retry;
mod sentinel;
mod server;
mod source;
mod subscribe;
mod tls;
mod wire;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::time::Instant;

use super::{Events, Listener, Reply, Request, Role, Status, Topic, Topology, plan::Plan};
use crate::{
    error::{Error, Result},
    settings::{self, Address, Settings},
};
use dial::{Dialler, Place};
use sentinel::{Sentinels, Watch};
use server::Server;
use source::Source;
use subscribe::Subscriber;

/// A server, and whatever reaches it.
pub struct Engine {
    server: Arc<Server>,
    /// Listens to sentinels, where there are any.
    watch: Option<Watch>,
    subscriber: Subscriber,
    /// How many bytes a value has that is read here, lately.
    usual: AtomicUsize,
}

impl Engine {
    /// Nothing is dialled before the first call.
    pub fn new(settings: &Settings, events: Arc<Events>) -> Result<Self> {
        let settings = Arc::new(settings.clone());
        let dialler = Arc::new(Dialler::new(settings.clone())?);
        let mut watch = None;
        let source = match &settings.server {
            settings::Server::Tcp { host, port } => {
                Source::Fixed(Place::Tcp(Address { host: host.clone(), port: *port }))
            }
            settings::Server::Unix(path) => Source::Fixed(Place::Unix(path.clone())),
            settings::Server::Sentinel { .. } => {
                let sentinels = Arc::new(Sentinels::new(settings.clone(), events.clone())?);
                watch = Some(Watch::new(sentinels.clone(), dialler.clone()));
                Source::Named(sentinels)
            }
            _ => return Err(Error::settings("Cluster is not there yet")),
        };
        Ok(Self {
            subscriber: Subscriber::new(settings.clone(), dialler.clone(), source.clone()),
            server: Server::new(settings, dialler, source, events),
            watch,
            usual: AtomicUsize::new(0),
        })
    }

    /// Runs a round: one reply a request, in order.
    pub async fn execute(&self, batch: Vec<Request>, deadline: Instant) -> Vec<Result<Reply>> {
        let usual = self.usual.load(Ordering::Relaxed);
        self.watch();
        let plan = Plan::new(batch, usual);
        let replies = self.server.run(&plan.wire, deadline).await;
        if let Some(bytes) = plan.value_bytes(&replies) {
            // Half the old and half the new: a few rounds after the values change, the groups fit them.
            self.usual.store(usual.midpoint(bytes), Ordering::Relaxed);
        }
        plan.scatter(replies)
    }

    /// Dials if need be, and waits until a connection stands.
    pub async fn connect(&self) -> Result<()> {
        self.watch();
        self.server.connected().await
    }

    /// Listens for fail-overs from the first call on.
    fn watch(&self) {
        if let Some(watch) = &self.watch {
            watch.start(self.server.pool());
        }
    }

    /// Whether a connection stands now.
    pub fn is_connected(&self) -> bool {
        self.server.is_connected()
    }

    /// How it is.
    pub fn status(&self) -> Status {
        let mut server = self.server.status();
        let mut topology = Topology::Single;
        if let Some(watch) = &self.watch {
            topology = Topology::Sentinel;
            if let Some(place) = watch.primary() {
                server.target = place.to_string();
                server.role = Role::Primary;
            }
        }
        Status {
            topology,
            connected: server.connected,
            last_error: self.server.pool().last_error(),
            reconnects: self.server.pool().reconnects(),
            servers: vec![server],
        }
    }

    /// Delivers what is published from the moment this answers.
    pub async fn subscribe(&self, topic: Topic, listener: Listener) -> Result<u64> {
        self.subscriber.subscribe(topic, listener).await
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, id: u64) {
        self.subscriber.unsubscribe(id);
    }

    /// Lets go of the server.
    pub fn close(&self) {
        if let Some(watch) = &self.watch {
            watch.close();
        }
        self.server.pool().close();
        self.subscriber.close();
    }
}
