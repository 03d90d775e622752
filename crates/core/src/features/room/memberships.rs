//! Members of rooms, and the processes that they belong to.
//!
//! A member is registered in a room under the id of its process. A process renews one lease for all its members. When a lease has expired,
//! any other process sweeps: it removes each membership as if its member had left. A process id whose lease has expired is never used
//! again: its process takes a new one and registers its members again.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Merge, Reply, Request, Step,
    error::{Error, Result},
    script,
};

use super::{ROOM_TTL_MS, Rooms, stamped};
use crate::{
    features::{takeover::Takeover, ttl},
    keys,
    store::Publication,
};

script!(JOIN = "room/join.lua", keys: 4, args: 5);
script!(LEAVE = "room/leave.lua", keys: 3, args: 3);
script!(RENEW_ROOM = "room/renew_room.lua", keys: 3, args: 1);
script!(SWEEP = "room/sweep.lua", keys: 4, args: 3);
script!(RENEW_LEASE = "room/renew_lease.lua", keys: 2, args: 8, with: ["clock.lua"]);
script!(REGISTER_PROCESS = "room/register_process.lua", keys: 2, args: 3);
script!(ORPHANED_ROOMS = "room/orphaned_rooms.lua", keys: 2, args: 2, with: ["clock.lua"]);

/// Two days, in milliseconds. The record of a process's rooms outlives its memberships.
const PROCESS_TTL_MS: &str = "172800000";
/// Ten minutes, in milliseconds: how late a join of a process that was swept from a room may still arrive.
const TOMBSTONE_TTL_MS: &str = "600000";
/// The largest info of a user. Every read of a room's users returns all of it.
const MAX_INFO_BYTES: usize = 64 << 10;
/// How many members one sweep removes. More would block the server.
const SWEEP_SIZE: &str = "500";
/// How many expired leases one renewal returns.
const MAX_EXPIRED: &str = "16";

/// A member of a room, before or after it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The room, by the key of its users.
    pub room: Bytes,
    user: Bytes,
    value: Bytes,
    member: Bytes,
}

/// The result of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// The member is registered.
    Registered,
    /// The process was swept from this room and needs a new id.
    Swept,
}

/// The state of leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseState {
    /// Whether the process has its lease, for its whole length from now.
    pub has_lease: bool,
    /// The store's time in milliseconds since 1970.
    pub now_ms: u64,
    /// Some processes with expired leases.
    pub expired: Vec<String>,
}

impl Rooms {
    /// Creates a membership. `member` is unique within this process, `info` is a JSON object, `joined_at` an ISO time.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an empty room or user, and if `info` is not an object or has more than 64 KiB.
    pub fn membership(&self, room: &str, user: &str, info: &str, joined_at: &str, member: u64) -> Result<Membership> {
        let room = keys::room_users(&self.prefix, room)?;
        let user = keys::raw("userId", user)?;
        if info.len() > MAX_INFO_BYTES {
            return Err(Error::argument(format!(
                "info must have at most {MAX_INFO_BYTES} bytes as JSON, got {}",
                info.len()
            )));
        }
        let value = stamped("info", info, "joinedAt", joined_at)?;
        Ok(Membership { room, user, value, member: member.to_string().into() })
    }

    /// Registers a member under this process. A user's first member adds the user to the room.
    pub fn join(&self, process: &str, membership: &Membership) -> Call<(Joined, Option<Publication>)> {
        let [users, member_counts, memberships] = self.membership_keys(&membership.room, process);
        let (tombstone, channel) = (
            keys::room_tombstone(&self.prefix, &membership.room, process),
            keys::room_changes(&self.prefix, &membership.room, self.database),
        );
        let (user, member, value) = (membership.user.clone(), membership.member.clone(), membership.value.clone());
        let args =
            [users, member_counts, memberships, tombstone, user, member, value, text(ROOM_TTL_MS), channel.clone()];
        Call::new(Request::script(&JOIN, args).merging(Merge::Script).idempotent(), |reply| {
            let reply = reply.int()?;
            let published = (reply > 1).then_some(Publication { channel, denied: reply > 2 });
            Ok((if reply < 0 { Joined::Swept } else { Joined::Registered }, published))
        })
    }

    /// Removes a member. A user's last member removes the user from the room. Returns whether it was the last.
    pub fn leave(&self, process: &str, membership: &Membership) -> Call<(bool, Option<Publication>)> {
        let [users, member_counts, memberships] = self.membership_keys(&membership.room, process);
        let channel = keys::room_changes(&self.prefix, &membership.room, self.database);
        let args =
            [users, member_counts, memberships, membership.user.clone(), membership.member.clone(), channel.clone()];
        Call::new(Request::script(&LEAVE, args).merging(Merge::Script).idempotent(), |reply| {
            let left = reply.int()?;
            Ok((left > 0, (left > 0).then_some(Publication { channel, denied: left > 1 })))
        })
    }

    /// Renews a room's ttl. Returns how many members the process has in it.
    pub fn renew_room(&self, process: &str, room: &Bytes) -> Call<usize> {
        let [users, member_counts, memberships] = self.membership_keys(room, process);
        let request = Request::script(&RENEW_ROOM, [users, member_counts, memberships, text(ROOM_TTL_MS)]);
        Call::new(
            request.merging(Merge::Script).idempotent().without_effect(),
            |reply| Ok(reply.int()?.max(0) as usize),
        )
    }

