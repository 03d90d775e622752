//! Order among calls on the same keys, over however many connections.
//!
//! A call goes where an earlier one on its key is under way, behind it on the same connection, or waits for it. A call that
//! has to be sent again goes back to its place in line: whatever was made later on its key waits behind it. What was made later
//! and is done already is done once more behind it where that does no harm; where it might, the earlier one is not sent again.
//!
//! Keys are told apart by a slot of a small table each. Two keys in one slot are taken for one: that costs them a connection of
//! their own, and nothing else.

mod groups;
mod line;
mod state;
#[cfg(test)]
mod tests;
mod trip;

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use foldhash::fast::RandomState;
use smallvec::SmallVec;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::store::Request;
use groups::Groups;
use state::State;
pub use trip::{Errand, Keys, Trip};

/// Slots of the table: keys beyond about so many that are under way at once may share one.
const SLOTS: usize = 1 << 13;

/// The group of what depends on several others, or on somebody who waits: it is the last.
pub const REST: usize = usize::MAX;

/// Which connection carries calls on which keys, and who waits for that.
pub struct Lanes {
    state: Mutex<State>,
    /// A call has overtaken another, or one that was overtaken has been told.
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

/// Where calls may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nowhere yet.
    Wait,
    /// Over any connection.
    Any,
    /// Over this one only.
    Over(u32),
}

/// What became of a call that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Nothing else.
    InTurn,
    /// It is to be done once more, behind an earlier one.
    OnceMore,
    /// Earlier ones are not sent any more.
    Overtook,
}

/// Calls under way over one connection. Dropped when they are answered and what they lead to is decided, or when their
/// connection has ended.
pub struct Hold {
    lanes: Arc<Lanes>,
    connection: u32,
    slots: SmallVec<[u16; 16]>,
}

/// Calls that wait together. They stay in line when it is dropped: each leaves with its trip.
pub struct Party<'a> {
    lanes: &'a Lanes,
    number: u64,
    changed: Arc<Notify>,
}

impl Lanes {
    /// Nobody is under way.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::new()), stir: Notify::new(), hasher: RandomState::default() })
    }

    /// Whether nobody waits.
    pub fn is_free(&self) -> bool {
        self.lock().lines.is_empty()
    }

    /// Whether calls over this connection can meet nobody: no other carries any, and nobody waits.
    pub fn is_quiet(&self, connection: u32) -> bool {
        let state = self.lock();
        state.lines.is_empty() && state.under_way.iter().all(|(other, _)| *other == connection)
    }

    /// Puts requests, by their keys, that would wait or go elsewhere apart from those that may go over this connection at once.
    /// Answers the group of each; groups are to be sent in the order of their numbers. `None` where all may go together.
    pub fn groups(&self, connection: u32, requests: impl Iterator<Item = Keys>) -> Option<Vec<usize>> {
        let state = self.lock();
        let mut groups = Groups::new();
        let groups: Vec<usize> = requests.map(|keys| groups.place(&state, connection, &keys)).collect();
        groups.iter().any(|group| *group > 0).then_some(groups)
    }

    /// Takes new calls to this connection at once, if none of them has to wait or to go elsewhere.
    pub fn enter(self: &Arc<Self>, connection: u32, errands: &[Errand<'_>]) -> Option<Hold> {
        let mut state = self.lock();
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

    /// Puts calls in line, each at its place: new ones at the end, others before whatever was made later.
    pub fn park(&self, errands: &[Errand<'_>], turn: Turn) {
        let mut state = self.lock();
        for Errand { trip, .. } in errands {
            state.park(trip, turn);
        }
    }

    /// Calls in line that are to go together.
    pub fn gather(&self, errands: &[Errand<'_>]) -> Party<'_> {
        let mut state = self.lock();
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

    /// Where calls of a party may go now.
    pub fn way(&self, party: &Party<'_>, errands: &[Errand<'_>]) -> Way {
        self.lock().way(party.number, errands)
    }

    /// Takes calls of a party to this connection, if they still may go there.
    pub fn depart(self: &Arc<Self>, connection: u32, party: &Party<'_>, errands: &[Errand<'_>]) -> Option<Hold> {
        let mut state = self.lock();
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
        let state = self.lock();
        trip.keys().iter().any(|&key| {
            state
                .lines
                .get(&slot_of(key))
                .is_some_and(|line| line.entries_of(trip.place()).any(|entry| entry.overtaken))
        })
    }

    /// A call was done, perhaps, before one that was made earlier and is to be sent again. Where there is such a one, `repeatable`
    /// calls go in line behind it, to be done once more. The others have overtaken it: it is not sent any more.
    pub fn done(&self, trip: &Trip, repeatable: bool) -> Done {
        let mut state = self.lock();
        if state.returned == 0 {
            return Done::InTurn;
        }
        let State { lines, parties, .. } = &mut *state;
        let (mut behind, mut overtook) = (false, false);
        for &key in trip.keys() {
            let Some(line) = lines.get_mut(&slot_of(key)) else { continue };
            for entry in line.before(trip.place()).filter(|entry| entry.turn != Turn::New && entry.key == key) {
                behind = true;
                if repeatable || entry.turn == Turn::Due {
                    continue;
                }
                (entry.overtaken, overtook) = (true, true);
                if let Some(changed) = parties.get(&entry.party) {
                    changed.notify_one();
                }
            }
        }
        if behind && repeatable {
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

    /// Waits until those that this call has overtaken have been told so, as far as their places are before `first`.
    pub async fn passed(&self, trip: &Trip<'_>, first: u64, until: Instant) {
        let behind = || {
            let mut state = self.lock();
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

    /// Waits until a later call has overtaken one of these.
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

    /// Whether anybody is to be sent again.
    pub fn has_returned(&self) -> bool {
        self.lock().returned > 0
    }

    /// What the order of a request is about.
    pub fn keys(&self, request: &Request) -> Keys {
        let mut keys = Keys::new();
        trip::keys_of(request, |key| keys.push(self.hash(key)));
        keys
    }

    fn leave(&self, trip: &Trip) {
        let overtaken = self.lock().leave(trip);
        // It may be abandoned before it has seen that itself.
        if overtaken {
            self.stir.notify_waiters();
        }
    }

    fn hash(&self, key: &Bytes) -> u64 {
        trip::hash(&self.hasher, key)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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
            self.lanes.lock().land(self);
        }
    }
}

impl Party<'_> {
    /// Waits until where its calls may go may have changed, until `until` at most; whether it has.
    pub async fn changed(&self, until: Instant) -> bool {
        timeout_at(until, self.changed.notified()).await.is_ok()
    }
}

impl Drop for Party<'_> {
    fn drop(&mut self) {
        self.lanes.lock().parties.remove(&self.number);
    }
}

fn slot_of(key: u64) -> u16 {
    (key % SLOTS as u64) as u16
}

/// A number for each connection of the process.
pub fn number_connection() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
