//! Memberships in rooms: connections of users that a service has added, and that leave when it is closed.

use std::{collections::HashSet, sync::Arc};

use cinnabar_core::agents::presence::{Member, Presence};
use cinnabar_port::error::Result;
use napi::Env;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Rooms;
use crate::js::{
    node_api::{Js, RawValue, Value},
    service_core::{Ending, Opening, Resource, ResourceGroup},
    time::iso_now,
};

/// A service's members in the rooms of one presence. When the service is closed, they leave together, and the lease of the presence is
/// released unless other services have members there.
pub struct ServiceMembers {
    presence: Arc<Presence>,
    members: Mutex<HashSet<Member>>,
}

impl ServiceMembers {
    /// Returns an empty set of members.
    pub fn new(presence: Arc<Presence>) -> Self {
        Self { presence, members: Mutex::default() }
    }

    /// Returns the presence.
    pub fn presence(&self) -> &Arc<Presence> {
        &self.presence
    }
}

impl ResourceGroup for ServiceMembers {
    fn end(&self, deadline: Instant) -> Ending {
        let members = std::mem::take(&mut *self.members.lock());
        Some(Box::pin(self.presence.leave_all(members.into_iter().collect(), deadline)))
    }
}

struct Membership {
    service_members: Arc<ServiceMembers>,
    member: Member,
}

impl Resource for Membership {
    fn end(self: Box<Self>, deadline: Option<Instant>) -> Ending {
        let Self { service_members, member } = *self;
        if !service_members.members.lock().remove(&member) {
            return None;
        }
        match deadline {
            Some(deadline) => Some(Box::pin(service_members.presence.leave_all(vec![member], deadline))),
            None => Some(Box::pin(service_members.presence.leave(member))),
        }
    }

    fn outlives_connection() -> bool {
        // Other processes see the member until the lease of this process has expired.
        true
    }
}

/// Adds a connection of a user to a room.
pub fn join(rooms: &Rooms, env: &Env, room: Value, user: Value, info: Value) -> RawValue {
    let js = Js(env.raw());
    let environment = rooms.core.environment();
    let prepared = js.text(room, "roomId").and_then(|room| -> Result<_> {
        Ok((room, js.text(user, "userId")?, environment.stringify(js, info, "info")?))
    });
    let opening =
        Opening { name: "JOIN", late: "the room was not joined within the time that was given; a late join is undone" };
    rooms.core.open(js, opening, prepared, |(room, user, info), open_store, _| {
        let (service_members, at) = (rooms.service_members(open_store), iso_now());
        async move {
            let member = service_members.presence.join(&room, &user, &info, &at).await?;
            service_members.members.lock().insert(member.clone());
            Ok(Membership { service_members, member })
        }
    })
}
