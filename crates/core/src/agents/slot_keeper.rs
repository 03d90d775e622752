//! Renews the slots that this process has taken under concurrency limits, however busy JavaScript is, until they are released.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cinnabar_port::{error::Result, random, runtime};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::{features::limit::Slot, store::Store};

/// A third of a lease: two renewals may fail.
const RENEWALS: u32 = 3;
/// The longest wait before a failed renewal is repeated.
const AGAIN: Duration = Duration::from_millis(500);

/// The number of the next slot. No two slots of a process have the same, whatever their keepers: a handle may outlive its keeper.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The slots of one service.
pub struct SlotKeeper {
    store: Arc<Store>,
    state: Mutex<State>,
    wake: Arc<Notify>,
}

#[derive(Default)]
struct State {
    taken: HashMap<u64, Taken>,
    running: bool,
    /// Whether all slots were released, and no more are renewed.
    closed: bool,
}

struct Taken {
    slot: Slot,
    renew_at: Instant,
    /// Until when it is taken, counted from when it was requested.
    ends: Instant,
    /// Whether a renewal is in flight.
    renewing: bool,
}

impl SlotKeeper {
    /// Returns a keeper without slots.
    pub fn new(store: Arc<Store>) -> Arc<Self> {
        Arc::new(Self { store, state: Mutex::default(), wake: Arc::default() })
    }

    /// Renews a slot that was requested at `began`, until it is released. Returns its number, or the slot, to be released, if it cannot be
    /// renewed: after `release_all`, or without the runtime.
    pub fn keep(self: &Arc<Self>, slot: Slot, began: Instant) -> std::result::Result<u64, Slot> {
        let Ok(runtime) = runtime::get() else { return Err(slot) };
        let mut state = self.state.lock();
        if state.closed {
            return Err(slot);
        }
        let (number, lease) = (NEXT.fetch_add(1, Ordering::Relaxed), slot.lease);
        let taken = Taken { slot, renew_at: began + lease / RENEWALS, ends: began + lease, renewing: false };
        state.taken.insert(number, taken);
        if !std::mem::replace(&mut state.running, true) {
            runtime.spawn(run(Arc::downgrade(self), self.wake.clone()));
        }
        drop(state);
        self.wake.notify_one();
        Ok(number)
    }

    /// Whether a slot is taken: it was neither released nor lost, and its lease has not ended.
    pub fn is_taken(&self, number: u64) -> bool {
        self.state.lock().taken.get(&number).is_some_and(|taken| Instant::now() < taken.ends)
    }

    /// Stops renewing a slot, and returns it to be released; `None` if it was released or lost before.
    pub fn remove(&self, number: u64) -> Option<Slot> {
        self.state.lock().taken.remove(&number).map(|taken| taken.slot)
    }

    /// Releases all slots, and renews none that is taken later; the future completes when that is done.
    pub fn release_all(self: &Arc<Self>, deadline: Instant) -> impl Future<Output = ()> + Send + use<> {
        let slots: Vec<_> = {
            let mut state = self.state.lock();
            state.closed = true;
            state.taken.drain().map(|(_, taken)| taken.slot).collect()
        };
        let this = self.clone();
        let releasing = runtime::get().ok().filter(|_| !slots.is_empty()).map(|runtime| {
            runtime.spawn(async move {
                let calls = slots.iter().map(|slot| (slot.release(), ())).collect();
                this.store.run(calls, deadline, |_| {}).await;
            })
        });
        async move {
            if let Some(releasing) = releasing {
                let _ = releasing.await;
            }
        }
    }

    /// Renews what is due. Returns when something is next; `None` if there are no slots.
    fn turn(self: &Arc<Self>) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state.lock();
        // One whose lease has ended may be another's.
        state.taken.retain(|_, taken| now < taken.ends);
        let due: Vec<_> = state
            .taken
            .iter_mut()
            .filter(|(_, taken)| !taken.renewing && taken.renew_at <= now)
            .map(|(number, taken)| {
                taken.renewing = true;
                (*number, taken.slot.clone())
            })
            .collect();
        let next_event = |taken: &Taken| if taken.renewing { taken.ends } else { taken.renew_at.min(taken.ends) };
        let next = state.taken.values().map(next_event).min();
        state.running = next.is_some();
        drop(state);
        if !due.is_empty() {
            // A server that does not reply must not keep the slots that are due later from being renewed.
            tokio::spawn(self.clone().renew(due, now));
        }
        next
    }

    async fn renew(self: Arc<Self>, due: Vec<(u64, Slot)>, began: Instant) {
        let shortest = due.iter().map(|(_, slot)| slot.lease).min().unwrap_or_default();
        let calls = due.iter().map(|(number, slot)| (slot.renew(), *number)).collect();
        let learn = |done: Vec<_>| done.into_iter().for_each(|one| self.learn(one, began));
        self.store.run(calls, began + shortest / RENEWALS, learn).await;
        self.wake.notify_one();
    }

    fn learn(&self, (renewed, number): (Result<bool>, u64), began: Instant) {
        let mut state = self.state.lock();
        let Some(taken) = state.taken.get_mut(&number) else { return };
        let lease = taken.slot.lease;
        taken.renewing = false;
        match renewed {
            Ok(true) => {
                // With jitter, so that not all processes renew at the same moment.
                let pause = (lease / RENEWALS).mul_f64(0.9 + random::fraction() / 10.0);
                (taken.renew_at, taken.ends) = (began + pause, began + lease);
            }
            Ok(false) => drop(state.taken.remove(&number)),
            Err(_) => taken.renew_at = Instant::now() + (lease / 10).min(AGAIN),
        }
    }
}

/// Renews slots until there are none.
async fn run(keeper: Weak<SlotKeeper>, wake: Arc<Notify>) {
    while let Some(next) = keeper.upgrade().and_then(|keeper| keeper.turn()) {
        let _ = timeout_at(next, wake.notified()).await;
    }
}
