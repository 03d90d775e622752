//! Runs calls whose replies may arrive at different times, such as those of several servers. Each call is settled as soon as its own
//! replies are complete, or starts its next round then. A slow or unreachable server delays only its own calls.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use cinnabar_port::{
    PerRequest, Reply, Request,
    error::{Error, Kind, Result},
};
use cinnabar_redis::{Delivery, Engine};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::{
    Advance, Cutoff, GRACE, InFlight, NextRound, RoundStart, begin, deadline_passed, poll_catching_panic, take_replies,
};

/// Runs calls as `Store::run_until` does.
pub async fn run<T: Send, Tag: Send>(
    engine: &Engine,
    calls: Vec<NextRound<T, Tag>>,
    deadline: Instant,
    mut closed: Pin<&mut impl Future<Output = ()>>,
    settle: impl FnMut(Vec<(Result<T>, Tag)>) + Send,
) {
    let rounds = Mutex::new(Rounds { all: Vec::new(), next_round: calls, settle });
    let rounds = || rounds.lock();
    let mut rounds_in_flight = FuturesUnordered::new();
    let mut overdue = pin!(sleep_until(deadline + GRACE));
    loop {
        let started = rounds().begin(deadline);
        if let Some((number, batch)) = started {
            let rounds = &rounds;
            rounds_in_flight.push(
                async move {
                    // Settled immediately, before any later reply.
                    let mut deliver = |delivery| rounds().take(number, delivery);
                    let mut execution = pin!(engine.execute_streaming(batch, deadline, &mut deliver));
                    (number, poll_fn(|context| poll_catching_panic(execution.as_mut(), context)).await)
                }
                .boxed(),
            );
        }
        // A call that needs another round does not wait for the end of this one.
        let mut more = poll_fn(|_| if rounds().next_round.is_empty() { Poll::Pending } else { Poll::Ready(()) });
        let ended = tokio::select! {
            biased;
            ended = rounds_in_flight.next() => ended,
            () = &mut more => continue,
            () = &mut overdue => return rounds().cut_off(Cutoff::Deadline),
            () = &mut closed => return rounds().cut_off(Cutoff::Closed),
        };
        match ended {
            Some((number, result)) => rounds().end(number, result.err()),
            None if rounds().next_round.is_empty() => return,
            None => {}
        }
    }
}

/// All rounds of some calls.
struct Rounds<T, Tag, Settle> {
    all: Vec<Round<T, Tag>>,
    /// Calls that need another round.
    next_round: Vec<NextRound<T, Tag>>,
    settle: Settle,
}

/// Calls that were sent together.
struct Round<T, Tag> {
    /// Used until the first reply arrives.
    whole: Vec<InFlight<T, Tag>>,
    /// Used after the first reply.
    parts: Option<Parts<T, Tag>>,
}

struct Parts<T, Tag> {
    calls: Vec<Option<Pending<T, Tag>>>,
    /// The call of each request.
    owners: Vec<u32>,
}

/// A call with the replies that have arrived.
struct Pending<T, Tag> {
    in_flight: InFlight<T, Tag>,
    /// The position of its first request in the batch.
    first: usize,
    replies: PerRequest<Option<Result<Reply>>>,
    missing: usize,
}

impl<T, Tag, Settle: FnMut(Vec<(Result<T>, Tag)>)> Rounds<T, Tag, Settle> {
    /// Starts the next round, if any call needs one. Returns its number and its requests.
    fn begin(&mut self, deadline: Instant) -> Option<(usize, Vec<Request>)> {
        if self.next_round.is_empty() {
            return None;
        }
        let next_round = std::mem::take(&mut self.next_round);
        if !self.all.is_empty() && Instant::now() >= deadline {
            (self.settle)(deadline_passed(next_round));
            return None;
        }
        let RoundStart { batch, in_flight, done } = begin(next_round.into_iter());
        if !done.is_empty() {
            (self.settle)(done);
        }
        if batch.is_empty() {
            return None;
        }
        self.all.push(Round { whole: in_flight, parts: None });
        Some((self.all.len() - 1, batch))
    }

