//! One server: rounds sent to it, repeated where that does no harm, refused where it keeps failing or has too much to do.

mod apart;
mod recover;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex, MutexGuard, Semaphore},
    time::{Instant, sleep, timeout_at},
};

use super::{
    breaker::{Breaker, Pass, Tally},
    command,
    connection::Replies,
    dial::Dialler,
    pool::{Member, Pool},
    resp::Commands,
    retry::{self, Verdict},
    source::Source,
    transaction,
};
use crate::{
    error::{Error, Kind, Result},
    settings::Settings,
    store::{BreakerState, Events, Reply, Role, ServerStatus, plan::Wire},
};

/// A server, its connections, and what keeps it from being asked too much.
pub struct Server {
    name: String,
    settings: Arc<Settings>,
    events: Arc<Events>,
    pool: Pool,
    breaker: Breaker,
    queued: Queued,
    /// Places for commands on connections of their own.
    apart: Semaphore,
    /// Rounds are handed over in the order in which they came, those that waited for a connection included.
    turn: Mutex<()>,
    /// How many connections had been made when the breaker was last told.
    made: AtomicU64,
    trips: recover::Trips,
    /// Itself, for what goes on when no call does.
    me: Weak<Server>,
}

/// What is under way.
#[derive(Default)]
struct Queued {
    calls: AtomicUsize,
    bytes: AtomicUsize,
}

