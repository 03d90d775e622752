//! A store as one service has opened it: what is in flight on it, and what `disconnect()` waits for.

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
/// No more calls; those in flight may end.
const CLOSING: u8 = 1;
/// What is still in flight is given up.
const CUT: u8 = 2;

/// A store from a service's first call to its `disconnect()`.
pub struct OpenStore {
    store: Arc<Store>,
    /// Batches in flight, not calls: counting those would cost each of them.
    in_flight: AtomicUsize,
    /// Callers with one more call to make.
    guards: AtomicUsize,
    phase: AtomicU8,
    moved_on: Notify,
    empty: Notify,
}

/// A batch that counts as in flight until it is dropped, however that comes about.
pub struct InFlight(Arc<OpenStore>);

/// Makes a drain wait for one more call of its holder, unless that takes too long.
pub struct DrainGuard(Arc<OpenStore>);

impl OpenStore {
    /// Nothing is in flight yet.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            in_flight: AtomicUsize::new(0),
            guards: AtomicUsize::new(0),
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
    pub fn begin(this: Arc<Self>) -> InFlight {
        this.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(this)
    }

    /// Makes a drain wait until the guard is dropped.
    pub fn delay_drain(this: Arc<Self>) -> DrainGuard {
        this.guards.fetch_add(1, Ordering::AcqRel);
        DrainGuard(this)
    }

    fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) == 0
    }

    fn is_drained(&self) -> bool {
        self.is_idle() && self.guards.load(Ordering::Acquire) == 0
    }

    /// No more calls come; what only waits for a connection is notified.
    pub fn close(&self) {
        self.enter(CLOSING);
    }

    /// Waits until nothing is in flight; gives up what still is at the deadline.
    pub async fn drain(&self, deadline: Instant) {
        if timeout_at(deadline, self.emptied(Self::is_drained)).await.is_err() {
            self.enter(CUT);
            self.emptied(Self::is_idle).await;
        }
    }

    async fn emptied(&self, done: impl Fn(&Self) -> bool) {
        loop {
            let mut empty = std::pin::pin!(self.empty.notified());
            // Enabled before the check, so that what ends in between is noticed.
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

impl InFlight {
    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    /// Completes when what is in flight is given up.
    pub fn cut(&self) -> impl Future<Output = ()> {
        self.0.reached(CUT)
    }

    /// Whether the service is being closed.
    pub fn is_closing(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) >= CLOSING
    }

    /// Completes when the service is being closed.
    pub fn closing(&self) -> impl Future<Output = ()> {
        self.0.reached(CLOSING)
    }
}

impl DrainGuard {
    /// Where to send the call.
    pub fn open_store(&self) -> &Arc<OpenStore> {
        &self.0
    }

    /// Whether the service is being closed, and whether it is too late already.
    pub fn ending(&self) -> (bool, bool) {
        let phase = self.0.phase.load(Ordering::Acquire);
        (phase >= CLOSING, phase >= CUT)
    }
}

impl Drop for DrainGuard {
    fn drop(&mut self) {
        self.0.guards.fetch_sub(1, Ordering::AcqRel);
        self.0.empty.notify_waiters();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.empty.notify_waiters();
        }
    }
}
