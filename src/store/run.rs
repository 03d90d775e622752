//! Runs calls: round after round, each as one batch, until every call has its answer.

mod apart;
mod boxed;

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::{Call, Engine, Read, Replies, Reply, Request, Step, Store};
use crate::error::{Error, Kind, Result};

/// How long after its deadline an engine may still answer. It knows best what became of a request, so it speaks first; no
/// promise waits for it any longer.
const GRACE: Duration = Duration::from_millis(20);

/// A call between two rounds.
struct Running<T, Tag> {
    call: Call<T>,
    tag: Tag,
    /// Whether an earlier round may have changed something.
    changed: bool,
}

/// A call whose round is under way.
struct Waiting<T, Tag> {
    requests: usize,
    read: Read<T>,
    tag: Tag,
    changed: bool,
    /// The first key of its first request, for what goes wrong.
    key: Option<Bytes>,
    /// Whether this round changes nothing, or nothing that doing it again would not.
    repeatable: bool,
}

/// What became of a call in a round.
enum Ended<T, Tag> {
    Done((Result<T>, Tag)),
    /// It needs another round.
    Again(Running<T, Tag>),
}

impl<T, Tag> Waiting<T, Tag> {
    /// Reads the replies to its requests. What has come to its end gets no further round.
    fn read(self, replies: SmallVec<[Result<Reply>; 1]>, ended: Option<End>) -> Ended<T, Tag> {
        let Self { read, tag, changed, repeatable, key, .. } = self;
        let located = |error: Error| Err(if let Some(key) = &key { error.at(key) } else { error });
        match (guarded(read, Replies(replies)), ended) {
            (Ok(Step::Done(answer)), _) => Ended::Done((Ok(answer), tag)),
            (Ok(Step::Next(_)), Some(end)) => Ended::Done((located(end.error(repeatable && !changed)), tag)),
            (Ok(Step::Next(call)), None) => Ended::Again(Running { call, tag, changed: changed || !repeatable }),
            (Err(error), _) => Ended::Done((located(if changed { partly(error) } else { error }), tag)),
        }
    }
}

/// A round that is about to go out.
struct Begun<T, Tag> {
    batch: Vec<Request>,
    waiting: Vec<Waiting<T, Tag>>,
    /// Calls that need nothing of an engine.
    done: Vec<(Result<T>, Tag)>,
}

fn begin<T, Tag>(calls: impl ExactSizeIterator<Item = Running<T, Tag>>) -> Begun<T, Tag> {
    let mut batch = Vec::with_capacity(calls.len());
    let mut waiting = Vec::with_capacity(calls.len());
    let mut done = Vec::with_capacity(calls.len());
    for Running { call, tag, changed } in calls {
        match made(call) {
            Ok(Step::Next(Call { requests, read })) => {
                let repeatable = requests.iter().all(|request| request.repeatable);
                let key = requests.first().and_then(|request| request.touched()?.next().cloned());
                waiting.push(Waiting { requests: requests.len(), read, tag, changed, repeatable, key });
                batch.extend(requests);
            }
            Ok(Step::Done(answer)) => done.push((Ok(answer), tag)),
            Err(error) => done.push((Err(error), tag)),
        }
    }
    Begun { batch, waiting, done }
}

impl Store {
    /// Runs calls that go out together. `settle` gets those that each round finished, with the tag they came with, so that
    /// a call of one round never waits for a neighbour of several. What is still under way when `cut` comes is settled then.
    ///
    /// The deadline is that of all rounds together. Soon after it, every call is settled, whatever the engine does: dropping
    /// what it executes takes back what has not left.
    pub async fn run_until<T: Send, Tag: Send>(
        &self,
        calls: Vec<(Call<T>, Tag)>,
        deadline: Instant,
        cut: impl Future<Output = ()>,
        mut settle: impl FnMut(Vec<(Result<T>, Tag)>) + Send,
    ) {
        let mut cut = pin!(cut);
        let first = calls.into_iter().map(|(call, tag)| Running { call, tag, changed: false });
        if let Engine::Redis(engine) = &self.engine {
            return apart::run(engine, first.collect(), deadline, cut, settle).await;
        }
        let mut again = self.round(first, deadline, cut.as_mut(), &mut settle).await;
        while !again.is_empty() {
            if Instant::now() >= deadline {
                return settle(again.into_iter().map(|running| (Err(late(running.changed)), running.tag)).collect());
            }
            again = self.round(again.into_iter(), deadline, cut.as_mut(), &mut settle).await;
        }
    }

