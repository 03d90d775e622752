//! Runs a batch of calls in rounds, until each has a result.

mod erased;
mod streaming;
#[cfg(test)]
mod tests;

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, PerRequest, ReadReplies, Replies, Reply, Request, Step,
    effect::Progress,
    error::{Error, Kind, Result},
};
use smallvec::SmallVec;
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::{Engine, Store};

/// How long after the deadline an engine may still reply. It knows the outcome of a request best, so it gets a little more
/// time.
const GRACE: Duration = Duration::from_millis(20);

/// A call between two rounds.
struct NextRound<T, Tag> {
    call: Call<T>,
    tag: Tag,
    /// What earlier rounds have done.
    progress: Progress,
}

/// A call whose round is in flight.
struct InFlight<T, Tag> {
    /// The effect of each request.
    effects: PerRequest<Effect>,
    read: ReadReplies<T>,
    tag: Tag,
    /// What earlier rounds have done.
    progress: Progress,
    /// The first key of its first request, for errors. Empty if that has no key. A copy is cheaper than counting references.
    key: SmallVec<[u8; 32]>,
}

/// The outcome of a round for a call.
enum Advance<T, Tag> {
    Done((Result<T>, Tag)),
    /// It needs another round.
    Next(NextRound<T, Tag>),
}

impl<T, Tag> InFlight<T, Tag> {
    /// Reads the replies to its requests.
    fn read(self, replies: PerRequest<Result<Reply>>) -> Advance<T, Tag> {
        let (step, outcome) = self.step(replies);
        match step {
            Ok(Step::Done(result)) => Advance::Done((Ok(result), outcome.tag)),
            Ok(Step::Next(call)) => Advance::Next(NextRound { call, tag: outcome.tag, progress: outcome.progress }),
            Err(error) => Advance::Done((Err(error), outcome.tag)),
        }
    }

    /// Reads the replies to its requests, after which it gets no further round.
    fn end(self, replies: PerRequest<Result<Reply>>, end: Cutoff) -> (Result<T>, Tag) {
        let (step, outcome) = self.step(replies);
        let result = match step {
            Ok(Step::Done(result)) => Ok(result),
            Ok(Step::Next(_)) => Err(outcome.located(outcome.progress.final_error(end.error(false)))),
            Err(error) => Err(error),
        };
        (result, outcome.tag)
    }

    /// Ends it with the error of each request.
    fn end_without_replies(self, end: Cutoff) -> (Result<T>, Tag) {
        let errors = self.effects.iter().map(|effect| Err(end.error(effect.changes()))).collect();
        self.end(errors, end)
    }

    fn step(self, replies: PerRequest<Result<Reply>>) -> (Result<Step<T>>, Outcome<Tag>) {
        let Self { effects, read, tag, mut progress, key } = self;
        // If everything was executed, the reader's own error applies.
        let has_changed = progress.has_changed();
        effects.iter().zip(&replies).for_each(|(effect, reply)| progress.record(effect, reply));
        let earlier_effects = has_changed || progress.has_failed();
        let outcome = Outcome { tag, progress, key };
        let step = catching_panic(read, Replies(replies));
        let step = step.map_err(|error| {
            outcome.located(if earlier_effects { outcome.progress.final_error(error) } else { error })
        });
        (step, outcome)
    }
}

/// A call whose replies have been read.
struct Outcome<Tag> {
    tag: Tag,
    progress: Progress,
    key: SmallVec<[u8; 32]>,
}

impl<Tag> Outcome<Tag> {
    fn located(&self, error: Error) -> Error {
        if self.key.is_empty() { error } else { error.at(&Bytes::copy_from_slice(&self.key)) }
    }
}

/// A round that is about to be sent.
struct RoundStart<T, Tag> {
    batch: Vec<Request>,
    in_flight: Vec<InFlight<T, Tag>>,
    /// Calls that were settled without a request.
    done: Vec<(Result<T>, Tag)>,
}

