//! Sharded channels of a cluster. Each is subscribed at the node that owns its slot, over one connection per node.
//!
//! A node that loses a slot unsubscribes the listeners of its channels; its slot map names the new owner. (A SSUBSCRIBE is no way
//! to find out: a node that has become a replica accepts it, and does not receive all messages.) If a node is down, a newer map
//! names its successor. A node that is partitioned from all others reports nothing, so the subscriptions are also compared with
//! the slot map from time to time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use cinnabar_port::{
    Topic,
    error::{Error, Kind, Result},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::{
    IDLE_TIMEOUT,
    message_connection::{Departure, Instruction, Instructions, MessageConnection},
    registry::Registry,
};
use crate::{
    backoff,
    cluster::Cluster,
    dial::Dialler,
    endpoint::Endpoint,
    link::Link,
    redirection::{Redirection, redirection},
    settings::{Address, Settings},
    slot::slot_of,
};

/// If a node cannot be reached within this time, its successor is looked up.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a channel follows a redirection before the map is refreshed, with a pause: while a slot is migrated, two nodes may
/// redirect to each other.
const MAX_HOPS: u32 = 5;
/// After this long without a failure, the next one is handled without a pause.
const CALM: Duration = Duration::from_secs(5);

/// The pause before a map that shows a channel at another node is compared with a newer one.
const COMPARE_AGAIN: Duration = Duration::from_millis(200);

/// What the connections share.
pub struct Shards {
    pub settings: Arc<Settings>,
    pub dialler: Arc<Dialler>,
    pub cluster: Arc<Cluster>,
    pub registry: Arc<Registry>,
}

/// Assigns channels to connections.
struct Router {
    parts: Shards,
    connections: HashMap<Address, NodeConnection>,
    reports: mpsc::UnboundedSender<Report>,
    next: u64,
    /// Channels whose node is unknown.
    unassigned: HashSet<Topic>,
    /// Channels that are subscribed at another node than the last map shows.
    misplaced: HashSet<Topic>,
    /// Channels that a connection was asked to leave, and the number of that connection. They are assigned once it has left them:
    /// receiving on both connections could deliver a message twice.
    leaving: HashMap<Topic, u64>,
    hops: HashMap<Topic, u32>,
    refreshing: bool,
    /// Whether a former owner is being asked for its map.
    asking: bool,
    troubles: u32,
    last_trouble: Option<Instant>,
}

/// A connection to one node. It is closed when its last channel has left, or some time after that was rejected.
struct NodeConnection {
    number: u64,
    instructions: mpsc::UnboundedSender<Instruction>,
    topics: HashSet<Topic>,
    idle_until: Option<Instant>,
}

enum Report {
    /// This connection delivers this channel no more.
    Left(u64, Topic, Departure),
    /// This connection has ended or could not be established.
    Ended(u64, Option<Error>),
    /// The map was refreshed, for channels that wait for it.
    Refreshed(Result<()>),
    /// The map was refreshed, to be compared.
    PlacementMap,
}

impl Shards {
    /// Assigns channels until there are no listeners.
    pub async fn run(self, mut instructions: Instructions) {
        let (reports, mut inbox) = mpsc::unbounded_channel();
        let mut router = Router::new(self, reports);
        let mut compare_at = Some(Instant::now() + router.parts.settings.keepalive);
        loop {
            tokio::select! {
                () = sleep_until(compare_at.unwrap_or_else(Instant::now)), if compare_at.is_some() => {
                    compare_at = None;
                    router.request_placement_map();
                }
                instruction = instructions.recv() => match instruction {
                    None => return,
                    Some(Instruction::Subscribe(topic)) => router.subscribe(topic),
                    Some(instruction) => router.unsubscribe(instruction),
                },
                report = inbox.recv() => match report {
                    None => return,
                    Some(Report::Left(connection, topic, departure)) => router.left(connection, topic, departure),
                    Some(Report::Ended(connection, error)) => router.ended(connection, error),
                    Some(Report::Refreshed(result)) => router.refreshed(result),
                    Some(Report::PlacementMap) => compare_at = Some(Instant::now() + router.compare_placement()),
                },
            }
        }
    }
}

impl Router {
    fn new(parts: Shards, reports: mpsc::UnboundedSender<Report>) -> Self {
        Self {
            parts,
            connections: HashMap::new(),
            reports,
            next: 0,
            unassigned: HashSet::new(),
            misplaced: HashSet::new(),
            leaving: HashMap::new(),
            hops: HashMap::new(),
            refreshing: false,
            asking: false,
            troubles: 0,
            last_trouble: None,
        }
    }

