//! A store as one service has opened it: what is under way on it, and how that ends.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use cinnabar_core::store::Store;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// Calls are taken.
const OPEN: u8 = 0;
/// No more calls; those under way may end.
const CLOSING: u8 = 1;
/// What is still under way is given up.
const CUT: u8 = 2;

/// A store from a service's first call to its `disconnect()`.
pub struct Opened {
    store: Arc<Store>,
    /// Batches under way, not calls: counting those would cost each of them.
    count: AtomicUsize,
    /// Callers that have one more thing to ask before they are done.
    stays: AtomicUsize,
    phase: AtomicU8,
    moved_on: Notify,
    empty: Notify,
}

/// A batch that counts as under way until it is dropped, however that comes about.
pub struct UnderWay(Arc<Opened>);

/// Somebody who has one more thing to ask: a drain waits for that too, unless it takes too long.
pub struct Stay(Arc<Opened>);

impl Opened {
    /// Nothing is under way yet.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            count: AtomicUsize::new(0),
            stays: AtomicUsize::new(0),
            phase: AtomicU8::new(OPEN),
            moved_on: Notify::new(),
            empty: Notify::new(),
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Counts one more batch.
    pub fn begin(this: Arc<Self>) -> UnderWay {
        this.count.fetch_add(1, Ordering::AcqRel);
        UnderWay(this)
    }

    /// Lets a drain wait until it is dropped.
    pub fn stay(this: Arc<Self>) -> Stay {
        this.stays.fetch_add(1, Ordering::AcqRel);
        Stay(this)
    }

    fn is_idle(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    fn is_left(&self) -> bool {
        self.is_idle() && self.stays.load(Ordering::Acquire) == 0
    }

    /// No more calls come; what only waits for a connection hears of it.
    pub fn close(&self) {
        self.enter(CLOSING);
    }

    /// Waits until nothing is under way; gives up what still is at the deadline.
    pub async fn drain(&self, deadline: Instant) {
        if timeout_at(deadline, self.emptied(Self::is_left)).await.is_err() {
            self.enter(CUT);
            self.emptied(Self::is_idle).await;
        }
    }

    async fn emptied(&self, done: impl Fn(&Self) -> bool) {
        loop {
            let mut empty = std::pin::pin!(self.empty.notified());
            // Enlisted before looking: what ends in between is heard.
            empty.as_mut().enable();
            if done(self) {
                return;
            }
            empty.await;
        }
    }

    async fn reached(&self, phase: u8) {
        loop {
            let mut moved_on = std::pin::pin!(self.moved_on.notified());
            moved_on.as_mut().enable();
            if self.phase.load(Ordering::Acquire) >= phase {
                return;
            }
            moved_on.await;
        }
    }

    fn enter(&self, phase: u8) {
        self.phase.fetch_max(phase, Ordering::AcqRel);
        self.moved_on.notify_waiters();
    }
}

impl UnderWay {
    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    /// What it is under way on.
    pub fn opened(&self) -> &Arc<Opened> {
        &self.0
    }

    /// When what is under way is given up.
    pub fn cut(&self) -> impl Future<Output = ()> {
        self.0.reached(CUT)
    }

    /// Whether the service is being closed.
    pub fn is_closing(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) >= CLOSING
    }

    /// When the service is being closed.
    pub fn closing(&self) -> impl Future<Output = ()> {
        self.0.reached(CLOSING)
    }
}

impl Stay {
    /// Where to ask.
    pub fn opened(&self) -> &Arc<Opened> {
        &self.0
    }

    /// Whether the store is being closed, and whether it is too late already.
    pub fn ending(&self) -> (bool, bool) {
        let phase = self.0.phase.load(Ordering::Acquire);
        (phase >= CLOSING, phase >= CUT)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.stays.fetch_sub(1, Ordering::AcqRel);
        self.0.empty.notify_waiters();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.empty.notify_waiters();
        }
    }
}
