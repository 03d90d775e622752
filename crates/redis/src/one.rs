//! A single server, or the primary named by sentinels.

mod clustered;
mod mode;

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use cinnabar_port::{EventEmitter, Merge, Request, Role, Status, Topology, error::Result};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Deliver, Delivery,
    dial::Dialler,
    key_order::{KeyOrder, LAST_GROUP},
    pool::Pool,
    sentinel::Watch,
    server::Server,
    source::Source,
};
use mode::Mode;

use crate::{plan::Plan, settings::Settings};

/// An engine with one server at a time.
pub struct One {
    server: Arc<Server>,
    key_order: Arc<KeyOrder>,
    /// Follows the sentinels, if there are any.
    watch: Option<Watch>,
    settings: Arc<Settings>,
    /// The recent average size of the values read, in bytes.
    value_bytes: AtomicUsize,
    mode: Mode,
}

impl One {
    /// Creates an engine. It connects at the first call.
    pub fn new(settings: Arc<Settings>, dialler: Arc<Dialler>, source: Source, events: Arc<EventEmitter>) -> Self {
        let watch = match &source {
            Source::Named(sentinels) => Some(Watch::new(sentinels.clone(), dialler.clone())),
            _ => None,
        };
        let key_order = KeyOrder::new();
        let server = Server::new(settings.clone(), dialler, source, events, key_order.clone());
        Self { server, key_order, watch, settings, value_bytes: AtomicUsize::new(0), mode: Mode::default() }
    }

    /// Runs a round. Requests beyond the queue limits are rejected before they are merged into larger commands.
    pub async fn execute(&self, batch: Vec<Request>, deadline: Instant, deliver: Deliver<'_>) {
        self.watch();
        if self.mode.admits(&batch) {
            return self.execute_now(batch, deadline, deliver).await;
        }
        // Boxed because it is rare and would enlarge the future of every call.
        let boxed: Pin<Box<dyn Future<Output = ()> + Send + '_>> =
            Box::pin(self.execute_in_turn(batch, deadline, deliver));
        boxed.await;
    }

    async fn execute_now(&self, mut batch: Vec<Request>, deadline: Instant, deliver: Deliver<'_>) {
        let fit = self.server.fitting(&batch);
        if fit.count == batch.len() {
            return self.execute_fitting(batch, deadline, deliver).await;
        }
        let full = fit.full(&self.settings);
        let refused = (fit.count..batch.len()).map(|at| (at, Err(full.clone()))).collect();
        batch.truncate(fit.count);
        if !batch.is_empty() {
            self.execute_fitting(batch, deadline, &mut |delivery| deliver(Delivery::Some(delivery.into_some()))).await;
        }
        deliver(Delivery::Some(refused));
    }

    /// Requests that would have to wait for other calls are run separately.
    async fn execute_fitting(&self, batch: Vec<Request>, deadline: Instant, deliver: Deliver<'_>) {
        match self.server.parted(batch.iter().map(|request| self.key_order.keys(request))) {
            None => self.run(batch, deadline, deliver).await,
            Some(groups) => self.execute_parted(batch, &groups, deadline, deliver).await,
        }
    }

    /// Runs requests that can be sent together.
    async fn run(&self, batch: Vec<Request>, deadline: Instant, deliver: Deliver<'_>) {
        if self.mode.is_clustered() {
            return deliver(Delivery::All(self.run_cut(batch, deadline).await));
        }
        let value_bytes = self.value_bytes.load(Ordering::Relaxed);
        let plan = Plan::new(batch, value_bytes);
        let mut part = |replies| deliver(plan.scatter(clustered::all_explained(replies)));
        let mut replies = self.server.run(&plan.commands, deadline, &mut part).await;
        if replies.iter_mut().any(|(_, reply)| clustered::is_divided(reply)) {
            self.mode.note_clustered();
            self.cut_up(&plan, &mut replies, deadline).await;
        }
        let mut replies = clustered::all_explained(replies);
        if let Some(bytes) = plan.value_bytes(&mut replies) {
            // A moving average, which adapts within a few rounds.
            self.value_bytes.store(value_bytes.midpoint(bytes), Ordering::Relaxed);
        }
        deliver(plan.scatter(replies));
    }

    async fn execute_parted(&self, batch: Vec<Request>, groups: &[usize], deadline: Instant, deliver: Deliver<'_>) {
        let mut parts: BTreeMap<usize, (Vec<usize>, Vec<Request>)> = BTreeMap::new();
        for (at, (mut request, group)) in batch.into_iter().zip(groups).enumerate() {
            if *group == LAST_GROUP {
                // Not merged, so that no other request has to wait for the same call.
                request.merge = Merge::No;
            }
            let (positions, requests) = parts.entry(*group).or_default();
            positions.push(at);
            requests.push(request);
        }
        let deliver = Mutex::new(deliver);
        let mut running = FuturesUnordered::new();
        for (positions, requests) in parts.into_values() {
            let deliver = &deliver;
            running.push(
                async move {
                    let mut there = |delivery: Delivery| {
                        let replies = delivery.into_some().into_iter();
                        let replies = replies.filter_map(|(at, reply)| Some((*positions.get(at)?, reply))).collect();
                        let mut deliver = deliver.lock();
                        deliver(Delivery::Some(replies));
                    };
                    self.run(requests, deadline, &mut there).await;
                }
                .boxed(),
            );
        }
        while running.next().await.is_some() {}
    }

    pub async fn connect(&self) -> Result<()> {
        self.watch();
        self.server.connected().await
    }

    /// Starts following fail-overs at the first call.
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
            if let Some(endpoint) = watch.primary() {
                server.target = endpoint.to_string();
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

    /// The connections to the server.
    pub fn pool(&self) -> &Pool {
        self.server.pool()
    }

    pub fn close(&self) {
        if let Some(watch) = &self.watch {
            watch.close();
        }
        self.server.pool().close();
    }
}