impl Server {
    /// Dials nothing yet.
    pub fn new(settings: Arc<Settings>, dialler: Arc<Dialler>, source: Source, events: Arc<Events>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            trips: recover::Trips::default(),
            name: source.to_string(),
            breaker: Breaker::new(settings.breaker),
            pool: Pool::new(settings.clone(), dialler, source, events.clone()),
            settings,
            events,
            queued: Queued::default(),
            apart: Semaphore::new(apart::MOST),
            turn: Mutex::new(()),
            made: AtomicU64::new(0),
        })
    }

    /// Waits until a connection stands.
    pub async fn connected(&self) -> Result<()> {
        self.pool.take(Instant::now() + self.settings.connect_timeout).await.map(drop)
    }

    /// Sends a round: one reply each, in order. What is lost is sent again if that does no harm; nothing else ever is.
    pub async fn run(&self, wire: &[Wire], deadline: Instant) -> Vec<Result<Reply>> {
        let all: Vec<_> = wire.iter().collect();
        let mut replies = self.attempt(&all, deadline).await;
        for attempt in 0..self.settings.retry_attempts {
            let verdicts: Vec<_> = wire.iter().zip(&replies).map(|(wire, reply)| retry::judge(wire, reply)).collect();
            let worst = verdicts.iter().copied().max().unwrap_or(Verdict::Final);
            let pause = if worst >= Verdict::Later { retry::pause(attempt) } else { Duration::ZERO };
            if worst == Verdict::Final || Instant::now() + pause >= deadline {
                break;
            }
            sleep(pause).await;
            let again: Vec<_> = (0..wire.len()).filter(|&at| verdicts[at] != Verdict::Final).collect();
            let wires: Vec<_> = again.iter().map(|&at| &wire[at]).collect();
            for (at, reply) in again.into_iter().zip(self.attempt(&wires, deadline).await) {
                replies[at] = reply;
            }
        }
        wire.iter().zip(replies).map(|(wire, reply)| retry::settle(wire, reply)).collect()
    }

    /// Sends requests once: in one piece, in order, over one connection.
    pub async fn attempt(&self, all: &[&Wire], deadline: Instant) -> Replies {
        self.attempt_as(all, false, deadline).await
    }

    /// The same for requests whose slot is still on its way to this server.
    pub async fn attempt_asking(&self, all: &[&Wire], deadline: Instant) -> Replies {
        self.attempt_as(all, true, deadline).await
    }

    async fn attempt_as(&self, all: &[&Wire], asking: bool, deadline: Instant) -> Replies {
        let room = self.queued.enter(all, &self.settings);
        let (all, over) = all.split_at(room.wires);
        if all.is_empty() {
            return fail_all(over, &self.queued.full(&self.settings));
        }
        let mut replies = match self.admit(deadline).await {
            Ok(pass) => {
                let since = Instant::now();
                let replies = self.send(all, asking, deadline).await;
                self.record(pass, all, &replies, since);
                replies
            }
            Err(error) => fail_all(all, &error),
        };
        if !over.is_empty() {
            replies.extend(fail_all(over, &self.queued.full(&self.settings)));
        }
        replies
    }

    /// Whether a round may go now: whether the breaker lets it.
    async fn admit(&self, deadline: Instant) -> Result<Pass> {
        self.tell_reconnected();
        let pass = self.pass()?;
        if !pass.is_probe() {
            return Ok(pass);
        }
        self.probe(pass, deadline).await?;
        self.pass()
    }

    fn pass(&self) -> Result<Pass> {
        let pass = self.breaker.admit(Instant::now());
        self.tell_breaker();
        pass.map_err(|refused| {
            let why = self.pool.last_error().map(|(error, _)| format!(" after: {}", error.message()));
            let message = format!(
                "{} has failed too often and is left alone for another {:.1} s{}",
                self.name,
                refused.retry_in.as_secs_f64(),
                why.unwrap_or_default()
            );
            Error::new(Kind::Unavailable, message)
        })
    }

    async fn send(&self, all: &[&Wire], asking: bool, deadline: Instant) -> Replies {
        if let [wire] = all
            && wire.is_apart()
        {
            // Boxed: it is rare, and would make every call's future larger.
            let sent: Pin<Box<dyn Future<Output = Result<Reply>> + Send + '_>> =
                Box::pin(self.send_apart(wire, asking, deadline));
            return vec![sent.await];
        }
        let until = deadline.min(Instant::now() + self.settings.connect_wait);
        let taken = match timeout_at(until, self.turn.lock()).await {
            Ok(turn) => self.pool.take(until).await.map(|member| (turn, member)),
            Err(_) => Err(Error::new(Kind::Unavailable, format!("no connection to {} in time", self.name))),
        };
        let (turn, member) = match taken {
            Ok(taken) => taken,
            Err(error) => return fail_all(all, &error),
        };
        let mut replies = exchange(&member, all, Manner { whole: false, asking }, deadline, Some(turn)).await;
        // The server has forgotten its scripts (SCRIPT FLUSH): those runs did nothing, so they are sent whole.
        if replies.iter().any(is_forgotten) {
            member.scripts.forget();
            for (wire, reply) in all.iter().zip(&mut replies) {
                if is_forgotten(reply)
                    && let Some(again) =
                        exchange(&member, &[wire], Manner { whole: true, asking }, deadline, None).await.pop()
                {
                    *reply = again;
                }
            }
        }
        if all.iter().zip(&replies).any(|(wire, reply)| retry::judge(wire, reply) == Verdict::Elsewhere) {
            self.pool.demoted();
        }
        if replies.iter().any(|reply| !reply.as_ref().is_err_and(Error::is_unavailable)) {
            self.pool.worked();
        }
        replies
    }

    fn record(&self, pass: Pass, all: &[&Wire], replies: &[Result<Reply>], since: Instant) {
        let (now, mut tally) = (Instant::now(), Tally::default());
        for (wire, reply) in all.iter().zip(replies).filter(|(wire, _)| counts(wire)) {
            // How long a caller's own script takes is the caller's affair.
            let took = if wire.is_ours() { now - since } else { Duration::ZERO };
            // A node that speaks for its cluster answers well, and will as soon as the cluster is whole again.
            let speaks =
                |error: &Error| ["TRYAGAIN", "CLUSTERDOWN"].iter().any(|word| error.message().starts_with(word));
            let outcome = if reply.as_ref().is_err_and(speaks) { &Ok(Reply::Nil) } else { reply };
            tally.count(outcome, took, self.breaker.settings());
        }
        if tally.failed > 0
            && let Some(error) = replies.iter().find_map(|reply| reply.as_ref().err().filter(|e| e.is_unavailable()))
        {
            self.pool.note(error);
        }
        self.breaker.record(pass, tally, now);
        if tally.failed > 0 || tally.slow > 0 {
            self.tell_breaker();
        }
    }

    /// Whether a call would find a connection now.
    pub fn is_connected(&self) -> bool {
        self.pool.is_connected()
    }

    /// Whether nothing speaks against asking it: it answers, or nobody has tried yet.
    pub fn is_usable(&self) -> bool {
        let stands = self.pool.is_connected() || self.pool.made() == 0 && self.pool.is_reachable();
        stands && self.breaker.snapshot(Instant::now()).state != BreakerState::Open
    }

    /// The connections.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    pub fn status(&self) -> ServerStatus {
        self.tell_reconnected();
        let mut pool = self.pool.status();
        // What has no connection yet waits here.
        pool.pending =
            pool.pending.max((self.queued.calls.load(Ordering::Relaxed) as u64).saturating_sub(self.pool.unanswered()));
        ServerStatus {
            target: self.name.clone(),
            role: Role::Unknown,
            connected: self.pool.is_connected(),
            pool,
            breaker: self.breaker.snapshot(Instant::now()),
        }
    }
}

