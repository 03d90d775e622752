//! A server by itself, or whichever one sentinels call the primary.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::time::Instant;

use super::{dial::Dialler, sentinel::Watch, server::Server, source::Source};
use crate::{
    error::Result,
    settings::Settings,
    store::{Events, Reply, Request, Role, Status, Topology, plan::Plan},
};

/// One server at a time, and what is known of it.
pub struct One {
    server: Arc<Server>,
    /// Listens to sentinels, where there are any.
    watch: Option<Watch>,
    /// How many bytes a value has that is read here, lately.
    usual: AtomicUsize,
}

impl One {
    /// Dials nothing yet.
    pub fn new(settings: Arc<Settings>, dialler: Arc<Dialler>, source: Source, events: Arc<Events>) -> Self {
        let watch = match &source {
            Source::Named(sentinels) => Some(Watch::new(sentinels.clone(), dialler.clone())),
            _ => None,
        };
        Self { server: Server::new(settings, dialler, source, events), watch, usual: AtomicUsize::new(0) }
    }

    /// Runs a round: one reply a request, in order.
    pub async fn execute(&self, batch: Vec<Request>, deadline: Instant) -> Vec<Result<Reply>> {
        self.watch();
        let usual = self.usual.load(Ordering::Relaxed);
        let plan = Plan::new(batch, usual);
        let replies = self.server.run(&plan.wire, deadline).await;
        if let Some(bytes) = plan.value_bytes(&replies) {
            // Half the old and half the new: a few rounds after the values change, the groups fit them.
            self.usual.store(usual.midpoint(bytes), Ordering::Relaxed);
        }
        plan.scatter(replies)
    }

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

    pub fn is_connected(&self) -> bool {
        self.server.is_connected()
    }

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
            muted: false,
            topology,
            connected: server.connected,
            last_error: self.server.pool().last_error(),
            reconnects: self.server.pool().reconnects(),
            servers: vec![server],
        }
    }

    pub fn close(&self) {
        if let Some(watch) = &self.watch {
            watch.close();
        }
        self.server.pool().close();
    }
}
