//! Sharded channels of a cluster: each is heard over a connection to the node that has its slot, one connection a node, for as
//! long as there is a channel for it. Which node that is, nodes say themselves: one that gives a slot away says so to whoever
//! listens, and where to when it is asked for its map (asked for the channel it might answer as a replica, which does not hear of
//! everything); where one is gone, a newer map names another. One that is cut off from all others says nothing: so maps are
//! compared with where we listen, too.

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
    KEPT,
    message_connection::{Instruction, Instructions, MessageConnection},
    registry::Registry,
};
use crate::{
    cluster::Cluster,
    dial::Dialler,
    endpoint::Endpoint,
    link::Link,
    pool,
    redirection::{Redirection, redirection},
    settings::{Address, Settings},
    slot::slot_of,
};

/// A node that cannot be reached within this time is asked for its successor.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a channel may be sent on before the map is learned anew, with a pause: while a slot moves, two nodes may each
/// name the other.
const MOST_HOPS: u32 = 5;
/// After so long without trouble the next one is met without a pause.
const CALM: Duration = Duration::from_secs(5);

/// How soon a map that says that we listen at the wrong node is compared with another one.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What the connections need.
pub struct Shards {
    pub settings: Arc<Settings>,
    pub dialler: Arc<Dialler>,
    pub cluster: Arc<Cluster>,
    pub registry: Arc<Registry>,
}

/// The task that knows which channel is heard over which connection.
struct Router {
    parts: Shards,
    connections: HashMap<Address, Linked>,
    reports: mpsc::UnboundedSender<Report>,
    next: u64,
    /// Channels that no node is known for.
    homeless: HashSet<Topic>,
    /// Channels that are heard elsewhere than the last map said.
    astray: HashSet<Topic>,
    hops: HashMap<Topic, u32>,
    learning: bool,
    /// A node that has given channels away is asked for its map.
    asking: bool,
    troubles: u32,
    last_trouble: Option<Instant>,
}

/// A connection, as the router sees it; it ends with its last channel, or some time after that was refused.
struct Linked {
    number: u64,
    instructions: mpsc::UnboundedSender<Instruction>,
    topics: HashSet<Topic>,
    kept_until: Option<Instant>,
}

enum Report {
    /// The node of this connection does not have this channel, or has just given it away.
    Left(u64, Topic, Option<Error>),
    /// This connection has ended, or there never was one.
    Ended(u64, Option<Error>),
    /// There may be a newer map, for which channels wait.
    Learned(Result<()>),
    /// There may be a newer map.
    Looked,
}

impl Shards {
    /// Places channels, again and again, until nobody listens any more.
    pub async fn keep(self, mut instructions: Instructions) {
        let (reports, mut inbox) = mpsc::unbounded_channel();
        let mut router = Router {
            parts: self,
            connections: HashMap::new(),
            reports,
            next: 0,
            homeless: HashSet::new(),
            astray: HashSet::new(),
            hops: HashMap::new(),
            learning: false,
            asking: false,
            troubles: 0,
            last_trouble: None,
        };
        let mut look_at = Some(Instant::now() + router.parts.settings.keepalive);
        loop {
            tokio::select! {
                () = sleep_until(look_at.unwrap_or_else(Instant::now)), if look_at.is_some() => {
                    look_at = None;
                    router.look();
                }
                instruction = instructions.recv() => match instruction {
                    None => return,
                    Some(Instruction::Subscribe(topic)) => router.subscribe(topic),
                    Some(instruction) => router.unsubscribe(instruction),
                },
                report = inbox.recv() => match report {
                    None => return,
                    Some(Report::Left(connection, topic, error)) => router.left(connection, topic, error.as_ref()),
                    Some(Report::Ended(connection, error)) => router.ended(connection, error),
                    Some(Report::Learned(result)) => router.learned(result),
                    Some(Report::Looked) => look_at = Some(Instant::now() + router.looked()),
                },
            }
        }
    }
}

impl Router {
    fn subscribe(&mut self, topic: Topic) {
        let connection = self.connections.values().find(|connection| connection.topics.contains(&topic));
        match connection {
            // It confirms to whoever waits.
            Some(connection) => drop(connection.instructions.send(Instruction::Subscribe(topic))),
            // It is placed with all others that are, and over one connection only.
            None if self.homeless.contains(&topic) => {}
            None => self.place(topic),
        }
    }

    fn unsubscribe(&mut self, instruction: Instruction) {
        let (topic, refused) = match &instruction {
            Instruction::Refused(topic) => (topic, true),
            Instruction::Subscribe(topic) | Instruction::Unsubscribe(topic) | Instruction::Leave(topic) => {
                (topic, false)
            }
        };
        // Somebody may have begun to listen since.
        if self.parts.registry.is_heard(topic) {
            return;
        }
        self.homeless.remove(topic);
        self.hops.remove(topic);
        // A channel is heard over one connection only.
        if let Some(connection) = self.connections.values_mut().find(|connection| connection.topics.contains(topic)) {
            connection.topics.remove(topic);
            if refused {
                connection.kept_until = Some(Instant::now() + KEPT);
            }
            let _ = connection.instructions.send(instruction);
        }
        self.end_unused();
    }

