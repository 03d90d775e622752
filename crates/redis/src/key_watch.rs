//! Watches keys: every primary pushes the names of the keys that change (`CLIENT TRACKING`), each over a connection of its own.
//!
//! A PING shows how far the pushes of a connection go: what was acknowledged before it was sent has been pushed before its reply. If a
//! connection is lost, or the servers have changed, nothing is known until all of them are watched again.

mod connection;
mod coverage;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_port::KeyListener;
use futures_util::future::join_all;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use self::{
    connection::{PushConnection, Requests},
    coverage::Coverage,
};
use crate::{
    backoff, cluster::Cluster, dial::Dialler, endpoint::Endpoint, pool::Pool, settings::Settings, slot::slot_of,
    source::Source,
};

/// How long the calls in flight on the former connections may still return what the former server said.
const SETTLE: Duration = Duration::from_secs(1);

/// Watches the keys with one prefix until it is dropped.
pub struct KeyWatch(mpsc::UnboundedSender<Confirmation>);

/// Receives a message once all earlier changes have been reported. It is dropped if that cannot be said.
type Confirmation = oneshot::Sender<()>;

impl KeyWatch {
    /// Waits until every change is reported that was acknowledged before this call. Returns false if that cannot be said.
    pub async fn confirm(&self) -> bool {
        let (done, confirmed) = oneshot::channel();
        self.0.send(done).is_ok() && confirmed.await.is_ok()
    }
}

/// The servers of an engine.
#[derive(Clone)]
pub enum Servers {
    One(Source, Pool),
    Cluster(Arc<Cluster>),
}

/// One server to watch, and the command that shows how far its pushes go.
struct Target {
    source: Source,
    probe: Vec<Bytes>,
}

impl Target {
    /// Whether a server without permission for the probe may count as watched.
    fn allows_denial(&self) -> bool {
        self.probe == [Bytes::from_static(b"PING")]
    }
}

impl Servers {
    /// Changes whenever calls may go to other servers than before.
    fn version(&self) -> (u64, u64) {
        match self {
            // A host name may lead to another server now.
            Self::One(_, pool) => (0, pool.reconnects()),
            Self::Cluster(cluster) => (cluster.nodes().0, cluster.status().reconnects),
        }
    }

    fn targets(&self, prefix: &Bytes) -> Vec<Target> {
        match self {
            Self::One(source, _) => {
                // One that sentinels have replaced is a replica, and has the latest changes a little later.
                let probe: &[u8] = if matches!(source, Source::Named(_)) { b"ROLE" } else { b"PING" };
                vec![Target { source: source.clone(), probe: vec![Bytes::from_static(probe)] }]
            }
            Self::Cluster(cluster) => {
                let (_, nodes) = cluster.nodes();
                let target = |(address, slot): (_, Option<u16>)| Target {
                    source: Source::Fixed(Endpoint::Tcp(address)),
                    probe: match slot {
                        // Unlike a PING, it fails on a node that is cut off from the others or has lost the slot.
                        Some(slot) => vec![Bytes::from_static(b"EXISTS"), key_in(slot, prefix)],
                        // A slot may be migrating there.
                        None => vec![Bytes::from_static(b"PING")],
                    },
                };
                nodes.into_iter().map(target).collect()
            }
        }
    }

    async fn known(&self, settings: &Settings) {
        if let Self::Cluster(cluster) = self {
            let _ = cluster.known(Instant::now() + settings.connect_timeout).await;
        }
    }
}

/// Returns a key in this slot.
fn key_in(slot: u16, prefix: &[u8]) -> Bytes {
    // What is in braces decides.
    let key = |number: u32| [prefix, b"{", number.to_string().as_bytes(), b"}"].concat();
    let found = (0..).map(key).find(|key| slot_of(key) == slot);
    found.unwrap_or_default().into()
}

/// What a watch consists of.
pub struct Watcher {
    pub settings: Arc<Settings>,
    pub dialler: Arc<Dialler>,
    pub servers: Servers,
    pub prefix: Bytes,
    /// How often each connection is probed.
    pub interval: Duration,
}

