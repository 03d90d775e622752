//! A server by itself, or whichever one sentinels call the primary.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::time::Instant;

use super::{
    dial::Dialler,
    sentinel::Watch,
    server::{self, Server},
    source::Source,
};
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
    settings: Arc<Settings>,
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
        let server = Server::new(settings.clone(), dialler, source, events);
        Self { server, watch, settings, usual: AtomicUsize::new(0) }
    }

    /// Runs a round: one reply a request, in order.
    pub async fn execute(&self, mut batch: Vec<Request>, deadline: Instant) -> Vec<Result<Reply>> {
        self.watch();
        let (fit, bytes) = fitting(&batch, &self.settings);
        let over = batch.split_off(fit).len();
        let usual = self.usual.load(Ordering::Relaxed);
        let plan = Plan::new(batch, usual);
        let replies = self.server.run(&plan.wire, deadline).await;
        if let Some(bytes) = plan.value_bytes(&replies) {
            // Half the old and half the new: a few rounds after the values change, the groups fit them.
            self.usual.store(usual.midpoint(bytes), Ordering::Relaxed);
        }
        let mut replies = plan.scatter(replies);
        replies.extend((0..over).map(|_| Err(server::full(fit, bytes, &self.settings))));
        replies
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

/// How many of a batch may be under way together, one at least, and how many bytes they have: those that are over are refused
/// before they become parts of larger commands.
fn fitting(batch: &[Request], settings: &Settings) -> (usize, usize) {
    let mut bytes = 0;
    for (at, request) in batch.iter().enumerate() {
        let more = request.args.iter().map(|arg| arg.len()).sum::<usize>();
        if at > 0 && (at >= settings.max_queued_calls || bytes + more > settings.max_queued_bytes) {
            return (at, bytes);
        }
        bytes += more;
    }
    (batch.len(), bytes)
}
