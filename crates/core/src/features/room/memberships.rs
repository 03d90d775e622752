//! Connections of users in rooms, and the processes that hold them.
//!
//! A connection has a seat in a room, under the number of its process. A process keeps a lease for all its seats together.
//! Where a lease is over, whoever notices first sweeps: each seat is taken away as if its connection had left. A process
//! whose lease was over never gets that number back: it takes a new one and seats its connections again.

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

/// Two days, in milliseconds: what says where a process has seats outlives those.
const PROCESS_TTL_MS: &str = "172800000";
/// Ten minutes, in milliseconds: how late a join of a process that was swept out of a room may still come.
const TOMBSTONE_TTL_MS: &str = "600000";
/// What is known about a user in a room; everybody who asks who is there gets all of it.
const MAX_INFO_BYTES: usize = 64 << 10;
/// Seats that one run takes away: more would hold the server up.
const SWEEP_SIZE: &str = "500";
/// Processes whose lease is over that one beat tells of.
const MAX_EXPIRED: &str = "16";

/// A connection of a user in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The room, by the key of its users.
    pub room: Bytes,
    user: Bytes,
    value: Bytes,
    connection: Bytes,
}

/// What became of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// The connection has its seat.
    Registered,
    /// The process was swept out of this room: it needs a new number.
    Swept,
}

/// What a beat tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Whether the process has its lease, from now on for its whole length.
    pub has_lease: bool,
    /// The store's time, in epoch milliseconds.
    pub now_ms: u64,
    /// Some processes whose lease is over.
    pub expired: Vec<String>,
}

impl Rooms {
    /// A seat for a connection, whose number no other of this process has. `info` is a JSON object, `joined_at` an ISO time.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a room or a user without a name, and for `info` that is no object or has more than 64 KiB.
    pub fn membership(
        &self,
        room: &str,
        user: &str,
        info: &str,
        joined_at: &str,
        connection: u64,
    ) -> Result<Membership> {
        let room = keys::room_users(&self.prefix, room)?;
        let user = keys::raw("userId", user)?;
        if info.len() > MAX_INFO_BYTES {
            return Err(Error::argument(format!(
                "info must have at most {MAX_INFO_BYTES} bytes as JSON, got {}",
                info.len()
            )));
        }
        let value = stamped("info", info, "joinedAt", joined_at)?;
        Ok(Membership { room, user, value, connection: connection.to_string().into() })
    }

    /// Takes a seat under this process. Its first connection puts a user in the room.
    pub fn join(&self, node: &str, membership: &Membership) -> Call<(Joined, Option<Publication>)> {
        let [users, connections, memberships] = self.membership_keys(&membership.room, node);
        let (tombstone, channel) = (
            keys::room_tombstone(&self.prefix, &membership.room, node),
            keys::room_changes(&self.prefix, &membership.room, self.database),
        );
        let (user, connection, value) =
            (membership.user.clone(), membership.connection.clone(), membership.value.clone());
        let args =
            [users, connections, memberships, tombstone, user, connection, value, text(ROOM_TTL_MS), channel.clone()];
        Call::new(Request::script(&JOIN, args).merging(Merge::Script).idempotent(), |reply| {
            let reply = reply.int()?;
            let published = (reply > 1).then_some(Publication { channel, denied: reply > 2 });
            Ok((if reply < 0 { Joined::Swept } else { Joined::Registered }, published))
        })
    }

    /// Gives a seat up. Its last connection takes a user out of the room; answers whether it has.
    pub fn leave(&self, node: &str, membership: &Membership) -> Call<(bool, Option<Publication>)> {
        let [users, connections, memberships] = self.membership_keys(&membership.room, node);
        let channel = keys::room_changes(&self.prefix, &membership.room, self.database);
        let args =
            [users, connections, memberships, membership.user.clone(), membership.connection.clone(), channel.clone()];
        Call::new(Request::script(&LEAVE, args).merging(Merge::Script).idempotent(), |reply| {
            let left = reply.int()?;
            Ok((left > 0, (left > 0).then_some(Publication { channel, denied: left > 1 })))
        })
    }

    /// Renews a room's life; answers how many seats the process has in it.
    pub fn renew_room(&self, node: &str, room: &Bytes) -> Call<usize> {
        let [users, connections, memberships] = self.membership_keys(room, node);
        let request = Request::script(&RENEW_ROOM, [users, connections, memberships, text(ROOM_TTL_MS)]);
        Call::new(
            request.merging(Merge::Script).idempotent().without_effect(),
            |reply| Ok(reply.int()?.max(0) as usize),
        )
    }

    /// Takes up to 500 seats of a dead process away; answers how many are left.
    pub fn sweep(&self, node: &str, room: &Bytes) -> Call<(usize, Option<Publication>)> {
        let [users, connections, memberships] = self.membership_keys(room, node);
        let (tombstone, channel) =
            (keys::room_tombstone(&self.prefix, room, node), keys::room_changes(&self.prefix, room, self.database));
        let args =
            [users, connections, memberships, tombstone, text(SWEEP_SIZE), text(TOMBSTONE_TTL_MS), channel.clone()];
        Call::new(Request::script(&SWEEP, args).idempotent(), |reply| {
            let left = reply.int()?;
            let denied = (left < 0).then_some(Publication { channel, denied: true });
            Ok((if left < 0 { -1 - left } else { left } as usize, denied))
        })
    }

