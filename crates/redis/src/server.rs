//! One server. A round of requests passes four layers:
//!
//! 1. retry (`run`, `retry.rs`): lost requests are sent again if that is safe;
//! 2. permits (`attempt`, `permits.rs`): requests beyond the queue limits are rejected;
//! 3. the breaker (`attempt`, `breaker.rs`): requests to a server that keeps failing are rejected, and the outcomes of the
//!    others are recorded;
//! 4. the pool (`send`, `exchange.rs`): the requests are sent over one connection in the order of their keys.

mod dedicated;
mod exchange;
mod permits;
mod recover;

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Weak, atomic::AtomicU64},
    time::Duration,
};

use cinnabar_port::{
    BreakerState, EventEmitter, Reply, Request, Role, ServerStatus,
    error::{Error, Kind, Result},
};
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, timeout_at},
};

use super::{
    Delivery,
    breaker::{Admission, Breaker, Outcomes},
    connection::Replies,
    dial::Dialler,
    key_order::{KeyOrder, Keys, Tracked, Tracker, WaitReason},
    pool::Pool,
    retry::{self, RetryDecision},
    source::Source,
};
use crate::{backoff, plan::OutgoingCommand, settings::Settings};
use permits::{Fit, Load, Permit, Permits};

/// What requests are sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Calls, which need queue space.
    Calls,
    /// Calls whose slot is being migrated to this server.
    Asking,
    /// A query of our own. It needs no queue space: the calls that wait for it have reserved theirs, and may fill the queue.
    Query,
}

/// Replies, and when the server received the requests.
type Sent = (Replies, Instant);

/// A server: its connections, breaker and queue limits.
pub struct Server {
    name: String,
    settings: Arc<Settings>,
    events: Arc<EventEmitter>,
    pool: Pool,
    breaker: Breaker,
    permits: Permits,
    /// Permits for commands on dedicated connections.
    dedicated_permits: Semaphore,
    key_order: Arc<KeyOrder>,
    /// Rounds are sent in order of arrival, including those that waited for a connection.
    turn: Mutex<()>,
    /// How many connections had been made when the breaker was last notified.
    made: AtomicU64,
    openings: recover::Openings,
    /// A reference to itself, for background tasks.
    me: Weak<Server>,
}

