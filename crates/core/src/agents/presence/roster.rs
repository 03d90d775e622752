//! Who of this process is in which room, and under which number of the process the store knows that.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use super::Member;
use crate::features::room::Membership;

/// All members, by room. Known to one task only.
#[derive(Default)]
pub struct Roster {
    rooms: HashMap<Bytes, Room>,
    seats: usize,
}

/// The seats in one room.
struct Room {
    seats: HashMap<u64, Membership>,
    /// The number under which the store knows all of them; `None` where it may not.
    node: Option<Arc<str>>,
    /// When the store was last asked whether it does.
    kept: Instant,
}

impl Roster {
    /// How many seats there are.
    pub fn len(&self) -> usize {
        self.seats
    }

    /// Whether the store knows that this process has seats in a room.
    pub fn is_registered(&self, room: &Bytes, node: &Arc<str>) -> bool {
        self.rooms.get(room).is_some_and(|room| room.node.as_ref() == Some(node))
    }

    /// The store knows, for a room in which nobody is yet. One whose seats are still to be moved is registered when they are.
    pub fn registered(&mut self, room: &Bytes, node: &Arc<str>, now: Instant) {
        let empty = Room { seats: HashMap::new(), node: Some(node.clone()), kept: now };
        let known = self.rooms.entry(room.clone()).or_insert(empty);
        if known.seats.is_empty() {
            known.node = Some(node.clone());
        }
    }

    /// Notes a seat that the store knows under this number.
    pub fn add(&mut self, number: u64, seat: Membership, node: &Arc<str>, now: Instant) {
        self.registered(&seat.room, node, now);
        let Some(room) = self.rooms.get_mut(&seat.room) else { return };
        self.seats += usize::from(room.seats.insert(number, seat).is_none());
    }

    /// Takes a seat away.
    pub fn take(&mut self, member: &Member) -> Option<Membership> {
        let seat = self.rooms.get_mut(&member.room)?.seats.remove(&member.number)?;
        self.seats -= 1;
        Some(seat)
    }

    /// Rooms with seats that the store may not know under this number.
    pub fn unsettled(&self, node: &Arc<str>) -> Vec<Bytes> {
        let unsettled = |room: &Room| room.node.as_ref() != Some(node) && !room.seats.is_empty();
        self.rooms.iter().filter(|(_, room)| unsettled(room)).map(|(key, _)| key.clone()).collect()
    }

    /// Whether there is such a room.
    pub fn is_settled(&self, node: Option<&Arc<str>>) -> bool {
        self.rooms.values().all(|room| room.seats.is_empty() || node.is_some() && room.node.as_ref() == node)
    }

    /// The seats in a room.
    pub fn seats(&self, room: &Bytes) -> Vec<Membership> {
        self.rooms.get(room).map(|room| room.seats.values().cloned().collect()).unwrap_or_default()
    }

    /// The store knows all seats in this room under this number.
    pub fn settled(&mut self, room: &Bytes, node: &Arc<str>, now: Instant) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.node = Some(node.clone());
            room.kept = now;
        }
    }

    /// The store may not know all of them.
    pub fn unsettle(&mut self, room: &Bytes) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.node = None;
        }
    }

    /// Up to `most` settled rooms whose seats the store was not asked to count since then, and how many there are.
    pub fn counted_before(&self, then: Instant, most: usize) -> Vec<(Bytes, usize)> {
        let stale = |room: &Room| !room.seats.is_empty() && room.node.is_some() && room.kept < then;
        let rooms = self.rooms.iter().filter(|(_, room)| stale(room));
        rooms.take(most).map(|(key, room)| (key.clone(), room.seats.len())).collect()
    }

    /// Rooms that the store was told of, whether anybody is left in them or not.
    pub fn rooms(&self) -> Vec<Bytes> {
        self.rooms.keys().cloned().collect()
    }

    /// Rooms in which somebody is, and those in which nobody is any more.
    pub fn full_and_empty(&self) -> (usize, usize) {
        let empty = self.rooms.values().filter(|room| room.seats.is_empty()).count();
        (self.rooms.len() - empty, empty)
    }

    /// Forgets under which number the store knows what, and rooms in which nobody is.
    pub fn forget_node(&mut self) {
        self.rooms.retain(|_, room| !room.seats.is_empty());
        self.rooms.values_mut().for_each(|room| room.node = None);
    }
}
