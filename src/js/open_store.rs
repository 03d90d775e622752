//! A store as opened by one service: what is in flight on it, and what `disconnect()` waits for.

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

/// Calls are accepted.
const OPEN: u8 = 0;
/// No more calls are accepted; those in flight may end.
const CLOSING: u8 = 1;
/// Calls that are still in flight are abandoned.
const ABANDONED: u8 = 2;

/// A store from a service's first call to its `disconnect()`.
pub struct OpenStore {
    store: Arc<Store>,
    /// Batches in flight rather than calls, since counting would cost each call.
    in_flight: AtomicUsize,
    /// Callers that will make one more call.
    guards: AtomicUsize,
    phase: AtomicU8,
    phase_changed: Notify,
    empty: Notify,
}

/// A batch that counts as in flight until it is dropped.
pub struct InFlight(Arc<OpenStore>);

/// Makes a drain wait, within its time limit, for one more call of its holder.
pub struct DrainGuard(Arc<OpenStore>);

impl OpenStore {
    /// Returns a store with nothing in flight.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            in_flight: AtomicUsize::new(0),
            guards: AtomicUsize::new(0),
            phase: AtomicU8::new(OPEN),
            phase_changed: Notify::new(),
            empty: Notify::new(),
        }
    }

    /// Returns the store.
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

    /// Accepts no more calls, and notifies those that only wait for a connection.
    pub fn close(&self) {
        self.enter(CLOSING);
    }

    /// Waits until nothing is in flight; abandons what still is at the deadline.
    pub async fn drain(&self, deadline: Instant) {
        if timeout_at(deadline, self.wait_until(Self::is_drained)).await.is_err() {
            self.enter(ABANDONED);
            self.wait_until(Self::is_idle).await;
        }
    }

    /// Completes when what is in flight is abandoned.
    pub async fn abandoned(&self) {
        self.reached(ABANDONED).await;
    }

    async fn wait_until(&self, done: impl Fn(&Self) -> bool) {
        loop {
            let mut empty = std::pin::pin!(self.empty.notified());
            // Enabled before the check, so that no notification in between is missed.
            empty.as_mut().enable();
            if done(self) {
                return;
            }
            empty.await;
        }
    }

    async fn reached(&self, phase: u8) {
        loop {
            let mut phase_changed = std::pin::pin!(self.phase_changed.notified());
            phase_changed.as_mut().enable();
            if self.phase.load(Ordering::Acquire) >= phase {
                return;
            }
            phase_changed.await;
        }
    }

    fn enter(&self, phase: u8) {
        self.phase.fetch_max(phase, Ordering::AcqRel);
        self.phase_changed.notify_waiters();
    }
}

impl InFlight {
    /// Returns the store.
    pub fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    /// Completes when what is in flight is abandoned.
    pub fn abandoned(&self) -> impl Future<Output = ()> {
        self.0.reached(ABANDONED)
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
    /// Returns the store for the call.
    pub fn open_store(&self) -> &Arc<OpenStore> {
        &self.0
    }

    /// Whether the service is being closed, and whether it is too late already.
    pub fn ending(&self) -> (bool, bool) {
        let phase = self.0.phase.load(Ordering::Acquire);
        (phase >= CLOSING, phase >= ABANDONED)
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
