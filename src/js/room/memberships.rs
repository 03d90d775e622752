//! Memberships in rooms: connections of users that a service has put there, and that leave with it.

use std::sync::Arc;

use cinnabar_core::agents::presence::{Member, Presence};
use cinnabar_port::error::Result;
use napi::Env;
use tokio::time::Instant;

use super::Rooms;
use crate::js::{
    node_api::{Js, RawValue, Value},
    service_core::{Ending, Opening, Resource},
    time::iso_now,
};

struct Membership {
    presence: Arc<Presence>,
    member: Member,
}

impl Resource for Membership {
    fn end(self: Box<Self>, deadline: Option<Instant>) -> Ending {
        let Self { presence, member } = *self;
        match deadline {
            Some(deadline) => Some(Box::pin(presence.leave_all(vec![member], deadline))),
            None => Some(Box::pin(presence.leave(member))),
        }
    }

    fn outlives_connection() -> bool {
        // Others see the member until the lease of this process is over.
        true
    }
}

/// The presence of a service's members, or of those whom it has asked for. When the service is closed, its lease is given up
/// unless other services have members there.
pub struct Attendance(pub Arc<Presence>);

impl Resource for Attendance {
    fn end(self: Box<Self>, deadline: Option<Instant>) -> Ending {
        Some(Box::pin(self.0.leave_all(Vec::new(), deadline.unwrap_or_else(Instant::now))))
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
        let (presence, at) = (rooms.attend(open_store), iso_now());
        async move {
            let member = presence.join(&room, &user, &info, &at).await?;
            Ok(Membership { presence, member })
        }
    })
}
