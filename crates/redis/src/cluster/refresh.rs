//! Refreshes the slot map from any node that responds, one refresh at a time and rate-limited.

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use cinnabar_port::{
    Event, EventKind, Reply,
    error::{Error, Kind, Result},
    random,
};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::{
    Cluster, Node,
    map::{self, Run},
};
use crate::{endpoint::Endpoint, resp::Commands, settings::Address};

/// The shortest interval between two refreshes.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// The same while no node responds.
const MAX_INTERVAL: Duration = Duration::from_secs(1);
/// An unreachable node does not cause a refresh of a map younger than this.
const FRESH: Duration = Duration::from_millis(500);
/// How long a connected node may take to reply.
const NODE_TIMEOUT: Duration = Duration::from_secs(2);
/// After this long without a reply, the next node is queried in parallel.
const PARALLEL_AFTER: Duration = Duration::from_millis(150);
/// How often `topology-changed` is emitted at most while only slots move.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// The state of the refresh task, of which one runs at a time.
#[derive(Default)]
pub struct RefreshState {
    running: bool,
    /// Whether a node has been queried already: a refresh requested after that needs another turn.
    asking: bool,
    again: bool,
    /// How many turns have started.
    begun: u64,
    last: Option<Instant>,
    /// How many failed in a row.
    failures: u32,
    reported_at: Option<Instant>,
    /// Whether `down` was emitted.
    down: bool,
}

/// The progress of the refreshes.
#[derive(Default, Clone)]
pub struct RefreshProgress {
    /// How many turns have ended.
    over: u64,
    /// When the last one ended, and its result.
    last: Option<(Instant, Result<()>)>,
}

/// A node that can be queried.
pub enum Candidate {
    Connected(Arc<Node>),
    Dialled(Address),
}

impl Candidate {
    pub fn address(&self) -> &Address {
        match self {
            Self::Connected(node) => &node.address,
            Self::Dialled(address) => address,
        }
    }
}

impl Cluster {
    /// Waits until a map is known.
    pub async fn known(self: &Arc<Self>, until: Instant) -> Result<()> {
        if self.table().is_known() {
            return Ok(());
        }
        let refreshed = timeout_at(until, self.refreshed(self.refresh())).await;
        refreshed.unwrap_or_else(|_| {
            Err(Error::new(Kind::Unavailable, format!("no node returned the slot map of the {self} in time")))
        })
    }

    /// Requests a refresh; the returned number can be passed to `refreshed` to wait for it.
    pub fn refresh(self: &Arc<Self>) -> u64 {
        let mut refresh_state = self.refresh_state.lock();
        // A node that was queried already may not have known the change yet.
        refresh_state.again |= refresh_state.asking;
        if !refresh_state.running {
            refresh_state.running = true;
            tokio::spawn(self.clone().run_refreshes());
        }
        refresh_state.begun + 1
    }

    /// Applies the map of the node at this address, which is the first to know of the slots that it has just lost.
    pub async fn refresh_from(&self, address: Address) -> Result<()> {
        let asked = timeout(NODE_TIMEOUT, self.ask(Candidate::Dialled(address))).await;
        let runs =
            asked.map_err(|_| Error::new(Kind::Unavailable, format!("no slot map within {NODE_TIMEOUT:?}")))??;
        self.take_over(&runs);
        Ok(())
    }

    /// A node reports that this slot has moved. Later requests go to the new owner directly.
    pub fn moved(self: &Arc<Self>, slot: u16, to: &Address) {
        {
            let mut table = self.table();
            if !table.may_know(to) {
                return;
            }
            let node = table.at(to, |address| self.node(address));
            table.give(slot, &node);
        }
        self.refresh();
    }

