//! Runs calls: round after round, each as one batch, until every call has its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use smallvec::SmallVec;

use super::{Call, Replies, Step, Store};
use crate::error::{Error, Kind, Result};

impl Store {
    /// Runs calls that go out together. `settle` gets those that each round finished, with the tag they came with, so that
    /// a call of one round never waits for a neighbour of several.
    pub async fn run<T, Tag>(&self, mut calls: Vec<(Call<T>, Tag)>, mut settle: impl FnMut(Vec<(Result<T>, Tag)>)) {
        while !calls.is_empty() {
            let mut batch = Vec::with_capacity(calls.len());
            let mut waiting = Vec::with_capacity(calls.len());
            for (call, tag) in calls {
                waiting.push((call.requests.len(), call.read, tag));
                batch.extend(call.requests);
            }
            let mut replies = if batch.is_empty() { Vec::new() } else { self.execute(batch).await }.into_iter();
            let mut done = Vec::with_capacity(waiting.len());
            let mut again = Vec::new();
            for (count, read, tag) in waiting {
                let mine: SmallVec<_> = replies.by_ref().take(count).collect();
                // A bug in reading one reply must not take the neighbours with it.
                match catch_unwind(AssertUnwindSafe(|| read(Replies(mine)))) {
                    Ok(Ok(Step::Done(answer))) => done.push((Ok(answer), tag)),
                    Ok(Ok(Step::Next(call))) => again.push((call, tag)),
                    Ok(Err(error)) => done.push((Err(error), tag)),
                    Err(panic) => done.push((Err(panicked(panic.as_ref())), tag)),
                }
            }
            if !done.is_empty() {
                settle(done);
            }
            calls = again;
        }
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

/// A panic as an error: the process goes on.
pub fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown".into());
    Error::new(Kind::Internal, format!("a bug in cinnabar: {text}"))
}
