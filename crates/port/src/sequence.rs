//! Order among tasks. A runtime promises none: tokio's looks for tasks from outside before it has run all those that it has, and
//! of several that are woken at once the last may run first. Callers who await nothing between two calls rely on theirs.

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

/// Gives out turns, each behind those that were given out before.
#[derive(Default)]
pub struct Sequence {
    given: AtomicU64,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    /// Whose turn it is.
    next: u64,
    /// Later ones that were given up.
    gone: BTreeSet<u64>,
    waiting: BTreeMap<u64, Waker>,
}

impl Sequence {
    /// The next turn. It is given up when it is dropped.
    pub fn turn(self: &Arc<Self>) -> Turn {
        Turn { number: self.given.fetch_add(1, Ordering::Relaxed), sequence: self.clone() }
    }
}

/// A turn in a sequence.
pub struct Turn {
    number: u64,
    sequence: Arc<Sequence>,
}

impl Turn {
    /// Waits until every turn before this one was given up.
    pub async fn comes(&self) {
        poll_fn(|context| self.poll_comes(context)).await;
    }

    fn poll_comes(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut line = self.sequence.line.lock();
        if line.next == self.number {
            return Poll::Ready(());
        }
        line.waiting.insert(self.number, context.waker().clone());
        Poll::Pending
    }

    /// Runs a future, and gives the turn up as soon as it has been polled: what it does at once is done in this turn, and
    /// nobody waits for the rest.
    pub async fn begin<F: Future>(self, mut future: Pin<&mut F>) -> F::Output {
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
        let mut line = self.sequence.line.lock();
        line.waiting.remove(&self.number);
        if line.next != self.number {
            line.gone.insert(self.number);
            return;
        }
        line.next += 1;
        loop {
            let next = line.next;
            if !line.gone.remove(&next) {
                break;
            }
            line.next += 1;
        }
        let next = line.next;
        let waiting = line.waiting.remove(&next);
        drop(line);
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
    async fn what_is_run_late_begins_in_its_turn() {
        let sequence = Arc::new(Sequence::default());
        let (tell, mut told) = unbounded_channel();
        let turns: Vec<_> = (0..50).map(|number| (number, sequence.turn())).collect();
        for (number, turn) in turns.into_iter().rev() {
            let tell = tell.clone();
            tokio::spawn(async move {
                turn.comes().await;
                let work = pin!(async move {
                    let _ = tell.send(number);
                    // Nobody waits for what comes later.
                    std::future::pending::<()>().await;
                });
                turn.begin(work).await;
            });
        }
        for number in 0..50 {
            assert_eq!(told.recv().await, Some(number));
        }
    }

    #[tokio::test]
    async fn turns_that_are_given_up_hold_nobody_up() {
        let sequence = Arc::new(Sequence::default());
        let mut turns: Vec<_> = (0..6).map(|_| Some(sequence.turn())).collect();
        let last = turns[5].take().unwrap();
        let reached = tokio::spawn(async move { last.comes().await });
        for at in [3, 1, 0, 4] {
            turns[at] = None;
            yield_now().await;
        }
        assert!(!reached.is_finished(), "one before it was not given up");
        turns[2] = None;
        reached.await.unwrap();
        sequence.turn().comes().await;
    }

    #[tokio::test]
    async fn whoever_is_dropped_while_it_waits_holds_nobody_up() {
        let sequence = Arc::new(Sequence::default());
        let (first, second, third) = (sequence.turn(), sequence.turn(), sequence.turn());
        let waits = tokio::spawn(async move { second.comes().await });
        yield_now().await;
        waits.abort();
        assert!(waits.await.unwrap_err().is_cancelled());
        drop(first);
        third.comes().await;
    }
}