    /// Whether the map is so recent that an unreachable node is no reason for a refresh.
    pub fn is_fresh(&self) -> bool {
        self.refreshed.borrow().last.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH)
    }

    /// Waits until that turn has ended.
    pub async fn refreshed(&self, number: u64) -> Result<()> {
        let mut refreshed = self.refreshed.subscribe();
        let over = refreshed.wait_for(|refreshed| refreshed.over >= number).await;
        match over.map(|refreshed| refreshed.last.clone()) {
            Ok(Some((_, result))) => result,
            _ => Err(Error::new(Kind::Closed, "this service was disconnected")),
        }
    }

    async fn run_refreshes(self: Arc<Self>) {
        loop {
            let due = {
                let refresh_state = self.refresh_state.lock();
                // All nodes were just queried without success.
                let every = MIN_INTERVAL.saturating_mul(2_u32.saturating_pow(refresh_state.failures)).min(MAX_INTERVAL);
                refresh_state.last.map(|last| last + every)
            };
            if let Some(due) = due {
                sleep_until(due).await;
            }
            {
                let mut refresh_state = self.refresh_state.lock();
                (refresh_state.asking, refresh_state.again) = (true, false);
                refresh_state.begun += 1;
                refresh_state.last = Some(Instant::now());
            }
            let result = self.fetch().await.map(|runs| self.take_over(&runs));
            if let Err(error) = &result {
                *self.last_error.lock() = Some((error.clone(), SystemTime::now()));
            }
            self.report_reachability(result.as_ref().err());
            let again = {
                let mut refresh_state = self.refresh_state.lock();
                refresh_state.asking = false;
                refresh_state.failures = if result.is_ok() { 0 } else { (refresh_state.failures + 1).min(16) };
                refresh_state.running = refresh_state.again && !self.closed.load(Ordering::Acquire);
                self.refreshed.send_modify(|refreshed| {
                    refreshed.over = refresh_state.begun;
                    refreshed.last = Some((Instant::now(), result));
                });
                refresh_state.running
            };
            if !again {
                return;
            }
        }
    }

    /// The nodes in the order in which to query them: first the connected ones, starting at a random one to spread the load;
    /// then the seeds, whose names may resolve to new addresses; then the rest.
    pub fn candidates(&self) -> Vec<Candidate> {
        let nodes = self.table().primaries();
        let (mut connected, rest): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.server.is_connected());
        if !connected.is_empty() {
            let by = (random::fraction() * connected.len() as f64) as usize % connected.len();
            connected.rotate_left(by);
        }
        let mut all: Vec<_> = connected.into_iter().map(Candidate::Connected).collect();
        for address in self.seeds.iter().chain(rest.iter().map(|node| &node.address)) {
            if !all.iter().any(|other| other.address() == address) {
                all.push(Candidate::Dialled(address.clone()));
            }
        }
        all
    }

    async fn fetch(&self) -> Result<Vec<Run>> {
        first_of(self.candidates(), |candidate| self.ask(candidate)).await.map_err(|error| self.unreachable(&error))
    }

    async fn ask(&self, candidate: Candidate) -> Result<Vec<Run>> {
        let slots: [&[u8]; 2] = [b"CLUSTER", b"SLOTS"];
        let reply = match &candidate {
            Candidate::Connected(node) => {
                let until = Instant::now() + NODE_TIMEOUT;
                let member = node.server.pool().take(until).await?;
                let mut commands = Commands::default();
                commands.push_words(&slots);
                let reply = member.connection.submit(commands).replies(until).await.pop();
                reply.unwrap_or_else(|| Err(Error::new(Kind::Internal, "a connection lost track of a call")))
            }
            Candidate::Dialled(address) => {
                let mut link = self.dialler.dial(&Endpoint::Tcp(address.clone())).await?;
                let late = || {
                    Err(Error::new(Kind::Unavailable, format!("no slot map from {address} within {NODE_TIMEOUT:?}")))
                };
                timeout(NODE_TIMEOUT, link.request(&slots)).await.unwrap_or_else(|_| late())
            }
        };
        let address = candidate.address();
        let reply: Reply = reply.map_err(|error| match error.kind {
            Kind::Server if !error.is_specific() => {
                let message = format!("{address} is not a cluster node ({})", error.message());
                Error::new(Kind::Unsupported, message).because_of(&error)
            }
            _ => error,
        })?;
        map::read(reply, address)
    }

    fn take_over(&self, runs: &[Run]) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        let change = self.table().replace(runs, |address| self.node(address));
        let mut refresh_state = self.refresh_state.lock();
        let quiet = refresh_state.reported_at.is_some_and(|reported_at| reported_at.elapsed() < REPORT_EVERY);
        let text = match (change.nodes, change.slots) {
            (true, _) => "the nodes that own slots have changed",
            (false, true) if !quiet => "slots have moved",
            _ => return,
        };
        refresh_state.reported_at = Some(Instant::now());
        drop(refresh_state);
        self.emit(EventKind::TopologyChanged, format!("{self}: {text}"));
        drop(change.left);
    }

    /// Applies a map in which one node owns all slots.
    #[cfg(test)]
    pub fn give_all(&self, primary: Address) {
        self.take_over(&[Run { first: 0, last: crate::slot::SLOTS as u16 - 1, primary, followed: false }]);
    }

    /// Emits an event when no node responds, and when one responds again. Each node reports its own state.
    fn report_reachability(&self, error: Option<&Error>) {
        let down = error.is_some();
        if std::mem::replace(&mut self.refresh_state.lock().down, down) == down {
            return;
        }
        match error {
            Some(error) => self.emit(EventKind::Down, error.message().to_owned()),
            None => self.emit(EventKind::Connected, format!("the {self} is responding again")),
        }
    }

    fn emit(&self, what: EventKind, text: String) {
        self.events.emit(&Event::new(what, self.to_string(), text));
    }
}

/// The first successful result. The next candidate is tried when one has failed or has not replied for a while.
///
/// # Errors
/// The first error, or `E_AUTH` if any candidate rejected the credentials, since that is what has to be fixed.
pub async fn first_of<A, T, F>(all: Vec<A>, ask: impl Fn(A) -> F) -> Result<T>
where
    F: Future<Output = Result<T>> + Send,
{
    let mut asked = FuturesUnordered::new();
    let mut failed = None::<Error>;
    let mut all = all.into_iter();
    loop {
        if let Some(next) = all.next() {
            asked.push(ask(next).boxed());
        }
        let result = match all.len() {
            0 => asked.next().await,
            _ => match timeout(PARALLEL_AFTER, asked.next()).await {
                Ok(result) => result,
                Err(_) => continue,
            },
        };
        match result {
            Some(Ok(result)) => return Ok(result),
            Some(Err(error)) if error.kind == Kind::Auth || failed.is_none() => failed = Some(error),
            Some(Err(_)) => {}
            None => return Err(failed.unwrap_or_else(|| Error::new(Kind::Unavailable, "there is no node to query"))),
        }
    }
}