fn begin<T, Tag>(calls: impl ExactSizeIterator<Item = NextRound<T, Tag>>) -> RoundStart<T, Tag> {
    let mut batch = Vec::with_capacity(calls.len());
    let mut in_flight = Vec::with_capacity(calls.len());
    let mut done = Vec::with_capacity(calls.len());
    for NextRound { call, tag, progress } in calls {
        match build_deferred(call) {
            Ok(Step::Next(Call { requests, read })) => {
                let effects = requests.iter().map(|request| request.effect.clone()).collect();
                let key = requests.first().and_then(|request| request.first_key());
                let key = key.map(|key| SmallVec::from_slice(key)).unwrap_or_default();
                in_flight.push(InFlight { effects, read, tag, progress, key });
                batch.extend(requests);
            }
            Ok(Step::Done(result)) => done.push((Ok(result), tag)),
            Err(error) => done.push((Err(progress.final_error(error)), tag)),
        }
    }
    RoundStart { batch, in_flight, done }
}

impl Store {
    /// Runs calls that were submitted together. `settle` gets the calls that each round finished, with their tags, so that a call of
    /// one round never waits for one of several. Calls that are still pending when `closed` completes are settled then.
    ///
    /// The deadline applies to all rounds together. Soon after it, every call is settled, whatever the engine does: dropping its future
    /// cancels requests that were not sent yet.
    pub async fn run_until<T: Send, Tag: Send>(
        &self,
        calls: Vec<(Call<T>, Tag)>,
        deadline: Instant,
        closed: impl Future<Output = ()>,
        mut settle: impl FnMut(Vec<(Result<T>, Tag)>) + Send,
    ) {
        let mut closed = pin!(closed);
        let first = calls.into_iter().map(|(call, tag)| NextRound { call, tag, progress: Progress::default() });
        if let Engine::Redis(engine) = &self.engine {
            return streaming::run(engine, first.collect(), deadline, closed, settle).await;
        }
        let mut next_round = self.round(first, deadline, closed.as_mut(), &mut settle).await;
        while !next_round.is_empty() {
            if Instant::now() >= deadline {
                return settle(deadline_passed(next_round));
            }
            next_round = self.round(next_round.into_iter(), deadline, closed.as_mut(), &mut settle).await;
        }
    }

    /// Runs one round. Returns the calls that need another.
    async fn round<T, Tag>(
        &self,
        calls: impl ExactSizeIterator<Item = NextRound<T, Tag>>,
        deadline: Instant,
        closed: Pin<&mut impl Future<Output = ()>>,
        settle: &mut impl FnMut(Vec<(Result<T>, Tag)>),
    ) -> Vec<NextRound<T, Tag>> {
        let RoundStart { batch, in_flight, mut done } = begin(calls);
        let (replies, cutoff) = match self.replies(batch, deadline, closed).await {
            Ok(replies) => (replies, None),
            Err(end) => (Vec::new(), Some(end)),
        };
        let mut replies = replies.into_iter();
        let mut next_round = Vec::new();
        for in_flight in in_flight {
            if let Some(end) = cutoff {
                done.push(in_flight.end_without_replies(end));
                continue;
            }
            let mine = take_replies(&mut replies, in_flight.effects.len());
            match in_flight.read(mine) {
                Advance::Done(result) => done.push(result),
                Advance::Next(next) => next_round.push(next),
            }
        }
        if !done.is_empty() {
            settle(done);
        }
        next_round
    }