    fn subscribe(&mut self, topic: Topic) {
        let connection = self.connections.values().find(|connection| connection.topics.contains(&topic));
        match connection {
            // The connection confirms it to the waiting callers.
            Some(connection) => drop(connection.instructions.send(Instruction::Subscribe(topic))),
            // It will be assigned later, to one connection only.
            None if self.unassigned.contains(&topic) || self.leaving.contains_key(&topic) => {}
            None => self.assign(topic),
        }
    }

    fn unsubscribe(&mut self, instruction: Instruction) {
        let (topic, refused) = match &instruction {
            Instruction::Refused(topic) => (topic, true),
            Instruction::Subscribe(topic) | Instruction::Unsubscribe(topic) | Instruction::Leave(topic) => {
                (topic, false)
            }
        };
        // There may be a new listener.
        if self.parts.registry.has_listener(topic) {
            return;
        }
        self.unassigned.remove(topic);
        self.hops.remove(topic);
        // A channel is subscribed on one connection only.
        if let Some(connection) = self.connections.values_mut().find(|connection| connection.topics.contains(topic)) {
            connection.topics.remove(topic);
            if refused {
                connection.idle_until = Some(Instant::now() + IDLE_TIMEOUT);
            }
            let _ = connection.instructions.send(instruction);
        }
        self.end_unused();
    }

    /// Closes connections without channels.
    fn end_unused(&mut self) {
        let now = Instant::now();
        self.connections.retain(|_, connection| {
            !connection.topics.is_empty() || connection.idle_until.is_some_and(|until| until > now)
        });
    }

