//! `RealtimeDataManager`'s native half.

mod listeners;
mod memberships;

use std::{cell::Cell, sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_core::{agents::presence::Presence, features::room, keys, output::Output, store::Publication};
use cinnabar_port::{Call, error::Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use tokio::time::Instant;

use self::memberships::Attendance;
use super::{
    node_api::{Js, RawValue},
    open_store::OpenStore,
    operation::{Empty, Operation},
    service::Service,
    service_core::ServiceCore,
    time::iso_now,
};

/// How long a process may be silent before it counts as dead.
const LEASE: Duration = Duration::from_secs(10);
/// How often it is passed on that a caller asks who is in a room.
const LOOK: Duration = Duration::from_secs(5);
/// The users of a room in which nobody can be.
const NOBODY: &[u8] = b"{}";
const LEASES: std::ops::RangeInclusive<u64> = 100..=3_600_000;

/// Rooms of one service.
#[napi]
pub struct Rooms {
    core: ServiceCore,
    rooms: Arc<room::Rooms>,
    lease: Duration,
    /// When a caller last asked who is in a room, as far as that was passed on.
    looked_at: Cell<Option<Instant>>,
}

impl Rooms {
    /// The caller asks who is in a room: makes this process remove dead members, as it does when it has members of its own.
    fn look(&self, js: Js) -> Result<()> {
        if self.looked_at.get().is_none_or(|at| at.elapsed() >= LOOK) {
            let open_store = self.core.open_store(js)?;
            self.attendance(&open_store).presence().request_sweeps();
            self.looked_at.set(Some(Instant::now()));
        }
        Ok(())
    }

    /// A call that records what it published.
    fn noting<T: Send + 'static>(&self, js: Js, call: Call<(T, Option<Publication>)>) -> Result<Call<T>> {
        Ok(self.core.open_store(js)?.store().recording_publication(call))
    }

    /// The service's members in the rooms of this process's presence, which is kept for as long as the service is open.
    fn attendance(&self, open_store: &OpenStore) -> Arc<Attendance> {
        self.core.resources().group(&self.presence(open_store), Attendance::new)
    }

    /// The presence of this process; one for all who have the same store, prefix and lease.
    fn presence(&self, open_store: &OpenStore) -> Arc<Presence> {
        Presence::shared(open_store.store(), &self.rooms, self.lease, self.core.settings().timeout)
    }
}

#[napi]
impl Rooms {
    /// Takes `{ prefix, leaseMs }`.
    #[napi(constructor)]
    pub fn new(env: Env, service: &Service, options: Unknown) -> napi::Result<Self> {
        let js = Js(env.raw());
        let database = service.core.settings().channel_database();
        let prefix = js.text_option(options.raw(), c"prefix", "prefix");
        let (rooms, lease) = prefix
            .and_then(|prefix| Ok((room::Rooms::new(room::Options { prefix, database })?, lease(js, options)?)))
            .map_err(|error| service.core.exception(&env, &error))?;
        Ok(Self { core: service.core.clone(), rooms: Arc::new(rooms), lease, looked_at: Cell::new(None) })
    }

    /// The same within limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Rooms> {
        Ok(Self {
            core: self.core.within(&env, limits.raw())?,
            rooms: self.rooms.clone(),
            lease: self.lease,
            looked_at: self.looked_at.clone(),
        })
    }

    /// Puts a user in a room.
    #[napi]
    pub fn add_user(&self, env: Env, room: Unknown, user: Unknown, info: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "JOIN ROOM", empty: None }, |js| {
            let (room, user) = (js.text(room.raw(), "roomId")?, js.text(user.raw(), "userId")?);
            let info = self.core.environment().stringify(js, info.raw(), "info")?;
            self.noting(js, self.rooms.add_user(&room, &user, &info, &iso_now())?)
        })
    }

    /// Takes a user out of a room; returns how many were taken out.
    #[napi]
    pub fn remove_user(&self, env: Env, room: Unknown, user: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("LEAVE ROOM", Empty::Zero), |js| {
            match (js.sought(room.raw(), "roomId", keys::is_id)?, js.sought(user.raw(), "userId", keys::is_id)?) {
                (Some(room), Some(user)) => self.noting(js, self.rooms.remove_user(&room, &user)?),
                _ => Ok(Call::ready(0)),
            }
        })
    }

    /// An object by user.
    #[napi]
    pub fn users(&self, env: Env, room: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("ROOM USERS", Empty::Object), |js| {
            let Some(room) = js.sought(room.raw(), "roomId", keys::is_id)? else {
                return Ok(Call::ready(Output::json_record(Bytes::from_static(NOBODY))));
            };
            let users = self.rooms.users(&room)?;
            self.look(js)?;
            Ok(users.map(Output::json_record))
        })
    }

    /// Stores a message as the newest.
    #[napi]
    pub fn store_message(&self, env: Env, room: Unknown, message: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "STORE MESSAGE", empty: None }, |js| {
            let room = js.text(room.raw(), "roomId")?;
            let message = self.core.environment().stringify(js, message.raw(), "message")?;
            self.rooms.store_message(&room, &message, &iso_now())
        })
    }

    /// The last messages, newest first.
    #[napi]
    pub fn recent_messages(&self, env: Env, room: Unknown, count: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("RECENT MESSAGES", Empty::List), |js| {
            let count = js.any_number(count.raw(), "count")?;
            // An invalid count is a programming error, even if the room is invalid client input.
            room::checked_count(count)?;
            match js.sought(room.raw(), "roomId", keys::is_id)? {
                Some(room) => Ok(self.rooms.recent(&room, count)?.map(Output::json)),
                None => Ok(Call::ready(Output::List(Vec::new()))),
            }
        })
    }

    /// Puts a connection of a user in a room; resolves to the number that has it leave.
    #[napi]
    pub fn join(&self, env: Env, room: Unknown, user: Unknown, info: Unknown) -> RawValue {
        memberships::join(self, &env, room.raw(), user.raw(), info.raw())
    }

    /// Has a member leave, by the number that `join` resolved to.
    #[napi]
    pub fn leave(&self, env: Env, member: f64) -> RawValue {
        self.core.end(Js(env.raw()), "LEAVE", member as u64)
    }

    /// Sends a message to who listens; resolves to its number.
    #[napi]
    pub fn send(&self, env: Env, room: Unknown, message: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "SEND", empty: None }, |js| {
            let room = js.text(room.raw(), "roomId")?;
            let message = self.core.environment().stringify(js, message.raw(), "message")?;
            self.noting(js, self.rooms.send(&room, &message, &iso_now())?)
        })
    }

    /// Delivers what was sent after `since` and what is sent; resolves to the number of the reader, which ends it.
    #[napi]
    pub fn listen(&self, env: Env, room: Unknown, since: Unknown, reader: Unknown) -> RawValue {
        listeners::listen(self, &env, room.raw(), since.raw(), reader.raw())
    }

    /// Delivers who is in a room and who comes and goes; resolves to the number of the reader, which ends it.
    #[napi]
    pub fn watch(&self, env: Env, room: Unknown, reader: Unknown) -> RawValue {
        listeners::watch(self, &env, room.raw(), reader.raw())
    }

    /// Ends a listener or watcher by the number of its reader.
    #[napi]
    pub fn unsubscribe(&self, env: Env, reader: f64) -> RawValue {
        self.core.end(Js(env.raw()), "UNSUBSCRIBE", reader as u64)
    }
}

fn lease(js: Js, options: Unknown) -> Result<Duration> {
    let read = |ms| js.milliseconds_within(ms, "leaseMs", LEASES);
    Ok(js.option(options.raw(), c"leaseMs")?.map(read).transpose()?.unwrap_or(LEASE))
}
