//! Renews the slots that this process has taken under concurrency limits, however busy JavaScript is, until they are released.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
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

/// The slots of one service.
pub struct SlotKeeper {
    store: Arc<Store>,
    state: Mutex<State>,
    wake: Arc<Notify>,
}

#[derive(Default)]
struct State {
    taken: HashMap<u64, Taken>,
    next: u64,
    running: bool,
}

struct Taken {
    slot: Slot,
    renew_at: Instant,
    /// Until when it is taken, counted from when it was requested.
    ends: Instant,
}

impl SlotKeeper {
    /// Returns a keeper without slots.
    pub fn new(store: Arc<Store>) -> Arc<Self> {
        Arc::new(Self { store, state: Mutex::default(), wake: Arc::default() })
    }

    /// Renews a slot that was requested at `began`, until it is released. Returns its number.
    ///
    /// # Errors
    /// Those of the runtime, if it cannot be started.
    pub fn keep(self: &Arc<Self>, slot: Slot, began: Instant) -> Result<u64> {
        let runtime = runtime::get()?;
        let mut state = self.state.lock();
        state.next += 1;
        let number = state.next;
        let lease = slot.lease;
        state.taken.insert(number, Taken { slot, renew_at: began + lease / RENEWALS, ends: began + lease });
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

    /// Releases all slots; the future completes when that is done.
    pub fn release_all(self: &Arc<Self>, deadline: Instant) -> impl Future<Output = ()> + Send + use<> {
        let slots: Vec<_> = self.state.lock().taken.drain().map(|(_, taken)| taken.slot).collect();
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
    async fn turn(&self) -> Option<Instant> {
        let began = Instant::now();
        let due: Vec<_> = {
            let mut state = self.state.lock();
            // One whose lease has ended may be another's.
            state.taken.retain(|_, taken| began < taken.ends);
            state
                .taken
                .iter()
                .filter(|(_, taken)| taken.renew_at <= began)
                .map(|(number, taken)| (taken.slot.renew(), *number))
                .collect()
        };
        let deadline = began + self.shortest_lease() / RENEWALS;
        self.store.run(due, deadline, |done| done.into_iter().for_each(|one| self.learn(one, began))).await;
        let mut state = self.state.lock();
        let next = state.taken.values().map(|taken| taken.renew_at.min(taken.ends)).min();
        state.running = next.is_some();
        next
    }

    fn learn(&self, (renewed, number): (Result<bool>, u64), began: Instant) {
        let mut state = self.state.lock();
        let Some(taken) = state.taken.get_mut(&number) else { return };
        let lease = taken.slot.lease;
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

    fn shortest_lease(&self) -> Duration {
        self.state.lock().taken.values().map(|taken| taken.slot.lease).min().unwrap_or_default()
    }
}

/// Renews slots until there are none.
async fn run(keeper: Weak<SlotKeeper>, wake: Arc<Notify>) {
    loop {
        let next = {
            let Some(keeper) = keeper.upgrade() else { return };
            let Some(next) = keeper.turn().await else { return };
            next
        };
        let _ = timeout_at(next, wake.notified()).await;
    }
}
