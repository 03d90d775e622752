//! Runs calls whose answers come from several servers: each is settled when its own answers are there, and goes on to its
//! next round then. One server that is slow or away holds up nobody who asks another one.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
};

use smallvec::SmallVec;
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::{Instant, sleep_until},
};

use super::{Begun, End, Ended, GRACE, Running, Waiting, begin, late, polled};
use crate::{
    error::{Error, Kind, Result},
    store::{Reply, Request, crew::Crew, redis},
};

/// Some replies of a round, by its number, with the places of their requests.
type Told = (usize, Vec<(usize, Result<Reply>)>);

/// As `Store::run_until`.
pub async fn run<T, Tag>(
    engine: &redis::Engine,
    calls: Vec<Running<T, Tag>>,
    deadline: Instant,
    mut cut: Pin<&mut impl Future<Output = ()>>,
    settle: impl FnMut(Vec<(Result<T>, Tag)>),
) {
    let (tell, mut told) = unbounded_channel();
    let mut crew = Crew::new();
    let mut rounds = Rounds { all: Vec::new(), again: calls, settle };
    let mut overdue = pin!(sleep_until(deadline + GRACE));
    loop {
        if let Some((number, batch)) = rounds.begin(deadline) {
            crew.add(execute(engine, number, batch, deadline, tell.clone()));
        }
        let ended = tokio::select! {
            biased;
            Some((number, replies)) = told.recv() => {
                rounds.take(number, replies);
                continue;
            }
            ended = crew.next() => ended,
            () = &mut overdue => return rounds.cut(End::Overdue),
            () = &mut cut => return rounds.cut(End::Cut),
        };
        // It may have told its last replies just before it ended.
        while let Ok((number, replies)) = told.try_recv() {
            rounds.take(number, replies);
        }
        match ended {
            Some((number, result)) => rounds.end(number, result.err()),
            None if rounds.again.is_empty() => return,
            None => {}
        }
    }
}

/// Runs a round; its number, and what went wrong with all of it.
async fn execute(
    engine: &redis::Engine,
    number: usize,
    batch: Vec<Request>,
    deadline: Instant,
    tell: UnboundedSender<Told>,
) -> (usize, Result<()>) {
    let mut deliver = |replies| {
        let _ = tell.send((number, replies));
    };
    let mut execution = pin!(engine.execute_apart(batch, deadline, &mut deliver));
    (number, poll_fn(|context| polled(execution.as_mut(), context)).await)
}

/// All rounds of some calls.
struct Rounds<T, Tag, Settle> {
    all: Vec<Round<T, Tag>>,
    /// Calls that need another round.
    again: Vec<Running<T, Tag>>,
    settle: Settle,
}

/// Calls that went out together.
struct Round<T, Tag> {
    calls: Vec<Option<Pending<T, Tag>>>,
    /// Whose each request is.
    owners: Vec<u32>,
}

/// A call, and those of its replies that are there.
struct Pending<T, Tag> {
    waiting: Waiting<T, Tag>,
    /// Where its requests begin in the batch.
    first: usize,
    replies: SmallVec<[Option<Result<Reply>>; 1]>,
    missing: usize,
}

impl<T, Tag, Settle: FnMut(Vec<(Result<T>, Tag)>)> Rounds<T, Tag, Settle> {
    /// The next round, if any call needs one: its number, and what to ask.
    fn begin(&mut self, deadline: Instant) -> Option<(usize, Vec<Request>)> {
        if self.again.is_empty() {
            return None;
        }
        let again = std::mem::take(&mut self.again);
        if !self.all.is_empty() && Instant::now() >= deadline {
            (self.settle)(again.into_iter().map(|running| (Err(late(running.changed)), running.tag)).collect());
            return None;
        }
        let Begun { batch, waiting, done } = begin(again.into_iter());
        if !done.is_empty() {
            (self.settle)(done);
        }
        if batch.is_empty() {
            return None;
        }
        let mut round = Round { calls: Vec::with_capacity(waiting.len()), owners: Vec::with_capacity(batch.len()) };
        for waiting in waiting {
            let (first, missing) = (round.owners.len(), waiting.requests);
            round.owners.extend((0..missing).map(|_| round.calls.len() as u32));
            let replies = (0..missing).map(|_| None).collect();
            round.calls.push(Some(Pending { waiting, first, replies, missing }));
        }
        self.all.push(round);
        Some((self.all.len() - 1, batch))
    }

    /// Some replies have come.
    fn take(&mut self, number: usize, replies: Vec<(usize, Result<Reply>)>) {
        let Some(round) = self.all.get_mut(number) else { return };
        let mut done = Vec::with_capacity(replies.len());
        for (at, reply) in replies {
            let Some(call) = round.owners.get(at).and_then(|owner| round.calls.get_mut(*owner as usize)) else {
                continue;
            };
            let Some(pending) = call else { continue };
            if let Some(place) = pending.replies.get_mut(at - pending.first)
                && place.replace(reply).is_none()
            {
                pending.missing -= 1;
            }
            if pending.missing == 0
                && let Some(pending) = call.take()
            {
                match pending.waiting.read(pending.replies.into_iter().flatten().collect(), None) {
                    Ended::Done(result) => done.push(result),
                    Ended::Again(running) => self.again.push(running),
                }
            }
        }
        if !done.is_empty() {
            (self.settle)(done);
        }
    }

    /// A round is over: what it has not answered, it never will.
    fn end(&mut self, number: usize, error: Option<Error>) {
        let error = error.unwrap_or_else(|| Error::new(Kind::Internal, "an engine left a request without a reply"));
        let Some(round) = self.all.get_mut(number) else { return };
        let done = std::mem::take(&mut round.calls).into_iter().flatten();
        let done: Vec<_> = done.map(|pending| pending.give_up(End::Overdue, |_| error.clone())).collect();
        if !done.is_empty() {
            (self.settle)(done);
        }
    }

    /// Nobody waits any longer.
    fn cut(mut self, end: End) {
        let pending = self.all.into_iter().flat_map(|round| round.calls).flatten();
        let again = self.again.into_iter().map(|running| (Err(late(running.changed)), running.tag));
        let done: Vec<_> =
            pending.map(|pending| pending.give_up(end, |repeatable| end.error(repeatable))).chain(again).collect();
        if !done.is_empty() {
            (self.settle)(done);
        }
    }
}

impl<T, Tag> Pending<T, Tag> {
    /// Reads what is there; the rest is `error`, which is told whether the call is repeatable.
    fn give_up(self, end: End, error: impl Fn(bool) -> Error) -> (Result<T>, Tag) {
        let repeatable = self.waiting.repeatable;
        let replies = self.replies.into_iter().map(|reply| reply.unwrap_or_else(|| Err(error(repeatable)))).collect();
        match self.waiting.read(replies, Some(end)) {
            Ended::Done(result) => result,
            Ended::Again(running) => (Err(late(running.changed)), running.tag),
        }
    }
}
