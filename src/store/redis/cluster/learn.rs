//! Learning the map: from any node that answers, one at a time, and never more often than is of use.

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::{
    Cluster, Node, lock,
    map::{self, Run},
};
use crate::{
    error::{Error, Kind, Result},
    random,
    settings::Address,
    store::{
        Event, EventKind, Reply,
        crew::Crew,
        redis::{dial::Place, resp::Commands},
    },
};

/// Between the beginnings of two.
const EVERY: Duration = Duration::from_millis(100);
/// The same while nobody answers.
const SELDOM: Duration = Duration::from_secs(1);
/// A map that is younger than this is not asked for again because a node cannot be reached.
const FRESH: Duration = Duration::from_millis(500);
/// How long a node may take that has a connection.
const LIMIT: Duration = Duration::from_secs(2);
/// After so long without an answer the next one is asked beside it.
const BESIDE: Duration = Duration::from_millis(150);
/// While slots move, that is told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The task that learns, of which there is one at a time.
#[derive(Default)]
pub struct Learning {
    running: bool,
    /// Whether a node has been asked already: what is wished for then needs another turn.
    asking: bool,
    again: bool,
    /// How many turns have begun to ask.
    begun: u64,
    last: Option<Instant>,
    /// How many in a row have got no map.
    failures: u32,
    told: Option<Instant>,
    /// Whether it was told that nobody answers.
    down: bool,
}

/// How far it has come.
#[derive(Default, Clone)]
pub struct Learned {
    /// How many turns are over.
    over: u64,
    /// When the last one ended, and how.
    last: Option<(Instant, Result<()>)>,
}

