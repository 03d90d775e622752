//! Futures that run side by side in one task: whichever is ready first is heard first.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

/// A few futures. All of them are polled whenever one of them may go on, so it is for dozens, not for thousands.
pub struct Crew<'a, T>(Vec<Pin<Box<dyn Future<Output = T> + Send + 'a>>>);

impl<T> Default for Crew<'_, T> {
    /// Without futures.
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T> Crew<'a, T> {
    /// One more. It runs whenever `next` is awaited, after those that were there before it.
    pub fn add(&mut self, future: impl Future<Output = T> + Send + 'a) {
        self.0.push(Box::pin(future));
    }

    /// What the first that is ready answers; nothing once there are none left. Loses nothing when it is dropped.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|context| {
            if self.0.is_empty() {
                return Poll::Ready(None);
            }
            for at in 0..self.0.len() {
                if let Poll::Ready(answer) = self.0[at].as_mut().poll(context) {
                    drop(self.0.remove(at));
                    return Poll::Ready(Some(answer));
                }
            }
            Poll::Pending
        })
        .await
    }
}