    /// Removes up to 500 members of a dead process. Returns how many are left.
    pub fn sweep(&self, process: &str, room: &Bytes) -> Call<(usize, Option<Publication>)> {
        let [users, member_counts, memberships] = self.membership_keys(room, process);
        let (tombstone, channel) =
            (keys::room_tombstone(&self.prefix, room, process), keys::room_changes(&self.prefix, room, self.database));
        let args =
            [users, member_counts, memberships, tombstone, text(SWEEP_SIZE), text(TOMBSTONE_TTL_MS), channel.clone()];
        Call::new(Request::script(&SWEEP, args).idempotent(), |reply| {
            let left = reply.int()?;
            let denied = (left < 0).then_some(Publication { channel, denied: true });
            Ok((if left < 0 { -1 - left } else { left } as usize, denied))
        })
    }

    /// Creates the lease of a process with this new id.
    pub fn create_lease(&self, process: &str, lease: Duration) -> Call<LeaseState> {
        self.lease_call(process, lease, "1", Takeover::DENIED)
    }

    /// Renews the lease of a process unless it was ended, and looks for expired leases of others if allowed.
    pub fn renew_lease(&self, process: &str, lease: Duration, takeover: Takeover) -> Call<LeaseState> {
        self.lease_call(process, lease, "0", takeover)
    }

    /// Looks for expired leases.
    pub fn find_expired(&self, lease: Duration, takeover: Takeover) -> Call<LeaseState> {
        self.lease_call("", lease, "0", takeover)
    }

    /// Ends the lease of a process, so that it can be swept at once, from these rooms too, even if the store has lost the record of them.
    pub fn end_lease(&self, process: &str, rooms: Vec<Bytes>) -> Call<()> {
        let [leases, rooms_of_process] = self.process_keys(process);
        let end = Request::keyed("ZADD", [leases, text("0"), Bytes::copy_from_slice(process.as_bytes())]).idempotent();
        let end = move || Call::new(end, |_| Ok(()));
        if rooms.is_empty() {
            return end();
        }
        let args = std::iter::once(rooms_of_process.clone()).chain(rooms).collect();
        let renew = Request::keyed("PEXPIRE", [rooms_of_process, text(PROCESS_TTL_MS)]).idempotent();
        let record = [Request::with_keys("SADD", args, 1).idempotent(), renew];
        // The rooms are recorded first. Otherwise it could look as if the process had none left.
        Call::round(record, |replies| replies.all().map(|_| Step::Next(end())))
    }

    /// Records that a process will have members in a room. Returns false if its lease has ended.
    pub fn register(&self, process: &str, room: &Bytes) -> Call<bool> {
        let [leases, rooms] = self.process_keys(process);
        let args = [leases, rooms, Bytes::copy_from_slice(process.as_bytes()), room.clone(), text(PROCESS_TTL_MS)];
        Call::new(
            Request::script(&REGISTER_PROCESS, args).merging(Merge::Script).idempotent().without_effect(),
            Reply::flag,
        )
    }

    /// Returns up to `count` rooms in which a process with an expired lease may still have members. If there are none, removes the process.
    pub fn orphaned_rooms(&self, process: &str, count: usize) -> Call<Vec<Bytes>> {
        let [leases, rooms] = self.process_keys(process);
        let args = [leases, rooms, Bytes::copy_from_slice(process.as_bytes()), count.to_string().into()];
        Call::new(Request::script(&ORPHANED_ROOMS, args).idempotent().without_effect(), |reply| {
            reply.array()?.into_iter().map(|room| Ok(room.bulk()?.unwrap_or_default())).collect()
        })
    }

    /// Records that a dead process has no members left in these rooms.
    pub fn remove_swept(&self, process: &str, rooms: Vec<Bytes>) -> Call<()> {
        let args = std::iter::once(keys::room_process_rooms(&self.prefix, process)).chain(rooms).collect();
        Call::new(Request::with_keys("SREM", args, 1).idempotent().without_effect(), |_| Ok(()))
    }

    fn lease_call(&self, process: &str, lease: Duration, is_new: &'static str, takeover: Takeover) -> Call<LeaseState> {
        let [leases, rooms] = self.process_keys(process);
        let process = Bytes::copy_from_slice(process.as_bytes());
        let (allowed, latest) = (if takeover.allowed { "1" } else { "0" }, takeover.latest_ms);
        let latest = latest.map(|ms| ms.to_string()).unwrap_or_default().into();
        let tolerance = ttl::millis(Takeover::tolerance(lease));
        let args = [
            leases,
            rooms,
            process,
            ttl::millis(lease),
            text(is_new),
            text(PROCESS_TTL_MS),
            text(MAX_EXPIRED),
            text(allowed),
            latest,
            tolerance,
        ];
        Call::new(Request::script(&RENEW_LEASE, args).idempotent().without_effect(), |reply| {
            let mut parts = reply.array()?.into_iter();
            let has_lease = parts.next().is_some_and(|has_lease| has_lease == Reply::Int(1));
            let now_ms = parts.next().map(Reply::int).transpose()?.and_then(|now| u64::try_from(now).ok());
            let expired =
                parts.map(|process| Ok(String::from_utf8_lossy(&process.bulk()?.unwrap_or_default()).into_owned()));
            Ok(LeaseState { has_lease, now_ms: now_ms.unwrap_or(0), expired: expired.collect::<Result<_>>()? })
        })
    }

    fn process_keys(&self, process: &str) -> [Bytes; 2] {
        [keys::room_leases(&self.prefix), keys::room_process_rooms(&self.prefix, process)]
    }

    fn membership_keys(&self, room: &Bytes, process: &str) -> [Bytes; 3] {
        [
            room.clone(),
            keys::room_member_counts(&self.prefix, room),
            keys::room_memberships(&self.prefix, room, process),
        ]
    }
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}
