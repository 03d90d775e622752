//! The native class behind `RealtimeDataManager`.

mod listeners;
mod memberships;

use std::{cell::Cell, sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_core::{agents::presence::Presence, features::room, keys, output::Output, store::Publication};
use cinnabar_port::{Call, error::Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use tokio::time::Instant;

use self::memberships::ServiceMembers;
use super::{
    node_api::{Js, RawValue},
    open_store::OpenStore,
    operation::{Empty, Operation},
    option_reader::OptionReader,
    service::Service,
    service_core::ServiceCore,
    time::iso_now,
};

/// The default lease: after this time without a renewal, the members of a process are removed.
const LEASE: Duration = Duration::from_secs(10);
/// How often a caller's interest in the users of a room is reported to the presence.
const INTEREST_INTERVAL: Duration = Duration::from_secs(5);
/// The users of a room whose id is invalid.
const NO_USERS: &[u8] = b"{}";
const LEASES: std::ops::RangeInclusive<u64> = 100..=3_600_000;

/// Rooms of one service.
#[napi]
pub struct Rooms {
    core: ServiceCore,
    rooms: Arc<room::Rooms>,
    lease: Duration,
    /// When interest in the users of a room was last reported.
    interest_reported: Cell<Option<Instant>>,
}

impl Rooms {
    /// Reports that a caller has requested the users of a room: this process then removes members with expired leases, as it does if it
    /// has members of its own.
    fn report_interest(&self, js: Js) -> Result<()> {
        if self.interest_reported.get().is_none_or(|at| at.elapsed() >= INTEREST_INTERVAL) {
            let open_store = self.core.open_store(js)?;
            self.service_members(&open_store).presence().request_sweeps();
            self.interest_reported.set(Some(Instant::now()));
        }
        Ok(())
    }

    /// Returns a call that records what it published.
    fn recording<T: Send + 'static>(&self, js: Js, call: Call<(T, Option<Publication>)>) -> Result<Call<T>> {
        Ok(self.core.open_store(js)?.store().recording_publication(call))
    }

    /// Returns the service's members in the rooms of this process's presence, which lives as long as the service is open.
    fn service_members(&self, open_store: &OpenStore) -> Arc<ServiceMembers> {
        self.core.resources().group(&self.presence(open_store), ServiceMembers::new)
    }

    /// Returns the presence of this process, which is shared by all with the same store, prefix and lease.
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
        let (rooms, lease) = OptionReader::of(js, options.raw())
            .rooms()
            .and_then(|(prefix, lease)| Ok((room::Rooms::new(room::Options { prefix, database })?, lease)))
            .map_err(|error| service.core.exception(&env, &error))?;
        Ok(Self { core: service.core.clone(), rooms: Arc::new(rooms), lease, interest_reported: Cell::new(None) })
    }

    /// Returns the same object with limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Rooms> {
        Ok(Self {
            core: self.core.within(&env, limits.raw())?,
            rooms: self.rooms.clone(),
            lease: self.lease,
            interest_reported: self.interest_reported.clone(),
        })
    }

    /// Puts a user in a room.
    #[napi]
    pub fn add_user(&self, env: Env, room: Unknown, user: Unknown, info: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "JOIN ROOM", empty: None }, |js| {
            let (room, user) = (js.text(room.raw(), "roomId")?, js.text(user.raw(), "userId")?);
            let info = self.core.environment().stringify(js, info.raw(), "info")?;
            self.recording(js, self.rooms.add_user(&room, &user, &info, &iso_now())?)
        })
    }

    /// Takes a user out of a room; returns how many were taken out.
    #[napi]
    pub fn remove_user(&self, env: Env, room: Unknown, user: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("LEAVE ROOM", Empty::Zero), |js| {
            match (
                js.lookup_text(room.raw(), "roomId", keys::is_id)?,
                js.lookup_text(user.raw(), "userId", keys::is_id)?,
            ) {
                (Some(room), Some(user)) => self.recording(js, self.rooms.remove_user(&room, &user)?),
                _ => Ok(Call::ready(0)),
            }
        })
    }

    /// An object by user.
    #[napi]
    pub fn users(&self, env: Env, room: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("ROOM USERS", Empty::Object), |js| {
            let Some(room) = js.lookup_text(room.raw(), "roomId", keys::is_id)? else {
                return Ok(Call::ready(Output::json_record(Bytes::from_static(NO_USERS))));
            };
            let users = self.rooms.users(&room)?;
            self.report_interest(js)?;
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

    /// Returns the last messages, newest first.
    #[napi]
    pub fn recent_messages(&self, env: Env, room: Unknown, count: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("RECENT MESSAGES", Empty::List), |js| {
            let count = js.any_number(count.raw(), "count")?;
            // An invalid count is a programming error, even if the room is invalid client input.
            room::checked_count(count)?;
            match js.lookup_text(room.raw(), "roomId", keys::is_id)? {
                Some(room) => Ok(self.rooms.recent(&room, count)?.map(Output::json)),
                None => Ok(Call::ready(Output::List(Vec::new()))),
            }
        })
    }

    /// Adds a connection of a user to a room; resolves to the id with which it leaves.
    #[napi]
    pub fn join(&self, env: Env, room: Unknown, user: Unknown, info: Unknown) -> RawValue {
        memberships::join(self, &env, room.raw(), user.raw(), info.raw())
    }

    /// Removes a member by the id that `join` resolved to.
    #[napi]
    pub fn leave(&self, env: Env, member: f64) -> RawValue {
        self.core.end(Js(env.raw()), "LEAVE", member as u64)
    }

    /// Sends a message to all listeners; resolves to its number.
    #[napi]
    pub fn send(&self, env: Env, room: Unknown, message: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "SEND", empty: None }, |js| {
            let room = js.text(room.raw(), "roomId")?;
            let message = self.core.environment().stringify(js, message.raw(), "message")?;
            self.recording(js, self.rooms.send(&room, &message, &iso_now())?)
        })
    }

    /// Delivers the messages after `since` and all new ones; resolves to the id of the reader, by which it is ended.
    #[napi]
    pub fn listen(&self, env: Env, room: Unknown, since: Unknown, reader: Unknown) -> RawValue {
        listeners::listen(self, &env, room.raw(), since.raw(), reader.raw())
    }

    /// Delivers the users of a room and all changes; resolves to the id of the reader, by which it is ended.
    #[napi]
    pub fn watch(&self, env: Env, room: Unknown, reader: Unknown) -> RawValue {
        listeners::watch(self, &env, room.raw(), reader.raw())
    }

    /// Ends a listener or watcher by the id of its reader.
    #[napi]
    pub fn unsubscribe(&self, env: Env, reader: f64) -> RawValue {
        self.core.end(Js(env.raw()), "UNSUBSCRIBE", reader as u64)
    }
}

impl OptionReader<'_> {
    /// Returns the prefix of the keys of rooms, and the lease of this process on its members.
    pub fn rooms(self) -> Result<(Option<String>, Duration)> {
        let prefix = self.text(c"prefix", Some(keys::ROOMS))?;
        Ok((prefix, self.time_or(c"leaseMs", LEASES, LEASE)?))
    }
}
