//! Memberships in rooms: connections of users that a service has put there, and that leave with it.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cinnabar_core::agents::presence::{Member, Presence};
use cinnabar_port::error::Result;
use napi::Env;
use tokio::time::Instant;

use super::Rooms;
use crate::js::{
    node_api::{Js, RawValue, Value},
    service_core::{Ending, Group, Opening, Resource},
    time::iso_now,
};

/// A service's members in the rooms of one presence. When the service is closed, they leave together, and the lease of the
/// presence is given up unless other services have members there.
pub struct Attendance {
    presence: Arc<Presence>,
    members: Mutex<HashSet<Member>>,
}

impl Attendance {
    /// No members yet.
    pub fn new(presence: Arc<Presence>) -> Self {
        Self { presence, members: Mutex::default() }
    }

    /// The presence.
    pub fn presence(&self) -> &Arc<Presence> {
        &self.presence
    }

    fn members(&self) -> MutexGuard<'_, HashSet<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group for Attendance {
    fn end(&self, deadline: Instant) -> Ending {
        let members = std::mem::take(&mut *self.members());
        Some(Box::pin(self.presence.leave_all(members.into_iter().collect(), deadline)))
    }
}

struct Membership {
    attendance: Arc<Attendance>,
    member: Member,
}

impl Resource for Membership {
    fn end(self: Box<Self>, deadline: Option<Instant>) -> Ending {
        let Self { attendance, member } = *self;
        if !attendance.members().remove(&member) {
            return None;
        }
        match deadline {
            Some(deadline) => Some(Box::pin(attendance.presence.leave_all(vec![member], deadline))),
            None => Some(Box::pin(attendance.presence.leave(member))),
        }
    }

    fn outlives_connection() -> bool {
        // Others see the member until the lease of this process is over.
        true
    }
}

/// Puts a connection of a user in a room.
pub fn join(rooms: &Rooms, env: &Env, room: Value, user: Value, info: Value) -> RawValue {
    let js = Js(env.raw());
    let environment = rooms.core.environment();
    let prepared = js.text(room, "roomId").and_then(|room| -> Result<_> {
        Ok((room, js.text(user, "userId")?, environment.stringify(js, info, "info")?))
    });
    let opening = Opening {
        name: "JOIN",
        late: "no seat in the room within the time that was given; it is given back if it comes later",
    };
    rooms.core.open(js, opening, prepared, |(room, user, info), open_store, _| {
        let (attendance, at) = (rooms.attendance(open_store), iso_now());
        async move {
            let member = attendance.presence.join(&room, &user, &info, &at).await?;
            attendance.members().insert(member.clone());
            Ok(Membership { attendance, member })
        }
    })
}
