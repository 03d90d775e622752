//! The order of calls on the same keys, over all connections.
//!
//! While an earlier call on the same key is in flight, a call is sent behind it on the same connection, or waits for it. A call
//! that is to be retried returns to its position in the queue of its key, ahead of later calls. A later call that was executed
//! meanwhile is executed again after the retry if it is idempotent; otherwise the earlier call is not retried.
//!
//! Each key is hashed to a slot of a small table. Two keys in the same slot are treated as one key. That is always correct; it
//! only makes their calls share a connection or wait for each other.

mod groups;
mod state;
#[cfg(test)]
mod tests;
mod tracker;
mod wait_queue;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use cinnabar_port::Request;
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use groups::Groups;
use state::State;
pub use tracker::{Keys, Tracked, Tracker};

/// The size of the table. With more keys than that in flight, some share a slot.
const SLOTS: usize = 1 << 13;

/// The group of requests that depend on several other groups or on waiting calls. It is sent last.
pub const LAST_GROUP: usize = usize::MAX;

/// Which connection carries calls on which keys, and which calls wait.
pub struct KeyOrder {
    state: Mutex<State>,
    /// Notified when a call has overtaken another, and when an overtaken call has left its queue.
    changed: Notify,
    hasher: RandomState,
}

/// Why a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// It was not sent yet.
    New,
    /// It is to be retried, unless a later call on its keys is executed before that.
    Again,
    /// It was sent without effect and is sent again, whatever has been executed since.
    Due,
}

/// Which connection calls may be sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// None yet: they must wait.
    Wait,
    /// Any connection.
    Any,
    /// Only this one.
    Over(u32),
}

/// What follows for a call that was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Nothing: it was executed in order.
    InTurn,
    /// It is to be executed again, after an earlier call that is retried.
    OnceMore,
    /// It overtook earlier calls, which are no longer retried.
    Overtook,
}

/// Calls in flight on one connection. Dropped when their replies have been processed, or when their connection has ended.
pub struct InFlight {
    key_order: Arc<KeyOrder>,
    connection: u32,
    slots: SmallVec<[u16; 16]>,
}

/// Calls that wait together. Dropping it leaves them in their queues: each call leaves with its tracker.
pub struct WaitingGroup<'a> {
    key_order: &'a KeyOrder,
    number: u64,
    changed: Arc<Notify>,
}