    /// Takes replies that have arrived.
    fn take(&mut self, number: usize, delivery: Delivery) {
        let Some(round) = self.all.get_mut(number) else { return };
        let mut done = Vec::with_capacity(round.whole.len());
        let mut read = |in_flight: InFlight<T, Tag>, replies| match in_flight.read(replies) {
            Advance::Done(result) => done.push(result),
            Advance::Next(next) => self.next_round.push(next),
        };
        match delivery {
            Delivery::All(replies) if round.parts.is_none() => {
                let mut replies = replies.into_iter();
                for in_flight in std::mem::take(&mut round.whole) {
                    let replies_of_call = take_replies(&mut replies, in_flight.effects.len());
                    read(in_flight, replies_of_call);
                }
            }
            delivery => {
                let parts = round.parts();
                for (at, reply) in delivery.into_some() {
                    if let Some(pending) = parts.take(at, reply) {
                        read(pending.in_flight, pending.replies.into_iter().flatten().collect());
                    }
                }
            }
        }
        if !done.is_empty() {
            (self.settle)(done);
        }
    }

    /// Ends a round: replies that are missing will not arrive.
    fn end(&mut self, number: usize, error: Option<Error>) {
        let error = error.unwrap_or_else(|| Error::new(Kind::Internal, "a request got no reply"));
        let Some(round) = self.all.get_mut(number) else { return };
        let done = std::mem::take(&mut round.parts().calls).into_iter().flatten();
        let done: Vec<_> = done.map(|pending| pending.give_up(Cutoff::Deadline, |_| error.clone())).collect();
        if !done.is_empty() {
            (self.settle)(done);
        }
    }

    /// Settles all calls, because of a cutoff.
    fn cut_off(&mut self, end: Cutoff) {
        let rounds = std::mem::take(&mut self.all);
        let pending = rounds.into_iter().flat_map(|mut round| std::mem::take(&mut round.parts().calls)).flatten();
        let mut done: Vec<_> = pending.map(|pending| pending.give_up(end, |changes| end.error(changes))).collect();
        done.extend(deadline_passed(std::mem::take(&mut self.next_round)));
        if !done.is_empty() {
            (self.settle)(done);
        }
    }
}

impl<T, Tag> Round<T, Tag> {
    /// Splits the round into its calls.
    fn parts(&mut self) -> &mut Parts<T, Tag> {
        let Self { whole, parts } = self;
        parts.get_or_insert_with(|| {
            let mut parts = Parts { calls: Vec::with_capacity(whole.len()), owners: Vec::new() };
            for in_flight in std::mem::take(whole) {
                let (first, missing) = (parts.owners.len(), in_flight.effects.len());
                parts.owners.extend((0..missing).map(|_| parts.calls.len() as u32));
                let replies = (0..missing).map(|_| None).collect();
                parts.calls.push(Some(Pending { in_flight, first, replies, missing }));
            }
            parts
        })
    }
}

impl<T, Tag> Parts<T, Tag> {
    /// Takes a reply; returns the call if all its replies are complete.
    fn take(&mut self, at: usize, reply: Result<Reply>) -> Option<Pending<T, Tag>> {
        let call = self.calls.get_mut(*self.owners.get(at)? as usize)?;
        let pending = call.as_mut()?;
        if pending.replies.get_mut(at - pending.first)?.replace(reply).is_none() {
            pending.missing -= 1;
        }
        if pending.missing == 0 { call.take() } else { None }
    }
}

impl<T, Tag> Pending<T, Tag> {
    /// Reads the replies that have arrived. The others are `error`, which gets whether the request changes something.
    fn give_up(self, end: Cutoff, error: impl Fn(bool) -> Error) -> (Result<T>, Tag) {
        let replies = self.replies.into_iter().zip(&self.in_flight.effects);
        let replies = replies.map(|(reply, effect)| reply.unwrap_or_else(|| Err(error(effect.changes())))).collect();
        self.in_flight.end(replies, end)
    }
}