    /// Takes a lease for a process of this number, which nobody has had before.
    pub fn create_lease(&self, node: &str, lease: Duration) -> Call<Beat> {
        self.lease_call(node, lease, "1", Takeover::DENIED)
    }

    /// Renews the lease of a process unless it was ended, and looks for expired leases of others if allowed.
    pub fn renew_lease(&self, node: &str, lease: Duration, overdue: Takeover) -> Call<Beat> {
        self.lease_call(node, lease, "0", overdue)
    }

    /// Looks for leases that are over.
    pub fn find_expired(&self, lease: Duration, overdue: Takeover) -> Call<Beat> {
        self.lease_call("", lease, "0", overdue)
    }

    /// Ends the lease of a process: it may be swept at once, out of these rooms even if the store has forgotten them.
    pub fn end_lease(&self, node: &str, rooms: Vec<Bytes>) -> Call<()> {
        let [nodes, process_keys] = self.process_keys(node);
        let expired = Request::keyed("ZADD", [nodes, text("0"), Bytes::copy_from_slice(node.as_bytes())]).idempotent();
        let expired = move || Call::new(expired, |_| Ok(()));
        if rooms.is_empty() {
            return expired();
        }
        let args = std::iter::once(process_keys.clone()).chain(rooms).collect();
        let renew = Request::keyed("PEXPIRE", [process_keys, text(PROCESS_TTL_MS)]).idempotent();
        let note = [Request::with_keys("SADD", args, 1).idempotent(), renew];
        // Where its rooms are not noted yet, it must not look as if it had none left.
        Call::round(note, |replies| replies.all().map(|_| Step::Next(expired())))
    }

    /// Notes that a process will have seats in a room; `false` where its lease is over.
    pub fn register(&self, node: &str, room: &Bytes) -> Call<bool> {
        let [nodes, rooms] = self.process_keys(node);
        let args = [nodes, rooms, Bytes::copy_from_slice(node.as_bytes()), room.clone(), text(PROCESS_TTL_MS)];
        Call::new(
            Request::script(&REGISTER_PROCESS, args).merging(Merge::Script).idempotent().without_effect(),
            Reply::flag,
        )
    }

    /// Up to `count` rooms in which a process whose lease is over may still have seats. With none left, it is forgotten.
    pub fn orphaned_rooms(&self, node: &str, count: usize) -> Call<Vec<Bytes>> {
        let [nodes, rooms] = self.process_keys(node);
        let args = [nodes, rooms, Bytes::copy_from_slice(node.as_bytes()), count.to_string().into()];
        Call::new(Request::script(&ORPHANED_ROOMS, args).idempotent().without_effect(), |reply| {
            reply.array()?.into_iter().map(|room| Ok(room.bulk()?.unwrap_or_default())).collect()
        })
    }

    /// Notes that a dead process has no seats left in these rooms.
    pub fn remove_swept(&self, node: &str, rooms: Vec<Bytes>) -> Call<()> {
        let args = std::iter::once(keys::room_process_rooms(&self.prefix, node)).chain(rooms).collect();
        Call::new(Request::with_keys("SREM", args, 1).idempotent().without_effect(), |_| Ok(()))
    }

    fn lease_call(&self, node: &str, lease: Duration, is_new: &'static str, overdue: Takeover) -> Call<Beat> {
        let [nodes, rooms] = self.process_keys(node);
        let node = Bytes::copy_from_slice(node.as_bytes());
        let (may, latest) = (if overdue.allowed { "1" } else { "0" }, overdue.latest_ms);
        let latest = latest.map(|ms| ms.to_string()).unwrap_or_default().into();
        let tolerance = ttl::millis(Takeover::tolerance(lease));
        let args = [
            nodes,
            rooms,
            node,
            ttl::millis(lease),
            text(is_new),
            text(PROCESS_TTL_MS),
            text(MAX_EXPIRED),
            text(may),
            latest,
            tolerance,
        ];
        Call::new(Request::script(&RENEW_LEASE, args).idempotent().without_effect(), |reply| {
            let mut parts = reply.array()?.into_iter();
            let has_lease = parts.next().is_some_and(|has_lease| has_lease == Reply::Int(1));
            let now_ms = parts.next().map(Reply::int).transpose()?.and_then(|now| u64::try_from(now).ok());
            let expired = parts.map(|node| Ok(String::from_utf8_lossy(&node.bulk()?.unwrap_or_default()).into_owned()));
            Ok(Beat { has_lease, now_ms: now_ms.unwrap_or(0), expired: expired.collect::<Result<_>>()? })
        })
    }

    fn process_keys(&self, node: &str) -> [Bytes; 2] {
        [keys::room_leases(&self.prefix), keys::room_process_rooms(&self.prefix, node)]
    }

    fn membership_keys(&self, room: &Bytes, node: &str) -> [Bytes; 3] {
        [room.clone(), keys::room_member_counts(&self.prefix, room), keys::room_memberships(&self.prefix, room, node)]
    }
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}