impl Server {
    /// Creates a server. It connects at the first call.
    pub fn new(
        settings: Arc<Settings>,
        dialler: Arc<Dialler>,
        source: Source,
        events: Arc<EventEmitter>,
        key_order: Arc<KeyOrder>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            openings: recover::Openings::default(),
            name: source.to_string(),
            breaker: Breaker::new(settings.breaker),
            pool: Pool::new(settings.clone(), dialler, source, events.clone()),
            settings,
            events,
            permits: Permits::default(),
            dedicated_permits: Semaphore::new(dedicated::MAX_CONNECTIONS),
            key_order,
            turn: Mutex::new(()),
            made: AtomicU64::new(0),
        })
    }

    /// Waits until a connection is established.
    pub async fn connected(&self) -> Result<()> {
        self.pool.take(Instant::now() + self.settings.connect_timeout).await.map(drop)
    }

    /// How many requests of a batch fit into the queue now. The others are to be rejected before any are merged into larger commands.
    pub fn fitting(&self, batch: &[Request]) -> Fit {
        self.permits.fitting(batch.iter().map(Load::of), &self.settings)
    }

    /// Reserves queue space for as many requests of a batch as fit.
    pub fn reserve(&self, batch: &[Request]) -> Permit<'_> {
        self.permits.enter(batch.iter().map(Load::of), &self.settings)
    }

    /// The ordering state of a request that will be sent to this server.
    pub fn tracker(&self, command: &OutgoingCommand) -> Tracker<'_> {
        Tracker::new(&self.key_order, command)
    }

    /// Divides a round if some of its requests would have to wait for calls in flight, or need another connection. Returns the
    /// group of each request, to be sent in the order of their numbers, or `None` if all can go together.
    pub fn parted(&self, requests: impl Iterator<Item = Keys>) -> Option<Vec<usize>> {
        if self.pool.is_single() && self.key_order.is_free() {
            return None;
        }
        let member = self.pool.pick()?;
        if self.key_order.is_quiet(member.number) { None } else { self.key_order.groups(member.number, requests) }
    }

    /// Sends requests and returns one reply each, in order. Lost requests are retried only if that is safe. While some are
    /// being retried, `part` receives the replies that are final; the result has the others.
    pub async fn run(
        &self,
        commands: &[OutgoingCommand],
        deadline: Instant,
        part: &mut (dyn FnMut(Delivery) + Send),
    ) -> Delivery {
        self.run_for(Purpose::Calls, commands, deadline, part).await
    }

    /// Sends a query of our own, which calls wait for.
    pub async fn ask(&self, question: &OutgoingCommand, deadline: Instant) -> Result<Reply> {
        let replies = self.run_for(Purpose::Query, std::slice::from_ref(question), deadline, &mut |_| {}).await;
        replies.into_some().into_iter().next().map_or(Ok(Reply::Nil), |(_, reply)| reply)
    }

    async fn run_for(
        &self,
        purpose: Purpose,
        commands: &[OutgoingCommand],
        deadline: Instant,
        part: &mut (dyn FnMut(Delivery) + Send),
    ) -> Delivery {
        let trackers: Vec<_> = commands.iter().map(|command| self.tracker(command)).collect();
        let requests: Vec<_> =
            commands.iter().zip(&trackers).map(|(command, tracker)| Tracked { command, tracker }).collect();
        let replies = self.attempt(purpose, &requests, deadline).await;
        if replies.iter().all(Result::is_ok) {
            return Delivery::All(replies);
        }
        let mut replies: Vec<_> = replies.into_iter().map(Some).collect();
        let (mut attempt, mut may_retry) = (0, true);
        loop {
            may_retry &= attempt < self.settings.retry_attempts;
            let classify = |(request, reply): (&Tracked<'_>, &Option<_>)| match reply {
                Some(reply) if !request.tracker.is_given_up() => match request.script_is_missing(reply) {
                    true => RetryDecision::Whole,
                    false if may_retry => retry::classify(request.command, reply),
                    false => RetryDecision::Final,
                },
                _ => RetryDecision::Final,
            };
            let mut decisions: Vec<_> = requests.iter().zip(&replies).map(classify).collect();
            let worst = |decisions: &[RetryDecision]| decisions.iter().copied().max().unwrap_or(RetryDecision::Final);
            let pause = if worst(&decisions) >= RetryDecision::Later {
                backoff::before_retrying(attempt)
            } else {
                Duration::ZERO
            };
            let next = Instant::now() + pause;
            let late = requests.iter().zip(&mut decisions).filter(|(request, _)| request.is_late(next, deadline));
            late.for_each(|(_, decision)| *decision = RetryDecision::Final);
            let worst = worst(&decisions);
            if worst == RetryDecision::Final {
                break;
            }
            if next >= deadline {
                if !may_retry || worst == RetryDecision::Whole {
                    break;
                }
                // Those without a pause still have time.
                may_retry = false;
                continue;
            }
            attempt += u32::from(worst > RetryDecision::Whole);
            requests.iter().zip(&decisions).filter(|(_, decision)| **decision == RetryDecision::Whole).for_each(
                |(request, _)| {
                    request.tracker.send_source();
                },
            );
            let mut again: Vec<_> = (0..commands.len()).filter(|&at| decisions[at] != RetryDecision::Final).collect();
            let mut last: Vec<_> = again.iter().map(|&at| replies[at].take()).collect();
            if replies.iter().any(Option::is_some) {
                let ended: Vec<_> = (0..commands.len()).filter(|&at| replies[at].is_some()).collect();
                part(settled(commands, &trackers, std::mem::take(&mut replies)));
                ended.into_iter().for_each(|at| trackers[at].leave());
                replies = commands.iter().map(|_| None).collect();
            }
            let wake = Instant::now() + pause;
            let overtaken = |again: &[usize]| again.iter().any(|&at| trackers[at].is_overtaken());
            while !pause.is_zero() && timeout_at(wake, self.key_order.overtaken(|| overtaken(&again))).await.is_ok() {
                // Only these are not retried; the others wait for the rest of their pause.
                let mut over: Vec<_> = commands.iter().map(|_| None).collect();
                let is_over = |&at: &usize| trackers[at].is_overtaken();
                for (&at, reply) in again.iter().zip(&mut last).filter(|(at, _)| is_over(at)) {
                    over[at] = reply.take();
                }
                last.retain(Option::is_some);
                let ended: Vec<_> = again.extract_if(.., |at| over[*at].is_some()).collect();
                part(settled(commands, &trackers, over));
                ended.into_iter().for_each(|at| trackers[at].leave());
            }
            if again.is_empty() {
                return Delivery::Some(Vec::new());
            }
            let some: Vec<_> = again.iter().map(|&at| requests[at]).collect();
            let new_replies = self.attempt(purpose, &some, deadline).await;
            for ((at, reply), last) in again.into_iter().zip(new_replies).zip(last) {
                // If it could not be retried, the outcome of the earlier attempt matters more than the reason.
                replies[at] = if trackers[at].is_given_up() { last } else { Some(reply) };
            }
        }
        settled(commands, &trackers, replies)
    }

    /// Sends requests once: together, in order, over one connection.
    pub async fn attempt(&self, purpose: Purpose, requests: &[Tracked<'_>], deadline: Instant) -> Replies {
        let loads = requests.iter().map(|request| Load::of_command(request.command));
        let permit = (purpose != Purpose::Query).then(|| self.permits.enter(loads, &self.settings));
        let (requests, over) = requests.split_at(permit.as_ref().map_or(requests.len(), |permit| permit.fit.count));
        let rejected = match &permit {
            Some(permit) if !over.is_empty() => fail_all(over, &permit.fit.full(&self.settings)),
            _ => Vec::new(),
        };
        if requests.is_empty() {
            return rejected;
        }
        let mut replies = match self.admit(requests, deadline).await {
            Ok(admission) => {
                let (replies, since) = self.send(requests, purpose == Purpose::Asking, deadline).await;
                self.record(admission, requests, &replies, since);
                replies
            }
            Err(error) => fail_all(requests, &error),
        };
        replies.extend(rejected);
        replies
    }

    /// Asks the breaker whether a round may be sent.
    async fn admit(&self, requests: &[Tracked<'_>], deadline: Instant) -> Result<Admission> {
        self.note_reconnect();
        let admission = self.admission()?;
        if !admission.is_probe() {
            return Ok(admission);
        }
        // Later calls must not overtake these during the probe.
        self.key_order.enqueue(requests, WaitReason::New);
        self.probe(admission, deadline).await?;
        self.admission()
    }

    fn admission(&self) -> Result<Admission> {
        let admission = self.breaker.admit(Instant::now());
        self.report_breaker();
        admission.map_err(|refused| {
            let last = self.pool.last_error();
            let why = last.as_ref().map(|(error, _)| format!(" (last error: {})", error.message()));
            let message = format!(
                "the circuit breaker of {} is open because too many calls failed or were slow; the next attempt is in {:.1} s{}",
                self.name,
                refused.retry_in.as_secs_f64(),
                why.unwrap_or_default()
            );
            last.iter().fold(Error::new(Kind::Unavailable, message), |made, (why, _)| made.because_of(why))
        })
    }

    async fn send(&self, requests: &[Tracked<'_>], asking: bool, deadline: Instant) -> Sent {
        if let [Tracked { command, .. }] = requests
            && command.is_dedicated()
        {
            let since = Instant::now();
            // Boxed because it is rare and would enlarge the future of every call.
            let sent: Pin<Box<dyn Future<Output = Result<Reply>> + Send + '_>> =
                Box::pin(self.send_dedicated(command, asking, deadline));
            let reply = sent.await;
            if retry::is_unread(&reply) {
                requests[0].tracker.mark_in_doubt();
            }
            return (vec![reply], since);
        }
        let (replies, since) = self.send_ordered(requests, asking, deadline).await;
        if requests
            .iter()
            .zip(&replies)
            .any(|(request, reply)| retry::classify(request.command, reply) == RetryDecision::Elsewhere)
        {
            self.pool.demoted();
        }
        if replies.iter().any(|reply| !reply.as_ref().is_err_and(Error::is_unavailable)) {
            self.pool.worked();
        }
        (replies, since)
    }

    fn record(&self, admission: Admission, requests: &[Tracked<'_>], replies: &[Result<Reply>], since: Instant) {
        let (now, mut outcomes) = (Instant::now(), Outcomes::default());
        let took = now - since;
        let counted = |(request, _): &(&Tracked<'_>, _)| counts(request.command) && !request.tracker.is_overtaken();
        for (Tracked { command, .. }, reply) in requests.iter().zip(replies).filter(counted) {
            // A caller's own script may be slow for its own reasons, so its duration does not count.
            let took = if command.is_from_feature() { took } else { Duration::ZERO };
            outcomes.count(reply, took, self.breaker.settings());
        }
        if outcomes.failed > 0
            && let Some(error) = replies.iter().find_map(|reply| reply.as_ref().err().filter(|e| e.is_unavailable()))
        {
            self.pool.note(error);
        }
        self.breaker.record(admission, outcomes, now);
        if outcomes.failed > 0 || outcomes.slow > 0 {
            self.report_breaker();
        }
    }

    /// Whether a connection is available.
    pub fn is_connected(&self) -> bool {
        self.pool.is_connected()
    }

    /// Whether calls may be sent: it is connected or has not been tried yet, and its breaker is not open.
    pub fn is_usable(&self) -> bool {
        let stands = self.pool.is_connected() || self.pool.made() == 0 && self.pool.is_reachable();
        stands && self.breaker.snapshot(Instant::now()).state != BreakerState::Open
    }

    /// The connections.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    pub fn status(&self) -> ServerStatus {
        self.note_reconnect();
        let mut pool = self.pool.status();
        // Includes calls that do not have a connection yet.
        pool.pending = pool.pending.max((self.permits.calls() as u64).saturating_sub(self.pool.pending()));
        ServerStatus {
            target: self.name.clone(),
            role: Role::Unknown,
            connected: self.pool.is_connected(),
            pool,
            breaker: self.breaker.snapshot(Instant::now()),
        }
    }
}

/// Returns the final replies of a round, as far as it has any. A request that could not be executed again has the reply from
/// before.
fn settled(commands: &[OutgoingCommand], trackers: &[Tracker<'_>], replies: Vec<Option<Result<Reply>>>) -> Delivery {
    let settle = |(at, reply): (usize, Option<Result<Reply>>)| {
        let reply = reply?;
        let reply = if retry::was_done(&reply) { reply } else { trackers[at].retained_reply().unwrap_or(reply) };
        Some((at, retry::settle(&commands[at], trackers[at].is_in_doubt(), reply)))
    };
    Delivery::Some(replies.into_iter().enumerate().filter_map(settle).collect())
}

fn fail_all(requests: &[Tracked<'_>], error: &Error) -> Replies {
    requests.iter().map(|_| Err(error.clone())).collect()
}

/// Whether the breaker counts it: health checks must not open the breaker.
fn counts(command: &OutgoingCommand) -> bool {
    !matches!(command, OutgoingCommand::One(request) if !request.counts_for_breaker)
}
