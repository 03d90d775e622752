//! A cluster: each request goes to the node that owns its slot.
//!
//! The slot map is refreshed in the background, and a node that no longer owns a slot redirects requests, so calls do not wait
//! for the map. Each node has its own connections, queue and breaker, so that a slow or dead node affects only its own slots.

mod map;
mod refresh;
mod round;
mod scan;
mod split;
mod table;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use cinnabar_port::{
    EventEmitter, Role, Status, Topology,
    error::{Error, Kind, Result},
    sequence::Sequence,
};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{
    dial::Dialler,
    endpoint::Endpoint,
    key_order::KeyOrder,
    server::Server,
    source::{Dialled, Locate, Source},
};
use crate::settings::{Address, Listed, Settings};
use refresh::{RefreshProgress, RefreshState};
pub use round::explained;
pub use split::{Join, split};
use table::Table;

/// A cluster and its known nodes.
pub struct Cluster {
    settings: Arc<Settings>,
    dialler: Arc<Dialler>,
    events: Arc<EventEmitter>,
    seeds: Vec<Address>,
    table: Mutex<Table>,
    refresh_state: Mutex<RefreshState>,
    refreshed: watch::Sender<RefreshProgress>,
    /// Rounds are sent to their nodes in order of arrival, including those that waited for the map.
    order: Arc<Sequence>,
    /// The order of calls on a key, no matter which node owns it.
    key_order: Arc<KeyOrder>,
    /// Requests that wait for a fail-over.
    waiting: AtomicUsize,
    last_error: Mutex<Option<(Error, SystemTime)>>,
    closed: AtomicBool,
}

/// One node. Once it is no longer part of the cluster, its connections are closed after its last call.
pub struct Node {
    address: Address,
    server: Arc<Server>,
    /// Whether it has a replica that could take over.
    followed: AtomicBool,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.pool().close();
    }
}

impl Cluster {
    /// Creates a cluster. It connects at the first call.
    pub fn new(settings: Arc<Settings>, dialler: Arc<Dialler>, seeds: &[Address], events: Arc<EventEmitter>) -> Self {
        Self {
            settings,
            dialler,
            events,
            seeds: seeds.into(),
            table: Mutex::default(),
            refresh_state: Mutex::default(),
            refreshed: watch::Sender::default(),
            order: Arc::default(),
            key_order: KeyOrder::new(),
            waiting: AtomicUsize::new(0),
            last_error: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// Waits until every primary is connected; once one is, waits for the others only for a while.
    pub async fn connect(self: &Arc<Self>) -> Result<()> {
        self.known(Instant::now() + self.settings.connect_timeout).await?;
        let mut connecting = FuturesUnordered::new();
        for node in self.table().primaries() {
            connecting.push(async move { node.server.connected().await }.boxed());
        }
        let (mut failed, mut stands) = (None, false);
        let patience = Instant::now() + self.settings.connect_wait;
        loop {
            let connected = if stands {
                // Calls to slower nodes wait for their connections themselves.
                timeout_at(patience, connecting.next()).await.unwrap_or(None)
            } else {
                connecting.next().await
            };
            match connected {
                None => break,
                Some(Ok(())) => stands = true,
                Some(Err(error)) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) if !stands => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether any primary is connected: the others still work if one shard is down.
    pub fn is_connected(&self) -> bool {
        self.table().primaries().iter().any(|node| node.server.is_connected())
    }

    pub fn status(&self) -> Status {
        let nodes = self.table().primaries();
        let own = self.last_error.lock().clone();
        let errors = nodes.iter().filter_map(|node| node.server.pool().last_error()).chain(own);
        Status {
            muted: false,
            topology: Topology::Cluster,
            connected: self.is_connected(),
            last_error: errors.max_by_key(|(_, at)| *at),
            reconnects: nodes.iter().map(|node| node.server.pool().reconnects()).sum(),
            servers: nodes
                .iter()
                .map(|node| {
                    let mut status = node.server.status();
                    status.role = Role::Primary;
                    status
                })
                .collect(),
        }
    }

    /// The owner of a slot, if known.
    pub fn owner(&self, slot: u16) -> Option<Address> {
        self.table().owner(slot).map(|node| node.address.clone())
    }

    /// The nodes to which calls may go, each with its first slot, if it owns any; and a number that changes with them and with the owner of
    /// any slot.
    pub fn nodes(&self) -> (u64, Vec<(Address, Option<u16>)>) {
        let table = self.table();
        let owners = table.firsts().into_iter();
        let mut nodes: Vec<_> =
            owners.filter_map(|slot| Some((table.owner(slot)?.address.clone(), Some(slot)))).collect();
        for address in table.addresses() {
            if !nodes.iter().any(|(known, _)| known == address) {
                nodes.push((address.clone(), None));
            }
        }
        (table.version(), nodes)
    }

    /// Drops all nodes.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        drop(std::mem::take(&mut *self.table()));
    }

    fn node(&self, address: &Address) -> Node {
        let source = Source::Fixed(Endpoint::Tcp(address.clone()));
        let (settings, dialler, events) = (self.settings.clone(), self.dialler.clone(), self.events.clone());
        let server = Server::new(settings, dialler, source, events, self.key_order.clone());
        Node { address: address.clone(), server, followed: AtomicBool::new(false) }
    }

    fn unreachable(&self, error: &Error) -> Error {
        let kind = match error.kind {
            Kind::Auth | Kind::Unsupported => error.kind,
            _ => Kind::Unavailable,
        };
        let message = format!("no node of the {self} is responding: {}", error.message());
        Error::new(kind, message).with_source(error.clone())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock()
    }
}

impl Locate for Cluster {
    /// A connection to any node, for messages that all nodes deliver.
    fn dial<'a>(&'a self, dialler: &'a Dialler) -> Dialled<'a> {
        Box::pin(async move {
            let endpoints = self.candidates().into_iter().map(|node| Endpoint::Tcp(node.address().clone()));
            let dial = |endpoint: Endpoint| async move {
                let link = dialler.dial(&endpoint).await?;
                Ok((endpoint, link))
            };
            refresh::first_of(endpoints.collect(), dial).await.map_err(|error| self.unreachable(&error))
        })
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster {}", Listed(&self.seeds))
    }
}
