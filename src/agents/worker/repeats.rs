//! Repeats whose slots have come. Takes find them; where none is made, because nothing more may run or the event loop is blocked,
//! the task looks by itself: a schedule does not wait for jobs to end.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::Worker;
use crate::{
    error::{Error, Kind, Result},
    features::queue::{DueRepeat, Taken},
    store::{Call, Store},
};

/// At the latest so long after a take, or a look, comes another one.
const LOOK: Duration = Duration::from_secs(1);
/// What is due and yet not fired would otherwise be looked at without end.
const LEAST: Duration = Duration::from_millis(10);

/// When to look, and what was found.
pub struct Repeats {
    at: Instant,
    not_before: Instant,
    due: Vec<DueRepeat>,
    /// What went wrong last, if it still does.
    failing: Option<Kind>,
}

/// What came of a look.
#[derive(Default)]
pub struct Looked {
    /// Whether jobs were added.
    added: bool,
    /// In how long the next slot comes, as far as is known.
    next_in: Option<Duration>,
    failed: Option<Error>,
}

impl Repeats {
    /// Takes come first.
    pub fn new(now: Instant) -> Self {
        Self { at: now + LOOK, not_before: now, due: Vec::new(), failing: None }
    }

    /// What a take found.
    pub fn found(&mut self, taken: &Taken, now: Instant) {
        self.at = if taken.due.is_empty() { now + LOOK } else { now };
        self.due.clone_from(&taken.due);
    }

    /// When there is something to do.
    pub fn next_at(&self) -> Instant {
        self.at.max(self.not_before)
    }

    /// What is to be fired, if it is time; where nothing is known to be due, that has to be asked first.
    pub fn begin(&mut self, now: Instant) -> Option<Vec<DueRepeat>> {
        (self.next_at() <= now).then(|| std::mem::take(&mut self.due))
    }

    /// What came of it: whether jobs were added, and what went wrong, told once. That a server is away is told by takes.
    pub fn ended(&mut self, looked: Looked, now: Instant) -> (bool, Option<Error>) {
        let Looked { added, next_in, failed } = looked;
        let wait = next_in.map_or(LOOK, |next_in| next_in.clamp(LEAST, LOOK));
        self.at = if self.due.is_empty() { now + wait } else { now };
        self.not_before = now + if failed.is_some() { LOOK } else { LEAST };
        let failing = failed.as_ref().map(|error| error.kind);
        let is_news = std::mem::replace(&mut self.failing, failing) != failing;
        (added, failed.filter(|error| is_news && !error.is_unavailable()))
    }
}

impl Worker {
    /// Fires what is due. One that fails holds up no other one.
    pub(super) async fn fire(self: Arc<Self>, store: Arc<Store>, mut due: Vec<DueRepeat>) -> Looked {
        let mut looked = Looked::default();
        if due.is_empty() {
            match self.ask(&store, vec![self.queue.due()]).await.pop() {
                Some(Ok((found, next_in))) => (due, looked.next_in) = (found, next_in),
                Some(Err(error)) => looked.failed = Some(error),
                None => {}
            }
        }
        let mut calls = Vec::with_capacity(due.len());
        for repeat in &due {
            match self.queue.fire(repeat) {
                Ok(call) => calls.push(call),
                Err(error) => looked.failed = Some(error),
            }
        }
        for fired in self.ask(&store, calls).await {
            match fired {
                Ok(fired) => looked.added |= fired.added.is_some(),
                Err(error) => looked.failed = Some(error),
            }
        }
        looked
    }

    async fn ask<T: Send + 'static>(&self, store: &Store, calls: Vec<Call<T>>) -> Vec<Result<T>> {
        let mut answers = Vec::with_capacity(calls.len());
        if !calls.is_empty() {
            let calls = calls.into_iter().map(|call| (call, ())).collect();
            let deadline = Instant::now() + self.options.timeout;
            store.run(calls, deadline, |some| answers.extend(some.into_iter().map(|(answer, ())| answer))).await;
        }
        answers
    }
}
