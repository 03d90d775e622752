//! Runs calls whatever the type of their answers is. What runs them is large: it is there once for all of these, instead of
//! once for each type.

use std::{any::Any, future::pending};

use cinnabar_port::{
    Call,
    error::{Error, Kind, Result},
};
use tokio::time::Instant;

use crate::store::Store;

/// An answer whose type only its reader knows.
type Boxed = Box<dyn Any + Send>;

fn boxed<T: Send + 'static>(answer: T) -> Boxed {
    Box::new(answer)
}

fn unboxed<T: 'static>(answer: Boxed) -> Result<T> {
    answer.downcast().map(|answer| *answer).map_err(|_| Error::new(Kind::Internal, "an answer is of another type"))
}

impl Store {
    /// Runs calls that go out together: as `run_until`, with nothing that cuts them off.
    pub async fn run<T: Send + 'static, Tag: Send>(
        &self,
        calls: Vec<(Call<T>, Tag)>,
        deadline: Instant,
        mut settle: impl FnMut(Vec<(Result<T>, Tag)>) + Send,
    ) {
        let (calls, mut tags): (Vec<_>, Vec<_>) =
            calls.into_iter().map(|(call, tag)| (call.map(boxed), Some(tag))).unzip();
        let mut settle_boxed = |done: Vec<(Result<Boxed>, usize)>| {
            let unboxed =
                done.into_iter().filter_map(|(answer, at)| Some((answer.and_then(unboxed), tags.get_mut(at)?.take()?)));
            settle(unboxed.collect());
        };
        self.run_erased(calls, deadline, &mut settle_boxed).await;
    }

    /// The same for answers of any type: what runs calls is large, and would otherwise be there once for each type.
    async fn run_erased(
        &self,
        calls: Vec<Call<Boxed>>,
        deadline: Instant,
        settle: &mut (dyn FnMut(Vec<(Result<Boxed>, usize)>) + Send),
    ) {
        let calls = calls.into_iter().zip(0..).collect();
        self.run_until(calls, deadline, pending(), settle).await;
    }

    /// Runs one call by itself.
    pub async fn call<T: Send + 'static>(&self, call: Call<T>, deadline: Instant) -> Result<T> {
        let mut answer = Err(Error::new(Kind::Internal, "the call was never settled"));
        self.run(vec![(call, ())], deadline, |mut done| {
            if let Some((result, ())) = done.pop() {
                answer = result;
            }
        })
        .await;
        answer
    }
}
