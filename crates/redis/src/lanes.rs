//! Order among calls on the same keys, over however many connections.
//!
//! While an earlier call on the same key is in flight, a call is sent behind it on the same connection, or waits for it. A call
//! that is to be retried returns to its place in the queue of its key, ahead of later calls. A later call that was executed
//! meanwhile is executed again after the retry if it is idempotent; otherwise the earlier call is not retried.
//!
//! Each key is hashed to a slot of a small table. Two keys in the same slot are treated as one key. That is always correct; it
//! only makes their calls share a connection or wait for each other.

mod groups;
mod line;
mod state;
#[cfg(test)]
mod tests;
mod trip;

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
pub use trip::{Errand, Keys, Trip};

/// The size of the table. With more keys than that in flight, some share a slot.
const SLOTS: usize = 1 << 13;

/// The group of requests that depend on several other groups or on waiting calls. It is sent last.
pub const REST: usize = usize::MAX;

/// Which connection carries calls on which keys, and which calls wait.
pub struct Lanes {
    state: Mutex<State>,
    /// Notified when a call has overtaken another, and when an overtaken call has left its queue.
    stir: Notify,
    hasher: RandomState,
}

/// Why a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It was not sent yet.
    New,
    /// It is to be retried, unless a later call on its keys is executed before that.
    Again,
    /// It was sent without effect and is sent again, whatever has been executed since.
    Due,
}

/// Which connection calls may be sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
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
pub struct Hold {
    lanes: Arc<Lanes>,
    connection: u32,
    slots: SmallVec<[u16; 16]>,
}

/// Calls that wait together. Dropping it leaves them in their queues: each call leaves with its trip.
pub struct Party<'a> {
    lanes: &'a Lanes,
    number: u64,
    changed: Arc<Notify>,
}