    /// One round; answers those that need another.
    async fn round<T, Tag>(
        &self,
        calls: impl ExactSizeIterator<Item = Running<T, Tag>>,
        deadline: Instant,
        cut: Pin<&mut impl Future<Output = ()>>,
        settle: &mut impl FnMut(Vec<(Result<T>, Tag)>),
    ) -> Vec<Running<T, Tag>> {
        let Begun { batch, waiting, mut done } = begin(calls);
        let (replies, ended) = match self.replies(batch, deadline, cut).await {
            Ok(replies) => (replies, None),
            Err(end) => (Vec::new(), Some(end)),
        };
        let mut replies = replies.into_iter();
        let mut again = Vec::new();
        for waiting in waiting {
            let mine = match ended {
                Some(end) => (0..waiting.requests).map(|_| Err(end.error(waiting.repeatable))).collect(),
                None => replies.by_ref().take(waiting.requests).collect(),
            };
            match waiting.read(mine, ended) {
                Ended::Done(result) => done.push(result),
                Ended::Again(running) => again.push(running),
            }
        }
        if !done.is_empty() {
            settle(done);
        }
        again
    }

    /// The replies, or why nobody waits for them any longer.
    async fn replies(
        &self,
        batch: Vec<Request>,
        deadline: Instant,
        cut: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Vec<Result<Reply>>, End> {
        let count = batch.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        guard(self.execute(batch, deadline), count, deadline, cut).await
    }
}

/// Waits for an engine until the deadline has passed or `cut` comes, whatever it does.
async fn guard(
    execution: impl Future<Output = Vec<Result<Reply>>>,
    count: usize,
    deadline: Instant,
    cut: Pin<&mut impl Future<Output = ()>>,
) -> Result<Vec<Result<Reply>>, End> {
    let mut execution = pin!(execution);
    let mut guarded = pin!(poll_fn(|context| {
        polled(execution.as_mut(), context)
            .map(|replies| replies.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect()))
    }));
    // What is answered at once needs no timer.
    if let Poll::Ready(replies) = poll_fn(|context| Poll::Ready(guarded.as_mut().poll(context))).await {
        return Ok(replies);
    }
    tokio::select! {
        biased;
        replies = guarded => Ok(replies),
        // Whoever had something to say at the deadline says it first, where the two come late and together.
        () = async { sleep_until(deadline + GRACE).await; yield_now().await } => Err(End::Overdue),
        () = cut => Err(End::Cut),
    }
}

/// A bug in an engine costs this round, not the promises that wait for it.
fn polled<F: Future>(engine: Pin<&mut F>, context: &mut Context<'_>) -> Poll<Result<F::Output>> {
    match catch_unwind(AssertUnwindSafe(|| engine.poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panicked(panic.as_ref()))),
    }
}

/// Why an engine is not waited for any longer. Nobody knows then whether a request has left.
#[derive(Clone, Copy)]
enum End {
    Overdue,
    Cut,
}

impl End {
    fn error(self, repeatable: bool) -> Error {
        match (self, repeatable) {
            (Self::Overdue, true) => Error::new(Kind::Timeout, "no answer before the deadline"),
            (Self::Overdue, false) => Error::new(
                Kind::MaybeApplied,
                "no answer before the deadline; the call may or may not have been applied",
            ),
            (Self::Cut, true) => Error::new(Kind::Closed, "the service was disconnected before the reply arrived"),
            (Self::Cut, false) => Error::new(
                Kind::MaybeApplied,
                "the service was disconnected before the reply arrived; the call may or may not have been applied",
            ),
        }
    }
}

/// The deadline passed between two rounds.
fn late(changed: bool) -> Error {
    let error = Error::new(Kind::NotSent, "the deadline passed before the next step was sent");
    if changed { partly(error) } else { error }
}

/// An error after which a caller may try again is no such error when an earlier step has changed something.
fn partly(error: Error) -> Error {
    match error.kind {
        Kind::Unavailable | Kind::NotSent | Kind::Backpressure | Kind::Timeout | Kind::Closed => {
            let message = format!("an earlier step of this call may have been applied, a later one was not: {error}");
            Error::new(Kind::MaybeApplied, message)
        }
        _ => error,
    }
}

/// Goes on with a call until it asks for something, so that it takes its place in the round in which it was made.
fn made<T>(mut call: Call<T>) -> Result<Step<T>> {
    while call.requests.is_empty() {
        match guarded(call.read, Replies(SmallVec::new()))? {
            Step::Next(next) => call = next,
            done => return Ok(done),
        }
    }
    Ok(Step::Next(call))
}

/// A bug in reading one reply must not take the neighbours with it.
fn guarded<T>(read: Read<T>, replies: Replies) -> Result<Step<T>> {
    catch_unwind(AssertUnwindSafe(|| read(replies))).unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
}