/// Who may be asked.
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
    /// Waits until there is a map.
    pub async fn known(self: &Arc<Self>, until: Instant) -> Result<()> {
        if self.table().is_known() {
            return Ok(());
        }
        let learned = timeout_at(until, self.learned(self.learn())).await;
        learned.unwrap_or_else(|_| {
            Err(Error::new(Kind::Unavailable, format!("no map of the {self} in time, which nobody has answered with")))
        })
    }

    /// Wants a newer map than there is; the number is what to wait for, if anybody wants to.
    pub fn learn(self: &Arc<Self>) -> u64 {
        let mut learning = lock(&self.learning);
        // Whoever has been asked already may not know yet.
        learning.again |= learning.asking;
        if !learning.running {
            learning.running = true;
            tokio::spawn(self.clone().keep_learning());
        }
        learning.begun + 1
    }

    /// Takes over the map of the node at this address, which knows best of the slots that it has just given away.
    pub async fn learn_from(&self, address: Address) -> Result<()> {
        let asked = timeout(LIMIT, self.ask(Candidate::Dialled(address))).await;
        let runs = asked.map_err(|_| Error::new(Kind::Unavailable, format!("no map within {LIMIT:?}")))??;
        self.take_over(&runs);
        Ok(())
    }

    /// A node says that it has given this slot away. Whoever asks next goes there at once.
    pub fn moved(self: &Arc<Self>, slot: u16, to: &Address) {
        {
            let mut table = self.table();
            if !table.may_know(to) {
                return;
            }
            let node = table.at(to, |address| self.node(address));
            table.give(slot, &node);
        }
        self.learn();
    }

    /// Whether the map was learned so lately that there is no point in another one because a node is away.
    pub fn is_fresh(&self) -> bool {
        self.learned.borrow().last.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH)
    }

    /// Waits for the end of that turn.
    pub async fn learned(&self, number: u64) -> Result<()> {
        let mut learned = self.learned.subscribe();
        let over = learned.wait_for(|learned| learned.over >= number).await;
        match over.map(|learned| learned.last.clone()) {
            Ok(Some((_, result))) => result,
            _ => Err(Error::new(Kind::Closed, "this service was disconnected")),
        }
    }

    async fn keep_learning(self: Arc<Self>) {
        loop {
            let due = {
                let learning = lock(&self.learning);
                // All nodes were just asked, in vain.
                let every = EVERY.saturating_mul(2_u32.saturating_pow(learning.failures)).min(SELDOM);
                learning.last.map(|last| last + every)
            };
            if let Some(due) = due {
                sleep_until(due).await;
            }
            {
                let mut learning = lock(&self.learning);
                (learning.asking, learning.again) = (true, false);
                learning.begun += 1;
                learning.last = Some(Instant::now());
            }
            let result = self.fetch().await.map(|runs| self.take_over(&runs));
            if let Err(error) = &result {
                *lock(&self.last_error) = Some((error.clone(), SystemTime::now()));
            }
            self.tell_reached(result.as_ref().err());
            let again = {
                let mut learning = lock(&self.learning);
                learning.asking = false;
                learning.failures = if result.is_ok() { 0 } else { (learning.failures + 1).min(16) };
                learning.running = learning.again && !self.closed.load(Ordering::Acquire);
                self.learned.send_modify(|learned| {
                    learned.over = learning.begun;
                    learned.last = Some((Instant::now(), result));
                });
                learning.running
            };
            if !again {
                return;
            }
        }
    }

    /// Those that have a connection, anywhere in their order first so that no node is asked by everybody, then the seeds, which
    /// are names and lead to wherever the nodes are today, then the rest.
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
                let until = Instant::now() + LIMIT;
                let member = node.server.pool().take(until).await?;
                let mut commands = Commands::default();
                commands.push_words(&slots);
                let reply = member.connection.hand_over(commands).replies(until).await.pop();
                reply.unwrap_or_else(|| Err(Error::new(Kind::Internal, "a connection forgot a call")))
            }
            Candidate::Dialled(address) => {
                let mut wire = self.dialler.dial(&Place::Tcp(address.clone())).await?;
                let late = || Err(Error::new(Kind::Unavailable, format!("no map from {address} within {LIMIT:?}")));
                timeout(LIMIT, wire.ask(&slots)).await.unwrap_or_else(|_| late())
            }
        };
        let address = candidate.address();
        let reply: Reply = reply.map_err(|error| match error.kind {
            Kind::Server => {
                Error::new(Kind::Unsupported, format!("{address} is no node of a cluster ({})", error.message()))
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
        let mut learning = lock(&self.learning);
        let quiet = learning.told.is_some_and(|told| told.elapsed() < TELL_EVERY);
        let text = match (change.nodes, change.slots) {
            (true, _) => "other nodes have slots now",
            (false, true) if !quiet => "slots have moved",
            _ => return,
        };
        learning.told = Some(Instant::now());
        drop(learning);
        self.tell(EventKind::TopologyChanged, format!("{self}: {text}"));
        drop(change.left);
    }

    /// Tells once that nobody answers, and once that somebody does again. What becomes of each node, that node tells.
    fn tell_reached(&self, error: Option<&Error>) {
        let down = error.is_some();
        if std::mem::replace(&mut lock(&self.learning).down, down) == down {
            return;
        }
        match error {
            Some(error) => self.tell(EventKind::Down, error.message().to_owned()),
            None => self.tell(EventKind::Connected, format!("the {self} answers again")),
        }
    }

    fn tell(&self, what: EventKind, text: String) {
        self.events.emit(&Event::new(what, self.to_string(), text));
    }
}

/// The first good answer. The next one is asked as soon as one has failed, or was quiet for a while.
///
/// # Errors
/// That of the first; a refused password, wherever it is: that is what has to change.
pub async fn first_of<A, T, F>(all: Vec<A>, ask: impl Fn(A) -> F) -> Result<T>
where
    F: Future<Output = Result<T>> + Send,
{
    let mut crew = Crew::new();
    let mut failed = None::<Error>;
    let mut all = all.into_iter();
    loop {
        if let Some(next) = all.next() {
            crew.add(ask(next));
        }
        let answer = match all.len() {
            0 => crew.next().await,
            _ => match timeout(BESIDE, crew.next()).await {
                Ok(answer) => answer,
                Err(_) => continue,
            },
        };
        match answer {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) if error.kind == Kind::Auth || failed.is_none() => failed = Some(error),
            Some(Err(_)) => {}
            None => return Err(failed.unwrap_or_else(|| Error::new(Kind::Unavailable, "there is nobody to ask"))),
        }
    }
}
