//! Runs calls: round after round, each as one batch, until every call has its answer.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use smallvec::SmallVec;

use super::{Call, Read, Replies, Reply, Request, Step, Store};
use crate::error::{Error, Kind, Result};

impl Store {
    /// Runs calls that go out together. `settle` gets those that each round finished, with the tag they came with, so that
    /// a call of one round never waits for a neighbour of several.
    pub async fn run<T, Tag>(&self, mut calls: Vec<(Call<T>, Tag)>, mut settle: impl FnMut(Vec<(Result<T>, Tag)>)) {
        while !calls.is_empty() {
            let mut batch = Vec::with_capacity(calls.len());
            let mut waiting = Vec::with_capacity(calls.len());
            let mut done = Vec::with_capacity(calls.len());
            for (call, tag) in calls {
                match made(call) {
                    Ok(Step::Next(call)) => {
                        waiting.push((call.requests.len(), call.read, tag));
                        batch.extend(call.requests);
                    }
                    Ok(Step::Done(answer)) => done.push((Ok(answer), tag)),
                    Err(error) => done.push((Err(error), tag)),
                }
            }
            let mut replies = self.replies(batch).await.into_iter();
            let mut again = Vec::new();
            for (count, read, tag) in waiting {
                let mine: SmallVec<_> = replies.by_ref().take(count).collect();
                match guarded(read, Replies(mine)) {
                    Ok(Step::Done(answer)) => done.push((Ok(answer), tag)),
                    Ok(Step::Next(call)) => again.push((call, tag)),
                    Err(error) => done.push((Err(error), tag)),
                }
            }
            if !done.is_empty() {
                settle(done);
            }
            calls = again;
        }
    }

    async fn replies(&self, batch: Vec<Request>) -> Vec<Result<Reply>> {
        let count = batch.len();
        if count == 0 {
            return Vec::new();
        }
        let mut execution = pin!(self.execute(batch));
        // A bug in an engine costs this round, not the promises that wait for it.
        let guarded = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| execution.as_mut().poll(context))) {
            Ok(poll) => poll,
            Err(panic) => {
                let error = panicked(panic.as_ref());
                Poll::Ready((0..count).map(|_| Err(error.clone())).collect())
            }
        });
        guarded.await
    }

    /// Runs one call by itself.
    pub async fn call<T>(&self, call: Call<T>) -> Result<T> {
        let mut answer = Err(Error::new(Kind::Internal, "the call was never settled"));
        self.run(vec![(call, ())], |mut done| {
            if let Some((result, ())) = done.pop() {
                answer = result;
            }
        })
        .await;
        answer
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
    use bytes::Bytes;

    use super::*;
    use crate::store::memory;

    fn store() -> Store {
        Store::Memory(memory::Engine::new(1 << 20).unwrap())
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
        store().run(calls, |done| seen.extend(done)).await;
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
        store().run(calls, |done| order.extend(done.into_iter().map(|(_, tag)| tag))).await;
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
        store().run(vec![(set("1"), 0), (get, 1), (refused, 2), (set("2"), 3)], |done| seen.extend(done)).await;
        seen.sort_by_key(|(_, tag)| *tag);
        assert_eq!(seen[1].0.as_deref().unwrap(), b"1");
        assert_eq!(seen[2].0.clone().unwrap_err().kind, Kind::InvalidArgument);
    }

    #[tokio::test]
    async fn calls_together_answer_in_their_order() {
        let two =
            Call::round([Request::command("PING", [])], |_| Ok(Step::Next(ping(|_| Ok(Bytes::from_static(b"2"))))));
        let calls = vec![two, ping(|_| Ok(Bytes::from_static(b"1"))), Call::ready(Bytes::from_static(b"0"))];
        assert_eq!(store().call(Call::together(calls)).await.unwrap(), ["2", "1", "0"]);
    }
}