/// A panic as an error: the process goes on.
pub fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown".into());
    Error::new(Kind::Internal, format!("a bug in cinnabar: {text}"))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use bytes::Bytes;

    use super::*;
    use crate::store::memory;

    fn store() -> Store {
        Store::over(Engine::Memory(memory::Engine::new(1 << 20).unwrap()))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    fn ping(read: impl FnOnce(Reply) -> Result<Bytes> + Send + 'static) -> Call<Bytes> {
        Call::new(Request::command("PING", []), read)
    }

    #[tokio::test]
    async fn a_panic_is_the_error_of_its_own_call() {
        let calls = vec![
            (ping(|_| panic!("of this reader")), "panics"),
            (ping(|reply| Ok(reply.bulk()?.unwrap_or_default())), "answers"),
        ];
        let mut seen = Vec::new();
        store().run(calls, soon(), |done| seen.extend(done)).await;
        seen.sort_by_key(|(_, tag)| *tag);
        assert_eq!(seen[0].0.as_deref().unwrap(), b"PONG");
        let error = seen[1].0.clone().unwrap_err();
        assert_eq!(error.kind, Kind::Internal);
        assert!(error.message().contains("of this reader"), "{error}");
    }

    #[tokio::test]
    async fn a_call_of_one_round_does_not_wait_for_one_of_two() {
        let two =
            Call::round([Request::command("PING", [])], |_| Ok(Step::Next(ping(|_| Ok(Bytes::from_static(b"2"))))));
        let calls = vec![(two, "two"), (ping(|_| Ok(Bytes::from_static(b"1"))), "one")];
        let mut order = Vec::new();
        store().run(calls, soon(), |done| order.extend(done.into_iter().map(|(_, tag)| tag))).await;
        assert_eq!(order, ["one", "two"]);
    }

    #[tokio::test]
    async fn a_call_made_later_keeps_its_place() {
        let set = |value: &'static str| {
            Call::later(move || {
                let request = Request::keyed("SET", [Bytes::from_static(b"k"), Bytes::from_static(value.as_bytes())]);
                Ok(Call::new(request, |reply| Ok(reply.bulk()?.unwrap_or_default())))
            })
        };
        let get = Call::new(Request::get(Bytes::from_static(b"k")), |reply| Ok(reply.bulk()?.unwrap_or_default()));
        let refused = Call::later(|| Err(Error::argument("no")));
        let mut seen = Vec::new();
        store().run(vec![(set("1"), 0), (get, 1), (refused, 2), (set("2"), 3)], soon(), |done| seen.extend(done)).await;
        seen.sort_by_key(|(_, tag)| *tag);
        assert_eq!(seen[1].0.as_deref().unwrap(), b"1");
        assert_eq!(seen[2].0.clone().unwrap_err().kind, Kind::InvalidArgument);
    }

    #[tokio::test]
    async fn calls_together_answer_in_their_order() {
        let two =
            Call::round([Request::command("PING", [])], |_| Ok(Step::Next(ping(|_| Ok(Bytes::from_static(b"2"))))));
        let calls = vec![two, ping(|_| Ok(Bytes::from_static(b"1"))), Call::ready(Bytes::from_static(b"0"))];
        assert_eq!(store().call(Call::together(calls), soon()).await.unwrap(), ["2", "1", "0"]);
    }

    #[tokio::test]
    async fn an_engine_that_never_answers_costs_the_deadline_and_no_more() {
        let start = Instant::now();
        let ended = guard(pending(), 1, start + Duration::from_millis(5), pin!(pending())).await;
        assert!(matches!(ended, Err(End::Overdue)));
        assert!(start.elapsed() >= Duration::from_millis(5) + GRACE);
        let cut = tokio::time::sleep(Duration::from_millis(10));
        let ended = guard(pending(), 1, start + Duration::from_secs(60), pin!(cut)).await;
        assert!(matches!(ended, Err(End::Cut)));
    }

    #[tokio::test]
    async fn an_engine_that_panics_later_is_an_error_of_its_requests() {
        let execution = async {
            tokio::task::yield_now().await;
            panic!("of this engine")
        };
        let replies = guard(execution, 2, soon(), pin!(pending())).await.ok().unwrap();
        assert_eq!(replies.len(), 2);
        assert!(replies.iter().all(|reply| reply.as_ref().is_err_and(|error| error.kind == Kind::Internal)));
    }

    #[test]
    fn what_may_have_been_applied_is_never_called_repeatable() {
        for (end, repeatable, kind) in [
            (End::Overdue, true, Kind::Timeout),
            (End::Overdue, false, Kind::MaybeApplied),
            (End::Cut, true, Kind::Closed),
            (End::Cut, false, Kind::MaybeApplied),
        ] {
            assert_eq!(end.error(repeatable).kind, kind);
        }
    }

    #[tokio::test]
    async fn a_deadline_between_two_rounds_tells_whether_the_first_changed_something() {
        let two = |first: Request| Call::round([first], |_| Ok(Step::Next(ping(|reply| Ok(reply.bulk()?.unwrap())))));
        let set = Request::keyed("SET", [Bytes::from_static(b"k"), Bytes::from_static(b"v")]);
        let calls = vec![(two(set), 0), (two(Request::get(Bytes::from_static(b"k"))), 1)];
        let mut seen = Vec::new();
        store().run(calls, Instant::now(), |done| seen.extend(done)).await;
        seen.sort_by_key(|(_, tag)| *tag);
        let kinds: Vec<_> = seen.into_iter().map(|(answer, _)| answer.unwrap_err().kind).collect();
        assert_eq!(kinds, [Kind::MaybeApplied, Kind::NotSent]);
    }
}