/// One exchange over this connection. `turn` is given back as soon as the commands are handed over.
async fn exchange(
    member: &Member,
    all: &[&Wire],
    Manner { whole, asking }: Manner,
    deadline: Instant,
    turn: Option<MutexGuard<'_, ()>>,
) -> Replies {
    let mut commands = Commands::default();
    for wire in all {
        if asking {
            // For the very next command only, which nothing can come before: an exchange stays together.
            commands.push_words(&[b"ASKING"]);
        }
        command::spell(wire, &member.scripts, whole, &mut commands);
    }
    let exchange = member.connection.hand_over(commands);
    drop(turn);
    let replies = exchange.replies(deadline).await;
    if !asking && all.iter().all(|wire| command::count(wire) == 1) {
        return replies.into_iter().map(|reply| reply.and_then(Reply::whole)).collect();
    }
    let mut replies = replies.into_iter();
    let one_of = |wire: &&Wire| {
        if asking {
            replies.next();
        }
        match command::count(wire) {
            1 => replies.next().unwrap_or_else(|| Err(Error::new(Kind::Internal, "a command has no reply"))),
            count => transaction::fold(replies.by_ref().take(count)),
        }
    };
    all.iter().map(one_of).collect()
}

/// How requests are spelled.
#[derive(Clone, Copy)]
struct Manner {
    /// Scripts with their whole text.
    whole: bool,
    /// For a slot that is still on its way to this server.
    asking: bool,
}

impl Queued {
    /// Makes room for as many of these, in their order, as there is room for. Whoever is alone always has room.
    fn enter(&self, all: &[&Wire], settings: &Settings) -> Room<'_> {
        let (queued, waiting) = (self.calls.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        let mut room = Room { queued: self, wires: 0, calls: 0, bytes: 0 };
        for wire in all {
            let (calls, bytes) = (room.calls + wire.calls(), room.bytes + wire.bytes());
            let fits = queued + calls <= settings.max_queued_calls && waiting + bytes <= settings.max_queued_bytes;
            if !fits && queued + room.calls > 0 {
                break;
            }
            (room.wires, room.calls, room.bytes) = (room.wires + 1, calls, bytes);
        }
        self.calls.fetch_add(room.calls, Ordering::Relaxed);
        self.bytes.fetch_add(room.bytes, Ordering::Relaxed);
        room
    }

    /// What those are told for whom there is no room.
    fn full(&self, settings: &Settings) -> Error {
        full(self.calls.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed), settings)
    }
}

/// What those are told for whom there is no room beside so much.
pub fn full(calls: usize, bytes: usize, settings: &Settings) -> Error {
    let message = format!(
        "there is no room beside {calls} calls with {bytes} bytes (maxQueuedCalls is {}, maxQueuedBytes {}); nothing was sent",
        settings.max_queued_calls, settings.max_queued_bytes
    );
    Error::new(Kind::Backpressure, message)
}

/// The place of a round among what is under way.
struct Room<'a> {
    queued: &'a Queued,
    /// How many of its requests have one.
    wires: usize,
    calls: usize,
    bytes: usize,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.queued.calls.fetch_sub(self.calls, Ordering::Relaxed);
        self.queued.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn fail_all(all: &[&Wire], error: &Error) -> Replies {
    all.iter().map(|_| Err(error.clone())).collect()
}

/// Whether the breaker counts it: a health check must not be what cuts a server off.
fn counts(wire: &Wire) -> bool {
    !matches!(wire, Wire::One(request) if !request.counted)
}

fn is_forgotten(reply: &Result<Reply>) -> bool {
    matches!(reply, Err(error) if error.message().starts_with("NOSCRIPT"))
}