impl KeyOrder {
    /// Creates an empty table.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::new()), changed: Notify::new(), hasher: RandomState::default() })
    }

    /// Whether no call waits.
    pub fn is_free(&self) -> bool {
        self.state.lock().queues.is_empty()
    }

    /// Whether calls on this connection cannot conflict: no other connection carries calls, and no call waits.
    pub fn is_quiet(&self, connection: u32) -> bool {
        let state = self.state.lock();
        state.queues.is_empty() && state.in_flight.iter().all(|(other, _)| *other == connection)
    }

    /// Separates the requests that may be sent on this connection now from those that must wait or need another connection.
    /// Returns the group of each; groups are to be sent in the order of their numbers. `None` if all may be sent together.
    pub fn groups(&self, connection: u32, requests: impl Iterator<Item = Keys>) -> Option<Vec<usize>> {
        let state = self.state.lock();
        let mut groups = Groups::new();
        let groups: Vec<usize> = requests.map(|keys| groups.assign(&state, connection, &keys)).collect();
        groups.iter().any(|group| *group > 0).then_some(groups)
    }

    /// Registers new calls as in flight on this connection, unless one of them must wait or needs another connection.
    pub fn enter(self: &Arc<Self>, connection: u32, requests: &[Tracked<'_>]) -> Option<InFlight> {
        let mut state = self.state.lock();
        let mut slots = SmallVec::with_capacity(requests.len());
        for Tracked { tracker, .. } in requests {
            for &key in tracker.keys() {
                let slot = slot_of(key);
                if !state.is_open(slot, connection) {
                    return None;
                }
                slots.push(slot);
            }
        }
        for Tracked { tracker, .. } in requests {
            state.number(tracker);
        }
        let hold = InFlight { key_order: self.clone(), connection, slots };
        state.start(&hold);
        Some(hold)
    }

    /// Puts calls in the queues of their keys: new ones at the end, retried ones ahead of later calls.
    pub fn enqueue(&self, requests: &[Tracked<'_>], turn: WaitReason) {
        let mut state = self.state.lock();
        for Tracked { tracker, .. } in requests {
            state.enqueue(tracker, turn);
        }
    }

    /// Groups waiting calls that are to be sent together.
    pub fn wait_together(&self, requests: &[Tracked<'_>]) -> WaitingGroup<'_> {
        let mut state = self.state.lock();
        let number = state.next_group;
        state.next_group += 1;
        let changed = Arc::new(Notify::new());
        state.waiting_groups.insert(number, changed.clone());
        for Tracked { tracker, .. } in requests {
            for &key in tracker.keys() {
                if let Some(queue) = state.queues.get_mut(&slot_of(key)) {
                    queue.join(tracker.sequence(), number);
                }
            }
        }
        WaitingGroup { key_order: self, number, changed }
    }

    /// Which connection the calls of a group may be sent on now.
    pub fn route(&self, group: &WaitingGroup<'_>, requests: &[Tracked<'_>]) -> Route {
        self.state.lock().route(group.number, requests)
    }

    /// Registers calls of a group as in flight on this connection, if that is still allowed.
    pub fn start(
        self: &Arc<Self>,
        connection: u32,
        group: &WaitingGroup<'_>,
        requests: &[Tracked<'_>],
    ) -> Option<InFlight> {
        let mut state = self.state.lock();
        let route = state.route(group.number, requests);
        if route != Route::Any && route != Route::Over(connection) {
            return None;
        }
        let slots = requests.iter().flat_map(|request| request.tracker.keys()).map(|&key| slot_of(key)).collect();
        let hold = InFlight { key_order: self.clone(), connection, slots };
        state.start(&hold);
        for Tracked { tracker, .. } in requests {
            state.leave(tracker);
        }
        Some(hold)
    }

    fn is_overtaken(&self, tracker: &Tracker) -> bool {
        let state = self.state.lock();
        tracker.keys().iter().any(|&key| {
            state
                .queues
                .get(&slot_of(key))
                .is_some_and(|queue| queue.entries_of(tracker.sequence()).any(|entry| entry.overtaken))
        })
    }

    /// Records that a call was executed. If an earlier call on its keys is to be retried, an `idempotent` call is queued behind it,
    /// to be executed again. Any other call has overtaken the earlier one, which is no longer retried.
    pub fn done(&self, tracker: &Tracker, idempotent: bool) -> Done {
        let mut state = self.state.lock();
        if state.returned == 0 {
            return Done::InTurn;
        }
        let State { queues, waiting_groups, .. } = &mut *state;
        let (mut behind, mut overtook) = (false, false);
        for &key in tracker.keys() {
            let Some(queue) = queues.get_mut(&slot_of(key)) else { continue };
            for entry in
                queue.before(tracker.sequence()).filter(|entry| entry.turn != WaitReason::New && entry.key == key)
            {
                behind = true;
                if idempotent || entry.turn == WaitReason::Due {
                    continue;
                }
                (entry.overtaken, overtook) = (true, true);
                if let Some(changed) = waiting_groups.get(&entry.group) {
                    changed.notify_one();
                }
            }
        }
        if behind && idempotent {
            state.enqueue(tracker, WaitReason::Again);
            return Done::OnceMore;
        }
        if !overtook {
            return Done::InTurn;
        }
        drop(state);
        self.changed.notify_waiters();
        Done::Overtook
    }

    /// Waits until the calls that this one has overtaken, with sequence numbers before `first`, have left their queues.
    pub async fn passed(&self, tracker: &Tracker<'_>, first: u64, until: Instant) {
        let behind = || {
            let mut state = self.state.lock();
            tracker.keys().iter().any(|&key| {
                let queue = state.queues.get_mut(&slot_of(key));
                queue.is_some_and(|queue| queue.before(first).any(|entry| entry.overtaken && entry.key == key))
            })
        };
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if !behind() || timeout_at(until, changed).await.is_err() {
                return;
            }
        }
    }

    /// Waits until a later call has overtaken one of these calls, which `any` checks.
    pub async fn overtaken(&self, any: impl Fn() -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if any() {
                return;
            }
            changed.await;
        }
    }

    /// Whether any call is to be retried.
    pub fn has_returned(&self) -> bool {
        self.state.lock().returned > 0
    }

    /// The hashes of the keys in whose order a request takes part.
    pub fn keys(&self, request: &Request) -> Keys {
        let mut keys = Keys::new();
        tracker::keys_of(request, |key| keys.push(self.hash(key)));
        keys
    }

    fn leave(&self, tracker: &Tracker) {
        let overtaken = self.state.lock().leave(tracker);
        // An abandoned call may not have seen itself that it was overtaken.
        if overtaken {
            self.changed.notify_waiters();
        }
    }

    fn hash(&self, key: &Bytes) -> u64 {
        tracker::hash(&self.hasher, key)
    }
}

impl Route {
    fn allows(self, connection: u32) -> bool {
        matches!(self, Self::Any) || self == Self::Over(connection)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.slots.is_empty() {
            self.key_order.state.lock().finish(self);
        }
    }
}

impl WaitingGroup<'_> {
    /// Waits, until `until` at most, for a change that may let its calls be sent. Returns whether there was one.
    pub async fn changed(&self, until: Instant) -> bool {
        timeout_at(until, self.changed.notified()).await.is_ok()
    }
}

impl Drop for WaitingGroup<'_> {
    fn drop(&mut self) {
        self.key_order.state.lock().waiting_groups.remove(&self.number);
    }
}

fn slot_of(key: u64) -> u16 {
    (key % SLOTS as u64) as u16
}

/// A process-wide unique number for a connection.
pub fn number_connection() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
