//! The order of tasks. A runtime guarantees none: tokio checks for tasks from outside before it has run all those that it has, and
//! of several that are woken at once the last may run first. Callers that await nothing between two calls rely on their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

/// Creates turns, each after those that were created before.
#[derive(Default)]
pub struct Sequence {
    created: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of the current turn.
    current: u64,
    /// Later turns that were dropped already.
    dropped: BTreeSet<u64>,
    waiting: BTreeMap<u64, Waker>,
}

impl Sequence {
    /// Returns the next turn, which ends when it is dropped.
    pub fn turn(self: &Arc<Self>) -> Turn {
        Turn { number: self.created.fetch_add(1, Ordering::Relaxed), sequence: self.clone() }
    }
}

/// A turn in a sequence.
pub struct Turn {
    number: u64,
    sequence: Arc<Sequence>,
}

impl Turn {
    /// Waits until every turn before this one has ended.
    pub async fn reached(&self) {
        poll_fn(|context| self.poll_reached(context)).await;
    }

    fn poll_reached(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.sequence.state.lock();
        if state.current == self.number {
            return Poll::Ready(());
        }
        state.waiting.insert(self.number, context.waker().clone());
        Poll::Pending
    }

    /// Runs a future, and ends the turn after its first poll: what it does before its first wait is done in this turn, and later
    /// turns do not wait for the rest.
    pub async fn run<F: Future>(self, mut future: Pin<&mut F>) -> F::Output {
        let mut turn = Some(self);
        poll_fn(|context| {
            let polled = future.as_mut().poll(context);
            drop(turn.take());
            polled
        })
        .await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.sequence.state.lock();
        state.waiting.remove(&self.number);
        if state.current != self.number {
            state.dropped.insert(self.number);
            return;
        }
        state.current += 1;
        loop {
            let current = state.current;
            if !state.dropped.remove(&current) {
                break;
            }
            state.current += 1;
        }
        let current = state.current;
        let waiting = state.waiting.remove(&current);
        drop(state);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::{sync::mpsc::unbounded_channel, task::yield_now};

    use super::*;

    #[tokio::test]
    async fn futures_start_in_the_order_of_their_turns() {
        let sequence = Arc::new(Sequence::default());
        let (started, mut order) = unbounded_channel();
        let turns: Vec<_> = (0..50).map(|number| (number, sequence.turn())).collect();
        for (number, turn) in turns.into_iter().rev() {
            let started = started.clone();
            tokio::spawn(async move {
                turn.reached().await;
                let work = pin!(async move {
                    let _ = started.send(number);
                    // Later turns do not wait for this.
                    std::future::pending::<()>().await;
                });
                turn.run(work).await;
            });
        }
        for number in 0..50 {
            assert_eq!(order.recv().await, Some(number));
        }
    }

    #[tokio::test]
    async fn dropped_turns_are_skipped() {
        let sequence = Arc::new(Sequence::default());
        let mut turns: Vec<_> = (0..6).map(|_| Some(sequence.turn())).collect();
        let last = turns[5].take().unwrap();
        let reached = tokio::spawn(async move { last.reached().await });
        for at in [3, 1, 0, 4] {
            turns[at] = None;
            yield_now().await;
        }
        assert!(!reached.is_finished(), "a turn before it has not ended");
        turns[2] = None;
        reached.await.unwrap();
        sequence.turn().reached().await;
    }

    #[tokio::test]
    async fn a_turn_dropped_while_waiting_is_skipped() {
        let sequence = Arc::new(Sequence::default());
        let (first, second, third) = (sequence.turn(), sequence.turn(), sequence.turn());
        let waits = tokio::spawn(async move { second.reached().await });
        yield_now().await;
        waits.abort();
        assert!(waits.await.unwrap_err().is_cancelled());
        drop(first);
        third.reached().await;
    }
}
