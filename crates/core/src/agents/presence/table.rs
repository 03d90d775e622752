//! The presence table: which members of this process are in which rooms, and under which process id the store has
//! them.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use super::Member;
use crate::features::room::Membership;

/// All members, by room. Owned by one task.
#[derive(Default)]
pub struct PresenceTable {
    rooms: HashMap<Bytes, Room>,
    memberships: usize,
}

/// The members in one room.
struct Room {
    memberships: HashMap<u64, Membership>,
    /// The process id under which the store has all of them; `None` if it may not.
    process: Option<Arc<str>>,
    /// When the store last confirmed that.
    confirmed: Instant,
}

impl PresenceTable {
    /// How many members there are.
    pub fn len(&self) -> usize {
        self.memberships
    }

    /// Whether the store has this room in the list of this process.
    pub fn is_registered(&self, room: &Bytes, process: &Arc<str>) -> bool {
        self.rooms.get(room).is_some_and(|room| room.process.as_ref() == Some(process))
    }

    /// Records that the store has a room in the list of this process, for a room without members. One whose members
    /// have to be registered again becomes so with them.
    pub fn registered(&mut self, room: &Bytes, process: &Arc<str>, now: Instant) {
        let empty = Room { memberships: HashMap::new(), process: Some(process.clone()), confirmed: now };
        let known = self.rooms.entry(room.clone()).or_insert(empty);
        if known.memberships.is_empty() {
            known.process = Some(process.clone());
        }
    }

    /// Adds a member that the store has registered under this process id.
    pub fn add(&mut self, number: u64, membership: Membership, process: &Arc<str>, now: Instant) {
        self.registered(&membership.room, process, now);
        let Some(room) = self.rooms.get_mut(&membership.room) else { return };
        self.memberships += usize::from(room.memberships.insert(number, membership).is_none());
    }

    /// Removes a member.
    pub fn take(&mut self, member: &Member) -> Option<Membership> {
        let membership = self.rooms.get_mut(&member.room)?.memberships.remove(&member.number)?;
        self.memberships -= 1;
        Some(membership)
    }

    /// Rooms with members that may not be registered under this process id.
    pub fn unregistered(&self, process: &Arc<str>) -> Vec<Bytes> {
        let unregistered = |room: &Room| room.process.as_ref() != Some(process) && !room.memberships.is_empty();
        self.rooms.iter().filter(|(_, room)| unregistered(room)).map(|(key, _)| key.clone()).collect()
    }

    /// Whether all members are registered under this process id.
    pub fn is_registered_everywhere(&self, process: Option<&Arc<str>>) -> bool {
        self.rooms
            .values()
            .all(|room| room.memberships.is_empty() || process.is_some() && room.process.as_ref() == process)
    }

    /// The memberships in a room.
    pub fn memberships(&self, room: &Bytes) -> Vec<Membership> {
        self.rooms.get(room).map(|room| room.memberships.values().cloned().collect()).unwrap_or_default()
    }

    /// Records that all members in this room are registered under this process id.
    pub fn mark_registered(&mut self, room: &Bytes, process: &Arc<str>, now: Instant) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.process = Some(process.clone());
            room.confirmed = now;
        }
    }

    /// Records that some of them may not be registered.
    pub fn mark_unregistered(&mut self, room: &Bytes) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.process = None;
        }
    }

    /// Up to `max` rooms whose members are registered but have not been counted since then, with the number of
    /// members.
    pub fn counted_before(&self, then: Instant, max: usize) -> Vec<(Bytes, usize)> {
        let stale = |room: &Room| !room.memberships.is_empty() && room.process.is_some() && room.confirmed < then;
        let rooms = self.rooms.iter().filter(|(_, room)| stale(room));
        rooms.take(max).map(|(key, room)| (key.clone(), room.memberships.len())).collect()
    }

    /// All rooms in the list of this process, with or without members.
    pub fn rooms(&self) -> Vec<Bytes> {
        self.rooms.keys().cloned().collect()
    }

    /// The numbers of rooms with members, and of those without.
    pub fn full_and_empty(&self) -> (usize, usize) {
        let empty = self.rooms.values().filter(|room| room.memberships.is_empty()).count();
        (self.rooms.len() - empty, empty)
    }

    /// Removes the rooms without members, and records that no room is registered.
    pub fn reset_process(&mut self) {
        self.rooms.retain(|_, room| !room.memberships.is_empty());
        self.rooms.values_mut().for_each(|room| room.process = None);
    }
}