impl Lanes {
    /// An empty table.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::new()), stir: Notify::new(), hasher: RandomState::default() })
    }

    /// Whether no call waits.
    pub fn is_free(&self) -> bool {
        self.state.lock().lines.is_empty()
    }

    /// Whether calls on this connection cannot conflict: no other connection carries calls, and no call waits.
    pub fn is_quiet(&self, connection: u32) -> bool {
        let state = self.state.lock();
        state.lines.is_empty() && state.under_way.iter().all(|(other, _)| *other == connection)
    }

    /// Separates the requests that may be sent on this connection now from those that must wait or need another connection.
    /// Returns the group of each; groups are to be sent in the order of their numbers. `None` if all may be sent together.
    pub fn groups(&self, connection: u32, requests: impl Iterator<Item = Keys>) -> Option<Vec<usize>> {
        let state = self.state.lock();
        let mut groups = Groups::new();
        let groups: Vec<usize> = requests.map(|keys| groups.place(&state, connection, &keys)).collect();
        groups.iter().any(|group| *group > 0).then_some(groups)
    }

    /// Registers new calls as in flight on this connection, unless one of them must wait or needs another connection.
    pub fn enter(self: &Arc<Self>, connection: u32, errands: &[Errand<'_>]) -> Option<Hold> {
        let mut state = self.state.lock();
        let mut slots = SmallVec::with_capacity(errands.len());
        for Errand { trip, .. } in errands {
            for &key in trip.keys() {
                let slot = slot_of(key);
                if !state.is_open(slot, connection) {
                    return None;
                }
                slots.push(slot);
            }
        }
        for Errand { trip, .. } in errands {
            state.number(trip);
        }
        let hold = Hold { lanes: self.clone(), connection, slots };
        state.depart(&hold);
        Some(hold)
    }

    /// Puts calls in the queues of their keys: new ones at the end, retried ones ahead of later calls.
    pub fn park(&self, errands: &[Errand<'_>], turn: Turn) {
        let mut state = self.state.lock();
        for Errand { trip, .. } in errands {
            state.park(trip, turn);
        }
    }

    /// Groups waiting calls that are to be sent together.
    pub fn gather(&self, errands: &[Errand<'_>]) -> Party<'_> {
        let mut state = self.state.lock();
        let number = state.next_party;
        state.next_party += 1;
        let changed = Arc::new(Notify::new());
        state.parties.insert(number, changed.clone());
        for Errand { trip, .. } in errands {
            for &key in trip.keys() {
                if let Some(line) = state.lines.get_mut(&slot_of(key)) {
                    line.join(trip.place(), number);
                }
            }
        }
        Party { lanes: self, number, changed }
    }

    /// Which connection the calls of a party may be sent on now.
    pub fn way(&self, party: &Party<'_>, errands: &[Errand<'_>]) -> Way {
        self.state.lock().way(party.number, errands)
    }

    /// Registers calls of a party as in flight on this connection, if that is still allowed.
    pub fn depart(self: &Arc<Self>, connection: u32, party: &Party<'_>, errands: &[Errand<'_>]) -> Option<Hold> {
        let mut state = self.state.lock();
        let way = state.way(party.number, errands);
        if way != Way::Any && way != Way::Over(connection) {
            return None;
        }
        let slots = errands.iter().flat_map(|errand| errand.trip.keys()).map(|&key| slot_of(key)).collect();
        let hold = Hold { lanes: self.clone(), connection, slots };
        state.depart(&hold);
        for Errand { trip, .. } in errands {
            state.leave(trip);
        }
        Some(hold)
    }

    fn is_overtaken(&self, trip: &Trip) -> bool {
        let state = self.state.lock();
        trip.keys().iter().any(|&key| {
            state
                .lines
                .get(&slot_of(key))
                .is_some_and(|line| line.entries_of(trip.place()).any(|entry| entry.overtaken))
        })
    }

    /// Records that a call was executed. If an earlier call on its keys is to be retried, an `idempotent` call is queued behind it,
    /// to be executed again. Any other call has overtaken the earlier one, which is no longer retried.
    pub fn done(&self, trip: &Trip, idempotent: bool) -> Done {
        let mut state = self.state.lock();
        if state.returned == 0 {
            return Done::InTurn;
        }
        let State { lines, parties, .. } = &mut *state;
        let (mut behind, mut overtook) = (false, false);
        for &key in trip.keys() {
            let Some(line) = lines.get_mut(&slot_of(key)) else { continue };
            for entry in line.before(trip.place()).filter(|entry| entry.turn != Turn::New && entry.key == key) {
                behind = true;
                if idempotent || entry.turn == Turn::Due {
                    continue;
                }
                (entry.overtaken, overtook) = (true, true);
                if let Some(changed) = parties.get(&entry.party) {
                    changed.notify_one();
                }
            }
        }
        if behind && idempotent {
            state.park(trip, Turn::Again);
            return Done::OnceMore;
        }
        if !overtook {
            return Done::InTurn;
        }
        drop(state);
        self.stir.notify_waiters();
        Done::Overtook
    }

    /// Waits until the calls that this one has overtaken, with places before `first`, have left their queues.
    pub async fn passed(&self, trip: &Trip<'_>, first: u64, until: Instant) {
        let behind = || {
            let mut state = self.state.lock();
            trip.keys().iter().any(|&key| {
                let line = state.lines.get_mut(&slot_of(key));
                line.is_some_and(|line| line.before(first).any(|entry| entry.overtaken && entry.key == key))
            })
        };
        loop {
            let mut stir = pin!(self.stir.notified());
            stir.as_mut().enable();
            if !behind() || timeout_at(until, stir).await.is_err() {
                return;
            }
        }
    }

    /// Waits until a later call has overtaken one of these calls, which `any` checks.
    pub async fn overtaken(&self, any: impl Fn() -> bool) {
        loop {
            let mut stir = pin!(self.stir.notified());
            stir.as_mut().enable();
            if any() {
                return;
            }
            stir.await;
        }
    }

    /// Whether any call is to be retried.
    pub fn has_returned(&self) -> bool {
        self.state.lock().returned > 0
    }

    /// The hashes of the keys in whose order a request takes part.
    pub fn keys(&self, request: &Request) -> Keys {
        let mut keys = Keys::new();
        trip::keys_of(request, |key| keys.push(self.hash(key)));
        keys
    }

    fn leave(&self, trip: &Trip) {
        let overtaken = self.state.lock().leave(trip);
        // An abandoned call may not have seen itself that it was overtaken.
        if overtaken {
            self.stir.notify_waiters();
        }
    }

    fn hash(&self, key: &Bytes) -> u64 {
        trip::hash(&self.hasher, key)
    }
}

impl Way {
    fn allows(self, connection: u32) -> bool {
        matches!(self, Self::Any) || self == Self::Over(connection)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.slots.is_empty() {
            self.lanes.state.lock().land(self);
        }
    }
}

impl Party<'_> {
    /// Waits, until `until` at most, for a change that may let its calls be sent. Returns whether there was one.
    pub async fn changed(&self, until: Instant) -> bool {
        timeout_at(until, self.changed.notified()).await.is_ok()
    }
}

impl Drop for Party<'_> {
    fn drop(&mut self) {
        self.lanes.state.lock().parties.remove(&self.number);
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