    /// Subscribes to a channel at the node that owns its slot according to the map.
    fn assign(&mut self, topic: Topic) {
        if !self.parts.registry.has_listener(&topic) {
            return;
        }
        let Some(address) = self.parts.cluster.owner(slot_of(topic.name())) else {
            self.unassigned.insert(topic);
            return self.refresh_map();
        };
        let connection = match self.connections.entry(address) {
            std::collections::hash_map::Entry::Occupied(connection) => connection.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                self.next += 1;
                let instructions = self.parts.dial(free.key().clone(), self.next, self.reports.clone());
                free.insert(NodeConnection {
                    number: self.next,
                    instructions,
                    topics: HashSet::new(),
                    idle_until: None,
                })
            }
        };
        connection.topics.insert(topic.clone());
        let _ = connection.instructions.send(Instruction::Subscribe(topic));
    }

    fn left(&mut self, number: u64, topic: Topic, departure: Departure) {
        if matches!(departure, Departure::Requested) {
            if self.leaving.get(&topic) == Some(&number) {
                self.leaving.remove(&topic);
                self.assign(topic);
            }
            return;
        }
        let Some((address, connection)) =
            self.connections.iter_mut().find(|(_, connection)| connection.number == number)
        else {
            return;
        };
        if !connection.topics.remove(&topic) {
            return;
        }
        let (address, is_last) = (address.clone(), connection.topics.is_empty());
        if is_last {
            self.connections.remove(&address);
        }
        let hops = self.hops.entry(topic.clone()).or_default();
        *hops += 1;
        let calm = *hops <= MAX_HOPS;
        let moved = match &departure {
            Departure::Rejected(error) => redirection(error, &address),
            Departure::Lost | Departure::Requested => None,
        };
        match (departure, moved) {
            (_, Some(Redirection::Moved(slot, to))) if calm => {
                self.parts.cluster.moved(slot, &to);
                self.assign(topic);
            }
            (Departure::Lost, _) if calm => {
                self.unassigned.insert(topic);
                self.ask_former_owner(address);
            }
            _ => {
                self.unassigned.insert(topic);
                self.refresh_map();
            }
        }
    }

    /// Asks the former owner for its map, without a pause.
    fn ask_former_owner(&mut self, address: Address) {
        if std::mem::replace(&mut self.asking, true) {
            return;
        }
        let (cluster, reports) = (self.parts.cluster.clone(), self.reports.clone());
        tokio::spawn(async move {
            let result = match cluster.refresh_from(address).await {
                Err(_) => cluster.refreshed(cluster.refresh()).await,
                Ok(()) => Ok(()),
            };
            let _ = reports.send(Report::Refreshed(result));
        });
    }

    fn ended(&mut self, number: u64, error: Option<Error>) {
        let left: Vec<_> = self.leaving.extract_if(|_, from| *from == number).map(|(topic, _)| topic).collect();
        left.into_iter().for_each(|topic| self.assign(topic));
        let address = self
            .connections
            .iter()
            .find(|(_, connection)| connection.number == number)
            .map(|(address, _)| address.clone());
        let Some(connection) = address.and_then(|address| self.connections.remove(&address)) else { return };
        // Its successor would reject the subscription for the same reason.
        if let Some(error) = error.filter(|error| error.kind != Kind::Unavailable) {
            connection.topics.iter().for_each(|topic| self.parts.registry.fail(topic, &error));
        }
        self.unassigned.extend(connection.topics);
        self.refresh_map();
    }

    /// Requests a map to compare the subscriptions with.
    fn request_placement_map(&self) {
        let (cluster, reports) = (self.parts.cluster.clone(), self.reports.clone());
        tokio::spawn(async move {
            let _ = cluster.refreshed(cluster.refresh()).await;
            let _ = reports.send(Report::PlacementMap);
        });
    }

    /// Leaves nodes that did not own the slot in two maps in a row: a single map may be that of a node that was behind. Returns how
    /// long to wait before the next comparison.
    fn compare_placement(&mut self) -> Duration {
        self.end_unused();
        let before = std::mem::take(&mut self.misplaced);
        for (address, connection) in &self.connections {
            let elsewhere =
                |topic: &&Topic| self.parts.cluster.owner(slot_of(topic.name())).is_some_and(|owner| owner != *address);
            self.misplaced.extend(connection.topics.iter().filter(elsewhere).cloned());
        }
        let leaving: Vec<_> = self.misplaced.extract_if(|topic| before.contains(topic)).collect();
        self.leave(leaving);
        if self.misplaced.is_empty() { self.parts.settings.keepalive } else { COMPARE_AGAIN }
    }

    /// Moves channels to their current owners and reports a gap.
    fn leave(&mut self, topics: Vec<Topic>) {
        for topic in topics {
            if let Some(connection) = self
                .connections
                .values_mut()
                .find_map(|connection| connection.topics.remove(&topic).then_some(connection))
            {
                let _ = connection.instructions.send(Instruction::Leave(topic.clone()));
                self.parts.registry.lose(&topic);
                self.leaving.insert(topic, connection.number);
            }
        }
        self.end_unused();
    }

    /// Refreshes the map after a pause that grows with each failure.
    fn refresh_map(&mut self) {
        if std::mem::replace(&mut self.refreshing, true) {
            return;
        }
        let now = Instant::now();
        if self.last_trouble.replace(now).is_none_or(|last| now - last > CALM) {
            self.troubles = 0;
        }
        let pause = match self.troubles {
            0 => Duration::ZERO,
            troubles => backoff::before_reconnecting(&self.parts.settings, troubles - 1),
        };
        self.troubles += 1;
        let (cluster, reports) = (self.parts.cluster.clone(), self.reports.clone());
        tokio::spawn(async move {
            sleep(pause).await;
            let result = cluster.refreshed(cluster.refresh()).await;
            let _ = reports.send(Report::Refreshed(result));
        });
    }

    fn refreshed(&mut self, result: Result<()>) {
        (self.refreshing, self.asking) = (false, false);
        self.hops.clear();
        for topic in std::mem::take(&mut self.unassigned) {
            if let Err(error) = &result {
                self.parts.registry.fail(&topic, error);
            }
            self.assign(topic);
        }
    }
}

impl Shards {
    /// Starts a task that connects to a node and listens until the connection is no longer needed; if it ends before, that is reported.
    fn dial(
        &self,
        address: Address,
        number: u64,
        reports: mpsc::UnboundedSender<Report>,
    ) -> mpsc::UnboundedSender<Instruction> {
        let (sender, mut instructions) = mpsc::unbounded_channel();
        let (settings, dialler, registry) = (self.settings.clone(), self.dialler.clone(), self.registry.clone());
        tokio::spawn(async move {
            let limit = settings.connect_timeout.min(PATIENCE);
            let failed = match dialler.attempt(&Endpoint::Tcp(address), limit).await.and_then(Link::into_stream) {
                Err(error) => Some(error),
                Ok(stream) => {
                    let leaving = |topic, error| drop(reports.send(Report::Left(number, topic, error)));
                    let mut connection = MessageConnection::new(stream, &registry, Some(&leaving));
                    if connection.listen(Vec::new(), &mut instructions, &settings).await.is_none() {
                        return;
                    }
                    None
                }
            };
            let _ = reports.send(Report::Ended(number, failed));
        });
        sender
    }
}

#[cfg(test)]
mod tests;