impl Watcher {
    /// Starts to watch. It ends with the returned value, or when `closed` is.
    pub fn start(self, listener: KeyListener, closed: watch::Receiver<()>) -> KeyWatch {
        let (requests, inbox) = mpsc::unbounded_channel();
        tokio::spawn(async move { Arc::new(self).run(listener, inbox, closed).await });
        KeyWatch(requests)
    }

    async fn run(
        self: Arc<Self>,
        listener: KeyListener,
        mut inbox: mpsc::UnboundedReceiver<Confirmation>,
        mut closed: watch::Receiver<()>,
    ) {
        let coverage = Coverage::new(listener);
        let mut failed = 0;
        loop {
            self.servers.known(&self.settings).await;
            let version = self.servers.version();
            let targets = self.servers.targets(&self.prefix);
            failed = if targets.is_empty() { failed + 1 } else { 0 };
            let generation = coverage.restart(targets.len());
            let (mut tasks, mut nodes) = (JoinSet::new(), Vec::new());
            for (node, target) in targets.into_iter().enumerate() {
                let (requests, inbox) = mpsc::unbounded_channel();
                nodes.push(requests);
                tasks.spawn(self.clone().watch(target, coverage.node(generation, node), inbox));
            }
            let again = match failed {
                0 => self.interval,
                failed => backoff::before_reconnecting(&self.settings, failed).max(self.interval),
            };
            loop {
                tokio::select! {
                    biased;
                    _ = closed.changed() => return,
                    confirmation = inbox.recv() => {
                        let Some(first) = confirmation else { return };
                        let mut waiting = vec![first];
                        while let Ok(more) = inbox.try_recv() {
                            waiting.push(more);
                        }
                        self.confirm(&nodes, waiting, version);
                    }
                    () = sleep(again) => {}
                }
                if self.servers.version() != version || nodes.is_empty() {
                    break;
                }
            }
            drop(tasks);
            coverage.restart(0);
            if !nodes.is_empty() {
                sleep(SETTLE).await;
            }
        }
    }

    /// Completes `waiting` once all nodes have replied to a probe.
    fn confirm(
        self: &Arc<Self>,
        nodes: &[mpsc::UnboundedSender<Confirmation>],
        waiting: Vec<Confirmation>,
        version: (u64, u64),
    ) {
        let confirm = |node: &mpsc::UnboundedSender<Confirmation>| {
            let (done, confirmed) = oneshot::channel();
            let _ = node.send(done);
            confirmed
        };
        let (watcher, confirmed) = (self.clone(), join_all(nodes.iter().map(confirm)));
        let any = !nodes.is_empty();
        tokio::spawn(async move {
            let all = confirmed.await.iter().all(Result::is_ok);
            if any && all && watcher.servers.version() == version {
                waiting.into_iter().for_each(complete);
            }
        });
    }

    /// Watches one server, and connects again whenever the connection is lost.
    async fn watch(self: Arc<Self>, target: Target, node: coverage::Node, mut requests: Requests) {
        let mut failures = 0;
        loop {
            let opened = tokio::select! {
                opened = PushConnection::open(&self, &target) => opened,
                () = drop_all(&mut requests) => return,
            };
            let wait = match opened {
                Ok((endpoint, mut connection)) => {
                    node.begun();
                    failures = 0;
                    tokio::select! {
                        () = connection.listen(&self, &target, &node, &mut requests) => {}
                        () = target.source.moved_from(&endpoint) => {}
                    }
                    SETTLE
                }
                Err(error) => {
                    node.refused(error);
                    failures += 1;
                    backoff::before_reconnecting(&self.settings, failures - 1)
                }
            };
            node.lost();
            let until = Instant::now() + wait;
            tokio::select! {
                () = sleep_until(until) => {}
                () = drop_all(&mut requests) => return,
            }
        }
    }
}

/// Refuses confirmations until there can be no more of them.
async fn drop_all(requests: &mut Requests) {
    while requests.recv().await.is_some() {}
}

/// Completes a confirmation, unless its caller has gone.
fn complete(done: Confirmation) {
    let _ = done.send(());
}
