//! Which calls are in flight on which connection, and which calls wait.

use std::{collections::HashMap, sync::Arc};

use smallvec::SmallVec;
use tokio::sync::Notify;

use super::{
    Errand, Hold, SLOTS, Trip, Turn, Way,
    line::{Entry, Line},
    slot_of,
};

pub struct State {
    /// The place that the next call gets.
    pub next: u64,
    pub next_party: u64,
    pub slots: Vec<Slot>,
    /// How many keys are in flight, by connection.
    pub under_way: SmallVec<[(u32, usize); 4]>,
    /// The waiting calls, by slot.
    pub lines: HashMap<u16, Line>,
    pub parties: HashMap<u64, Arc<Notify>>,
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
            next_party: 1,
            slots: vec![Slot::default(); SLOTS],
            under_way: SmallVec::new(),
            lines: HashMap::new(),
            parties: HashMap::new(),
            returned: 0,
        }
    }

    pub fn number(&mut self, trip: &Trip) {
        if trip.place() == 0 {
            trip.take_place(self.next);
            self.next += 1;
        }
    }

    /// Whether a new call on this slot may be sent on this connection now.
    pub fn is_open(&self, slot: u16, connection: u32) -> bool {
        let Slot { connection: other, calls } = self.slots[usize::from(slot)];
        (calls == 0 || other == connection) && (self.lines.is_empty() || !self.lines.contains_key(&slot))
    }

    /// Which connection a new call on these slots may be sent on.
    pub fn way_of(&self, slots: &[u16]) -> Way {
        let mut way = Way::Any;
        for slot in slots {
            let Slot { connection, calls } = self.slots[usize::from(*slot)];
            if self.lines.contains_key(slot) || calls > 0 && !way.allows(connection) {
                return Way::Wait;
            }
            if calls > 0 {
                way = Way::Over(connection);
            }
        }
        way
    }

    pub fn way(&self, party: u64, errands: &[Errand<'_>]) -> Way {
        let mut mine = HashMap::<u16, (usize, bool)>::new();
        for Errand { trip, .. } in errands {
            for &key in trip.keys() {
                let (count, again) = mine.entry(slot_of(key)).or_default();
                *count += 1;
                *again |= trip.is_again();
            }
        }
        let mut way = Way::Any;
        for (slot, (count, again)) in mine {
            if !self.lines.get(&slot).is_some_and(|line| line.begins_with(count, party)) {
                return Way::Wait;
            }
            let Slot { connection, calls } = self.slots[usize::from(slot)];
            // Calls in flight come after a retried call in order, so it waits until they have come back.
            if calls > 0 && (again || !way.allows(connection)) {
                return Way::Wait;
            }
            if calls > 0 {
                way = Way::Over(connection);
            }
        }
        way
    }

    pub fn depart(&mut self, hold: &Hold) {
        for slot in &hold.slots {
            let slot = &mut self.slots[usize::from(*slot)];
            slot.connection = hold.connection;
            slot.calls += 1;
        }
        if hold.slots.is_empty() {
            return;
        }
        match self.under_way.iter_mut().find(|(connection, _)| *connection == hold.connection) {
            Some((_, count)) => *count += hold.slots.len(),
            None => self.under_way.push((hold.connection, hold.slots.len())),
        }
    }

    pub fn land(&mut self, hold: &Hold) {
        for &at in &hold.slots {
            let slot = &mut self.slots[usize::from(at)];
            slot.calls = slot.calls.saturating_sub(1);
            if slot.calls == 0 && !self.lines.is_empty() {
                self.wake(at);
            }
        }
        if let Some(at) = self.under_way.iter().position(|(connection, _)| *connection == hold.connection) {
            let count = &mut self.under_way[at].1;
            *count = count.saturating_sub(hold.slots.len());
            if *count == 0 {
                self.under_way.swap_remove(at);
            }
        }
    }

    pub fn park(&mut self, trip: &Trip, turn: Turn) {
        self.number(trip);
        if !trip.wait(turn) {
            return;
        }
        for &key in trip.keys() {
            let entry = Entry { place: trip.place(), key, party: 0, turn, overtaken: false };
            self.lines.entry(slot_of(key)).or_default().insert(entry);
        }
        self.returned += usize::from(turn != Turn::New);
    }

    /// Removes a call from its queues; returns whether a later call overtook it while it waited.
    pub fn leave(&mut self, trip: &Trip) -> bool {
        let Some(again) = trip.stop_waiting() else { return false };
        let mut overtaken = false;
        self.returned -= usize::from(again);
        for &key in trip.keys() {
            let slot = slot_of(key);
            let Some(line) = self.lines.get_mut(&slot) else { continue };
            overtaken |= line.remove(trip.place());
            if line.is_empty() {
                self.lines.remove(&slot);
            } else {
                self.wake(slot);
            }
        }
        overtaken
    }

    /// Has the first call in this queue check whether it may be sent.
    fn wake(&self, slot: u16) {
        let first = self.lines.get(&slot).and_then(Line::first);
        if let Some(changed) = first.and_then(|party| self.parties.get(&party)) {
            changed.notify_one();
        }
    }
}