    /// Returns the replies, or why they are no longer waited for.
    async fn replies(
        &self,
        batch: Vec<Request>,
        deadline: Instant,
        closed: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Vec<Result<Reply>>, Cutoff> {
        let count = batch.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        within_deadline(self.execute(batch, deadline), count, deadline, closed).await
    }
}

/// Waits for an engine until the deadline has passed or `closed` completes, whatever it does.
async fn within_deadline(
    execution: impl Future<Output = Vec<Result<Reply>>>,
    count: usize,
    deadline: Instant,
    closed: Pin<&mut impl Future<Output = ()>>,
) -> Result<Vec<Result<Reply>>, Cutoff> {
    let mut execution = pin!(execution);
    let mut catching_panic = pin!(poll_fn(|context| {
        poll_catching_panic(execution.as_mut(), context)
            .map(|replies| replies.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect()))
    }));
    // A result that is available immediately needs no timer.
    if let Poll::Ready(replies) = poll_fn(|context| Poll::Ready(catching_panic.as_mut().poll(context))).await {
        return Ok(replies);
    }
    tokio::select! {
        biased;
        replies = catching_panic => Ok(replies),
        // If this thread is late, results that are already available take precedence over the deadline.
        () = async { sleep_until(deadline + GRACE).await; yield_now().await } => Err(Cutoff::Deadline),
        () = closed => Err(Cutoff::Closed),
    }
}

/// Turns a panic in an engine into errors for this round, so that its promises still settle.
fn poll_catching_panic<F: Future>(engine: Pin<&mut F>, context: &mut Context<'_>) -> Poll<Result<F::Output>> {
    match catch_unwind(AssertUnwindSafe(|| engine.poll(context))) {
        Ok(poll_catching_panic) => poll_catching_panic.map(Ok),
        Err(panic) => Poll::Ready(Err(panicked(panic.as_ref()))),
    }
}

/// Why a call gets no further replies.
#[derive(Clone, Copy)]
enum Cutoff {
    /// The deadline passed. It is unknown whether its requests were sent.
    Deadline,
    /// The service was disconnected. It is unknown whether its requests were sent.
    Closed,
    /// The deadline passed between two rounds. The requests of the next one were not sent.
    BetweenRounds,
}

impl Cutoff {
    /// The error of a request.
    fn error(self, changes: bool) -> Error {
        match (self, changes) {
            (Self::BetweenRounds, _) => Error::new(Kind::NotSent, "the deadline passed before the next step was sent"),
            (Self::Deadline, false) => Error::new(Kind::Timeout, "no reply before the deadline"),
            (Self::Deadline, true) => Error::new(
                Kind::MaybeApplied,
                "no reply before the deadline; the call may or may not have been applied",
            ),
            (Self::Closed, false) => Error::new(Kind::Closed, "the service was disconnected before the reply arrived"),
            (Self::Closed, true) => Error::new(
                Kind::MaybeApplied,
                "the service was disconnected before the reply arrived; the call may or may not have been applied",
            ),
        }
    }
}

/// Ends calls whose deadline passed between two rounds. Each reads the errors of its next requests, since it may have a
/// fallback.
fn deadline_passed<T, Tag>(calls: Vec<NextRound<T, Tag>>) -> Vec<(Result<T>, Tag)> {
    let RoundStart { in_flight, mut done, .. } = begin(calls.into_iter());
    done.extend(in_flight.into_iter().map(|in_flight| in_flight.end_without_replies(Cutoff::BetweenRounds)));
    done
}

/// Takes the next `count` replies.
fn take_replies(replies: &mut std::vec::IntoIter<Result<Reply>>, count: usize) -> PerRequest<Result<Reply>> {
    match count {
        1 => replies.next().into_iter().collect(),
        _ => replies.take(count).collect(),
    }
}

/// Builds a deferred call, so that its requests are part of the round in which it was submitted.
fn build_deferred<T>(mut call: Call<T>) -> Result<Step<T>> {
    while call.requests.is_empty() {
        match catching_panic(call.read, Replies(SmallVec::new()))? {
            Step::Next(next) => call = next,
            done => return Ok(done),
        }
    }
    Ok(Step::Next(call))
}

/// Turns a panic while reading a reply into an error, so that other calls are not affected.
fn catching_panic<T>(read: ReadReplies<T>, replies: Replies) -> Result<Step<T>> {
    catch_unwind(AssertUnwindSafe(|| read(replies))).unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
}

/// Turns a panic into an error, so that the process goes on.
pub fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown".into());
    Error::new(Kind::Internal, format!("a bug in cinnabar: {text}"))
}