    /// Ends connections without channels.
    fn end_unused(&mut self) {
        let now = Instant::now();
        self.connections.retain(|_, connection| {
            !connection.topics.is_empty() || connection.kept_until.is_some_and(|until| until > now)
        });
    }

    /// Has a channel heard over the node that has its slot, as far as anybody knows.
    fn place(&mut self, topic: Topic) {
        if !self.parts.registry.is_heard(&topic) {
            return;
        }
        let Some(address) = self.parts.cluster.owner(slot_of(topic.name())) else {
            self.homeless.insert(topic);
            return self.learn();
        };
        let connection = match self.connections.entry(address) {
            std::collections::hash_map::Entry::Occupied(connection) => connection.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                self.next += 1;
                let instructions = self.parts.dial(free.key().clone(), self.next, self.reports.clone());
                free.insert(Linked { number: self.next, instructions, topics: HashSet::new(), kept_until: None })
            }
        };
        connection.topics.insert(topic.clone());
        let _ = connection.instructions.send(Instruction::Subscribe(topic));
    }

    fn left(&mut self, number: u64, topic: Topic, error: Option<&Error>) {
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
        let calm = *hops <= MOST_HOPS;
        match error.map(|error| redirection(error, &address)) {
            Some(Some(Redirection::Moved(slot, to))) if calm => {
                self.parts.cluster.moved(slot, &to);
                self.place(topic);
            }
            None if calm => {
                self.homeless.insert(topic);
                self.ask(address);
            }
            _ => {
                self.homeless.insert(topic);
                self.learn();
            }
        }
    }

    /// Asks a node where to, at once.
    fn ask(&mut self, address: Address) {
        if std::mem::replace(&mut self.asking, true) {
            return;
        }
        let (cluster, reports) = (self.parts.cluster.clone(), self.reports.clone());
        tokio::spawn(async move {
            let result = match cluster.learn_from(address).await {
                Err(_) => cluster.learned(cluster.learn()).await,
                Ok(()) => Ok(()),
            };
            let _ = reports.send(Report::Learned(result));
        });
    }

    fn ended(&mut self, number: u64, error: Option<Error>) {
        let address = self
            .connections
            .iter()
            .find(|(_, connection)| connection.number == number)
            .map(|(address, _)| address.clone());
        let Some(connection) = address.and_then(|address| self.connections.remove(&address)) else { return };
        // Another node may be there in its place, and refuses for the same reason.
        if let Some(error) = error.filter(|error| error.kind != Kind::Unavailable) {
            connection.topics.iter().for_each(|topic| self.parts.registry.fail(topic, &error));
        }
        self.homeless.extend(connection.topics);
        self.learn();
    }

    /// Asks for a map to compare with where we listen.
    fn look(&self) {
        let (cluster, reports) = (self.parts.cluster.clone(), self.reports.clone());
        tokio::spawn(async move {
            let _ = cluster.learned(cluster.learn()).await;
            let _ = reports.send(Report::Looked);
        });
    }

    /// Leaves nodes that have not had the slot for two maps in a row: the one may have been that of a node that did not know yet.
    /// Answers how long to wait for the next map.
    fn looked(&mut self) -> Duration {
        self.end_unused();
        let before = std::mem::take(&mut self.astray);
        for (address, connection) in &self.connections {
            let elsewhere =
                |topic: &&Topic| self.parts.cluster.owner(slot_of(topic.name())).is_some_and(|owner| owner != *address);
            self.astray.extend(connection.topics.iter().filter(elsewhere).cloned());
        }
        let leaving: Vec<_> = self.astray.extract_if(|topic| before.contains(topic)).collect();
        self.leave(leaving);
        if self.astray.is_empty() { self.parts.settings.keepalive } else { LOOK_AGAIN }
    }

    /// Has channels heard where they are now, and a gap told: nobody hears over two connections what may be the same.
    fn leave(&mut self, topics: Vec<Topic>) {
        for topic in &topics {
            for connection in self.connections.values_mut() {
                if connection.topics.remove(topic) {
                    let _ = connection.instructions.send(Instruction::Leave(topic.clone()));
                }
            }
            self.parts.registry.lose(topic);
        }
        self.end_unused();
        topics.into_iter().for_each(|topic| self.place(topic));
    }

    /// Has a newer map learned, after a pause that grows while there is trouble.
    fn learn(&mut self) {
        if std::mem::replace(&mut self.learning, true) {
            return;
        }
        let now = Instant::now();
        if self.last_trouble.replace(now).is_none_or(|last| now - last > CALM) {
            self.troubles = 0;
        }
        let pause = match self.troubles {
            0 => Duration::ZERO,
            troubles => pool::wait(&self.parts.settings, troubles - 1),
        };
        self.troubles += 1;
        let (cluster, reports) = (self.parts.cluster.clone(), self.reports.clone());
        tokio::spawn(async move {
            sleep(pause).await;
            let result = cluster.learned(cluster.learn()).await;
            let _ = reports.send(Report::Learned(result));
        });
    }

    fn learned(&mut self, result: Result<()>) {
        (self.learning, self.asking) = (false, false);
        self.hops.clear();
        for topic in std::mem::take(&mut self.homeless) {
            if let Err(error) = &result {
                self.parts.registry.fail(&topic, error);
            }
            self.place(topic);
        }
    }
}

impl Shards {
    /// A task that dials a node and listens there until nobody needs it any more, or reports its end.
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
