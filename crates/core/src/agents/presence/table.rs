//! Who of this process is in which room, and under which number of the process the store knows that.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use super::Member;
use crate::features::room::Membership;

/// All members, by room. Known to one task only.
#[derive(Default)]
pub struct PresenceTable {
    rooms: HashMap<Bytes, Room>,
    memberships: usize,
}

/// The memberships in one room.
struct Room {
    memberships: HashMap<u64, Membership>,
    /// The number under which the store knows all of them; `None` where it may not.
    process: Option<Arc<str>>,
    /// When the store was last asked whether it does.
    kept: Instant,
}

impl PresenceTable {
    /// How many memberships there are.
    pub fn len(&self) -> usize {
        self.memberships
    }

    /// Whether the store knows that this process has memberships in a room.
    pub fn is_registered(&self, room: &Bytes, process: &Arc<str>) -> bool {
        self.rooms.get(room).is_some_and(|room| room.process.as_ref() == Some(process))
    }

    /// The store knows, for a room in which nobody is yet. One whose memberships are still to be moved is registered when they are.
    pub fn registered(&mut self, room: &Bytes, process: &Arc<str>, now: Instant) {
        let empty = Room { memberships: HashMap::new(), process: Some(process.clone()), kept: now };
        let known = self.rooms.entry(room.clone()).or_insert(empty);
        if known.memberships.is_empty() {
            known.process = Some(process.clone());
        }
    }

    /// Notes a membership that the store knows under this number.
    pub fn add(&mut self, number: u64, membership: Membership, process: &Arc<str>, now: Instant) {
        self.registered(&membership.room, process, now);
        let Some(room) = self.rooms.get_mut(&membership.room) else { return };
        self.memberships += usize::from(room.memberships.insert(number, membership).is_none());
    }

    /// Takes a membership away.
    pub fn take(&mut self, member: &Member) -> Option<Membership> {
        let membership = self.rooms.get_mut(&member.room)?.memberships.remove(&member.number)?;
        self.memberships -= 1;
        Some(membership)
    }

    /// Rooms with memberships that the store may not know under this number.
    pub fn unsettled(&self, process: &Arc<str>) -> Vec<Bytes> {
        let unsettled = |room: &Room| room.process.as_ref() != Some(process) && !room.memberships.is_empty();
        self.rooms.iter().filter(|(_, room)| unsettled(room)).map(|(key, _)| key.clone()).collect()
    }

    /// Whether there is such a room.
    pub fn is_settled(&self, process: Option<&Arc<str>>) -> bool {
        self.rooms
            .values()
            .all(|room| room.memberships.is_empty() || process.is_some() && room.process.as_ref() == process)
    }

    /// The memberships in a room.
    pub fn memberships(&self, room: &Bytes) -> Vec<Membership> {
        self.rooms.get(room).map(|room| room.memberships.values().cloned().collect()).unwrap_or_default()
    }

    /// The store knows all memberships in this room under this number.
    pub fn settled(&mut self, room: &Bytes, process: &Arc<str>, now: Instant) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.process = Some(process.clone());
            room.kept = now;
        }
    }

    /// The store may not know all of them.
    pub fn unsettle(&mut self, room: &Bytes) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.process = None;
        }
    }

    /// Up to `most` settled rooms whose memberships the store was not asked to count since then, and how many there are.
    pub fn counted_before(&self, then: Instant, most: usize) -> Vec<(Bytes, usize)> {
        let stale = |room: &Room| !room.memberships.is_empty() && room.process.is_some() && room.kept < then;
        let rooms = self.rooms.iter().filter(|(_, room)| stale(room));
        rooms.take(most).map(|(key, room)| (key.clone(), room.memberships.len())).collect()
    }

    /// Rooms that the store was told of, whether anybody is left in them or not.
    pub fn rooms(&self) -> Vec<Bytes> {
        self.rooms.keys().cloned().collect()
    }

    /// Rooms in which somebody is, and those in which nobody is any more.
    pub fn full_and_empty(&self) -> (usize, usize) {
        let empty = self.rooms.values().filter(|room| room.memberships.is_empty()).count();
        (self.rooms.len() - empty, empty)
    }

    /// Forgets under which number the store knows what, and rooms in which nobody is.
    pub fn forget_process(&mut self) {
        self.rooms.retain(|_, room| !room.memberships.is_empty());
        self.rooms.values_mut().for_each(|room| room.process = None);
    }
}
