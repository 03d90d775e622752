//! Which calls are in flight on which connection, and which calls wait.

use std::{collections::HashMap, sync::Arc};

use smallvec::SmallVec;
use tokio::sync::Notify;

use super::{
    InFlight, Route, SLOTS, Tracked, Tracker, WaitReason, slot_of,
    wait_queue::{Entry, WaitQueue},
};

pub struct State {
    /// The sequence number of the next call.
    pub next: u64,
    pub next_group: u64,
    pub slots: Vec<Slot>,
    /// How many keys are in flight, by connection.
    pub in_flight: SmallVec<[(u32, usize); 4]>,
    /// The waiting calls, by slot.
    pub queues: HashMap<u16, WaitQueue>,
    pub waiting_groups: HashMap<u64, Arc<Notify>>,
    /// How many of the waiting calls have been sent before.
    pub returned: usize,
}

/// The calls in flight on keys of one slot, all on one connection.
#[derive(Clone, Copy, Default)]
pub struct Slot {
    connection: u32,
    calls: u32,
}

impl State {
    /// No call is in flight.
    pub fn new() -> Self {
        Self {
            next: 1,
            next_group: 1,
            slots: vec![Slot::default(); SLOTS],
            in_flight: SmallVec::new(),
            queues: HashMap::new(),
            waiting_groups: HashMap::new(),
            returned: 0,
        }
    }

    pub fn number(&mut self, tracker: &Tracker) {
        if tracker.sequence() == 0 {
            tracker.set_sequence(self.next);
            self.next += 1;
        }
    }

    /// Whether a new call on this slot may be sent on this connection now.
    pub fn is_open(&self, slot: u16, connection: u32) -> bool {
        let Slot { connection: other, calls } = self.slots[usize::from(slot)];
        (calls == 0 || other == connection) && (self.queues.is_empty() || !self.queues.contains_key(&slot))
    }

    /// Which connection a new call on these slots may be sent on.
    pub fn route_of(&self, slots: &[u16]) -> Route {
        let mut route = Route::Any;
        for slot in slots {
            let Slot { connection, calls } = self.slots[usize::from(*slot)];
            if self.queues.contains_key(slot) || calls > 0 && !route.allows(connection) {
                return Route::Wait;
            }
            if calls > 0 {
                route = Route::Over(connection);
            }
        }
        route
    }

    pub fn route(&self, group: u64, requests: &[Tracked<'_>]) -> Route {
        let mut mine = HashMap::<u16, (usize, bool)>::new();
        for Tracked { tracker, .. } in requests {
            for &key in tracker.keys() {
                let (count, again) = mine.entry(slot_of(key)).or_default();
                *count += 1;
                *again |= tracker.is_again();
            }
        }
        let mut route = Route::Any;
        for (slot, (count, again)) in mine {
            if !self.queues.get(&slot).is_some_and(|queue| queue.begins_with(count, group)) {
                return Route::Wait;
            }
            let Slot { connection, calls } = self.slots[usize::from(slot)];
            // Calls in flight come after a retried call in order, so it waits until they have come back.
            if calls > 0 && (again || !route.allows(connection)) {
                return Route::Wait;
            }
            if calls > 0 {
                route = Route::Over(connection);
            }
        }
        route
    }

    pub fn start(&mut self, hold: &InFlight) {
        for slot in &hold.slots {
            let slot = &mut self.slots[usize::from(*slot)];
            slot.connection = hold.connection;
            slot.calls += 1;
        }
        if hold.slots.is_empty() {
            return;
        }
        match self.in_flight.iter_mut().find(|(connection, _)| *connection == hold.connection) {
            Some((_, count)) => *count += hold.slots.len(),
            None => self.in_flight.push((hold.connection, hold.slots.len())),
        }
    }

    pub fn finish(&mut self, hold: &InFlight) {
        for &at in &hold.slots {
            let slot = &mut self.slots[usize::from(at)];
            slot.calls = slot.calls.saturating_sub(1);
            if slot.calls == 0 && !self.queues.is_empty() {
                self.wake(at);
            }
        }
        if let Some(at) = self.in_flight.iter().position(|(connection, _)| *connection == hold.connection) {
            let count = &mut self.in_flight[at].1;
            *count = count.saturating_sub(hold.slots.len());
            if *count == 0 {
                self.in_flight.swap_remove(at);
            }
        }
    }

    pub fn enqueue(&mut self, tracker: &Tracker, turn: WaitReason) {
        self.number(tracker);
        if !tracker.wait(turn) {
            return;
        }
        for &key in tracker.keys() {
            let entry = Entry { sequence: tracker.sequence(), key, group: 0, turn, overtaken: false };
            self.queues.entry(slot_of(key)).or_default().insert(entry);
        }
        self.returned += usize::from(turn != WaitReason::New);
    }

    /// Removes a call from its queues; returns whether a later call overtook it while it waited.
    pub fn leave(&mut self, tracker: &Tracker) -> bool {
        let Some(again) = tracker.stop_waiting() else { return false };
        let mut overtaken = false;
        self.returned -= usize::from(again);
        for &key in tracker.keys() {
            let slot = slot_of(key);
            let Some(queue) = self.queues.get_mut(&slot) else { continue };
            overtaken |= queue.remove(tracker.sequence());
            if queue.is_empty() {
                self.queues.remove(&slot);
            } else {
                self.wake(slot);
            }
        }
        overtaken
    }

    /// Notifies the first call in this queue, which then checks whether it may be sent.
    fn wake(&self, slot: u16) {
        let first = self.queues.get(&slot).and_then(WaitQueue::first);
        if let Some(changed) = first.and_then(|group| self.waiting_groups.get(&group)) {
            changed.notify_one();
        }
    }
}
