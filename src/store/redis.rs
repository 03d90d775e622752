//! Redis and Valkey: the only code that names fred.

mod config;
mod node;
mod past;
mod reply;
mod subscribe;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::time::Instant;

use super::{
    BreakerStatus, Events, Listener, PoolStatus, Reply, Request, Role, ServerStatus, Status, Topic, Topology,
    plan::Plan,
};
use crate::{error::Result, settings::Settings};
use node::Node;
use subscribe::Subscriber;

/// One server, reached through connections of our own making.
pub struct Engine {
    node: Node,
    subscriber: Subscriber,
    /// How many bytes a value has that is read here, lately.
    usual: AtomicUsize,
}

impl Engine {
    /// Nothing is dialled before the first call. Changes of its state are told to `events`.
    pub fn new(settings: &Settings, events: Arc<Events>) -> Result<Self> {
        Ok(Self {
            node: Node::new(settings, events)?,
            subscriber: Subscriber::new(settings),
            usual: AtomicUsize::new(0),
        })
    }

    /// Runs a round: one reply a request, in order, by the deadline.
    pub async fn execute(&self, batch: Vec<Request>, deadline: Instant) -> Vec<Result<Reply>> {
        let usual = self.usual.load(Ordering::Relaxed);
        let plan = Plan::new(batch, usual);
        let replies = self.node.run(&plan.wire, deadline).await;
        if let Some(bytes) = plan.value_bytes(&replies) {
            // Half the old and half the new: a few rounds after the values change, the groups fit them.
            self.usual.store(usual.midpoint(bytes), Ordering::Relaxed);
        }
        plan.scatter(replies)
    }

    /// Dials if need be, and waits until a connection stands.
    pub async fn connect(&self) -> Result<()> {
        self.node.connected().await
    }

    /// Whether a connection stands now.
    pub fn is_connected(&self) -> bool {
        self.node.is_connected()
    }

    /// How it is, without asking the server.
    pub fn status(&self) -> Status {
        let connected = self.is_connected();
        let size = u32::from(connected);
        let server = ServerStatus {
            target: self.node.target(),
            role: Role::Unknown,
            connected,
            pool: PoolStatus { size, available: size, pending: 0 },
            breaker: BreakerStatus::default(),
        };
        let (last_error, reconnects) = self.node.past();
        Status { topology: Topology::Single, connected, last_error, reconnects, servers: vec![server] }
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
        self.node.close();
        self.subscriber.close();
    }
}
