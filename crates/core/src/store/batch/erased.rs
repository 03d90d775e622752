//! Runs calls with any type of result. The code that runs a batch is large, so it is compiled once, for boxed results, instead of once
//! for each type.

use std::{any::Any, future::pending};

use cinnabar_port::{
    Call,
    error::{Error, Kind, Result},
};
use tokio::time::Instant;

use crate::store::Store;

/// A result whose type only its caller knows.
type Boxed = Box<dyn Any + Send>;

fn boxed<T: Send + 'static>(result: T) -> Boxed {
    Box::new(result)
}

fn unboxed<T: 'static>(result: Boxed) -> Result<T> {
    result.downcast().map(|result| *result).map_err(|_| Error::new(Kind::Internal, "a result has another type"))
}

impl Store {
    /// Runs calls that were submitted together, as `run_until` does, until all are settled.
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
                done.into_iter().filter_map(|(result, at)| Some((result.and_then(unboxed), tags.get_mut(at)?.take()?)));
            settle(unboxed.collect());
        };
        self.run_erased(calls, deadline, &mut settle_boxed).await;
    }

    /// The same for boxed results.
    async fn run_erased(
        &self,
        calls: Vec<Call<Boxed>>,
        deadline: Instant,
        settle: &mut (dyn FnMut(Vec<(Result<Boxed>, usize)>) + Send),
    ) {
        let calls = calls.into_iter().zip(0..).collect();
        self.run_until(calls, deadline, pending(), settle).await;
    }

    /// Runs a single call.
    pub async fn call<T: Send + 'static>(&self, call: Call<T>, deadline: Instant) -> Result<T> {
        let mut result = Err(Error::new(Kind::Internal, "the call was never settled"));
        self.run(vec![(call, ())], deadline, |mut done| {
            if let Some((settled, ())) = done.pop() {
                result = settled;
            }
        })
        .await;
        result
    }
}
