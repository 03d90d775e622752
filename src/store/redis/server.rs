//! One server: rounds sent to it, repeated where that does no harm, refused where it keeps failing or has too much to do.

mod apart;
mod flight;
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
    sync::{Mutex, Semaphore},
    time::Instant,
};

use super::{
    breaker::{Breaker, Pass, Tally},
    connection::Replies,
    dial::Dialler,
    lanes::{Errand, Keys, Lanes, Trip},
    pool::Pool,
    retry::{self, Verdict},
    source::Source,
};
use crate::{
    error::{Error, Kind, Result},
    settings::Settings,
    store::{BreakerState, Events, Reply, Role, ServerStatus, plan::Wire},
};

/// Replies, and since when the server has owed them.
type Sent = (Replies, Instant);

/// Replies of a round, where they are there.
pub type Parts = Vec<Option<Result<Reply>>>;

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
    lanes: Arc<Lanes>,
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
    pub fn new(
        settings: Arc<Settings>,
        dialler: Arc<Dialler>,
        source: Source,
        events: Arc<Events>,
        lanes: Arc<Lanes>,
    ) -> Arc<Self> {
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
            lanes,
            turn: Mutex::new(()),
            made: AtomicU64::new(0),
        })
    }

    /// Waits until a connection stands.
    pub async fn connected(&self) -> Result<()> {
        self.pool.take(Instant::now() + self.settings.connect_timeout).await.map(drop)
    }

    /// The trip of a request that is to be sent here.
    pub fn trip(&self, wire: &Wire) -> Trip<'_> {
        Trip::new(&self.lanes, wire)
    }

    /// Parts a round where some of its requests would have to wait for others, or to take another connection than they; `None`
    /// where all go together. Groups are to be sent in the order of their numbers.
    pub fn parted(&self, requests: impl Iterator<Item = Keys>) -> Option<Vec<usize>> {
        if self.pool.is_single() && self.lanes.is_free() {
            return None;
        }
        let member = self.pool.pick()?;
        if self.lanes.is_quiet(member.number) { None } else { self.lanes.groups(member.number, requests) }
    }

    /// Sends requests: one reply each, in order. What is lost is sent again if that does no harm; nothing else ever is. `part` gets
    /// those replies that are there while others are still asked for; this answers the rest.
    pub async fn run(&self, wire: &[Wire], deadline: Instant, part: &mut (dyn FnMut(Parts) + Send)) -> Parts {
        let trips: Vec<_> = wire.iter().map(|wire| self.trip(wire)).collect();
        let errands: Vec<_> = wire.iter().zip(&trips).map(|(wire, trip)| Errand { wire, trip }).collect();
        let mut replies: Parts = self.attempt(&errands, deadline).await.into_iter().map(Some).collect();
        for attempt in 0..self.settings.retry_attempts {
            let judge = |(errand, reply): (&Errand<'_>, &Option<_>)| match reply {
                Some(reply) if !errand.trip.is_overtaken() => retry::judge(errand.wire, reply),
                _ => Verdict::Final,
            };
            let verdicts: Vec<_> = errands.iter().zip(&replies).map(judge).collect();
            let worst = verdicts.iter().copied().max().unwrap_or(Verdict::Final);
            let pause = if worst >= Verdict::Later { retry::pause(attempt) } else { Duration::ZERO };
            if worst == Verdict::Final || Instant::now() + pause >= deadline {
                break;
            }
            let again: Vec<_> = (0..wire.len()).filter(|&at| verdicts[at] != Verdict::Final).collect();
            let last: Vec<_> = again.iter().map(|&at| replies[at].take()).collect();
            if replies.iter().any(Option::is_some) {
                let ended: Vec<_> = (0..wire.len()).filter(|&at| replies[at].is_some()).collect();
                part(settled(wire, &trips, std::mem::take(&mut replies)));
                ended.into_iter().for_each(|at| trips[at].leave());
                replies = wire.iter().map(|_| None).collect();
            }
            self.lanes.pause(pause).await;
            let some: Vec<_> = again.iter().map(|&at| errands[at]).collect();
            let answers = self.attempt(&some, deadline).await;
            for ((at, reply), last) in again.into_iter().zip(answers).zip(last) {
                // Why it could not be sent again is less to the point than what became of it before.
                replies[at] = if trips[at].is_overtaken() { last } else { Some(reply) };
            }
        }
        settled(wire, &trips, replies)
    }

    /// Sends requests once: in one piece, in order, over one connection.
    pub async fn attempt(&self, errands: &[Errand<'_>], deadline: Instant) -> Replies {
        self.attempt_as(errands, false, deadline).await
    }

    /// The same for requests whose slot is still on its way to this server.
    pub async fn attempt_asking(&self, errands: &[Errand<'_>], deadline: Instant) -> Replies {
        self.attempt_as(errands, true, deadline).await
    }

    async fn attempt_as(&self, errands: &[Errand<'_>], asking: bool, deadline: Instant) -> Replies {
        let room = self.queued.enter(errands, &self.settings);
        let (errands, over) = errands.split_at(room.wires);
        if errands.is_empty() {
            return fail_all(over, &self.queued.full(&self.settings));
        }
        let mut replies = match self.admit(errands, deadline).await {
            Ok(pass) => {
                let (replies, since) = self.send(errands, asking, deadline).await;
                self.record(pass, errands, &replies, since);
                replies
            }
            Err(error) => fail_all(errands, &error),
        };
        if !over.is_empty() {
            replies.extend(fail_all(over, &self.queued.full(&self.settings)));
        }
        replies
    }

    /// Whether a round may go now: whether the breaker lets it.
    async fn admit(&self, errands: &[Errand<'_>], deadline: Instant) -> Result<Pass> {
        self.tell_reconnected();
        let pass = self.pass()?;
        if !pass.is_probe() {
            return Ok(pass);
        }
        // Calls that come meanwhile must not get before these.
        self.lanes.park(errands, false);
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

    async fn send(&self, errands: &[Errand<'_>], asking: bool, deadline: Instant) -> Sent {
        if let [Errand { wire, .. }] = errands
            && wire.is_apart()
        {
            let since = Instant::now();
            // Boxed: it is rare, and would make every call's future larger.
            let sent: Pin<Box<dyn Future<Output = Result<Reply>> + Send + '_>> =
                Box::pin(self.send_apart(wire, asking, deadline));
            return (vec![sent.await], since);
        }
        let (mut replies, mut since) = self.go(errands, Manner { whole: false, asking }, deadline).await;
        // The server has forgotten its scripts (SCRIPT FLUSH): those runs did nothing, so they are sent whole.
        let forgotten: Vec<_> = (0..replies.len()).filter(|&at| is_forgotten(&replies[at])).collect();
        if !forgotten.is_empty() {
            let again: Vec<_> = forgotten.iter().map(|&at| errands[at]).collect();
            let (answers, again_since) = self.fly(&again, Manner { whole: true, asking }, deadline).await;
            since = again_since;
            for (at, reply) in forgotten.into_iter().zip(answers) {
                replies[at] = reply;
            }
        }
        if errands.iter().zip(&replies).any(|(errand, reply)| retry::judge(errand.wire, reply) == Verdict::Elsewhere) {
            self.pool.demoted();
        }
        if replies.iter().any(|reply| !reply.as_ref().is_err_and(Error::is_unavailable)) {
            self.pool.worked();
        }
        (replies, since)
    }

    fn record(&self, pass: Pass, errands: &[Errand<'_>], replies: &[Result<Reply>], since: Instant) {
        let (now, mut tally) = (Instant::now(), Tally::default());
        let counted = |(errand, _): &(&Errand<'_>, _)| counts(errand.wire) && !errand.trip.is_overtaken();
        for (Errand { wire, .. }, reply) in errands.iter().zip(replies).filter(counted) {
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

/// The answers of a round: each with its own reply, with nothing, or with what it was answered before it had to be done once more.
fn settled(wire: &[Wire], trips: &[Trip<'_>], replies: Parts) -> Parts {
    let settle = |((wire, trip), reply): ((&Wire, &Trip<'_>), Option<Result<Reply>>)| {
        let reply = reply?;
        let reply = if retry::was_done(&reply) { reply } else { trip.kept().unwrap_or(reply) };
        Some(retry::settle(wire, reply))
    };
    wire.iter().zip(trips).zip(replies).map(settle).collect()
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
    fn enter(&self, errands: &[Errand<'_>], settings: &Settings) -> Room<'_> {
        let (queued, waiting) = (self.calls.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        let mut room = Room { queued: self, wires: 0, calls: 0, bytes: 0 };
        for wire in errands.iter().map(|errand| errand.wire) {
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

fn fail_all(errands: &[Errand<'_>], error: &Error) -> Replies {
    errands.iter().map(|_| Err(error.clone())).collect()
}

/// Whether the breaker counts it: a health check must not be what cuts a server off.
fn counts(wire: &Wire) -> bool {
    !matches!(wire, Wire::One(request) if !request.counted)
}

fn is_forgotten(reply: &Result<Reply>) -> bool {
    matches!(reply, Err(error) if error.message().starts_with("NOSCRIPT"))
}
