//! Keys and channels of rooms.

use bytes::Bytes;
use cinnabar_port::error::Result;

use super::{Prefix, companion_of, identifier, in_database};

/// Returns the key of the users of a room.
pub fn room_users(prefix: &Prefix, id: &str) -> Result<Bytes> {
    Ok(format!("{}{}:users", prefix.0, identifier("roomId", id)?).into())
}

/// Returns the key of the number of members of each user, in the room with these users.
pub fn room_member_counts(prefix: &Prefix, users: &Bytes) -> Bytes {
    companion_of(prefix, users, "refs")
}

/// Returns the key of the memberships of a process in the room with these users.
pub fn room_memberships(prefix: &Prefix, users: &Bytes, node: &str) -> Bytes {
    companion_of(prefix, users, &format!("node:{node}"))
}

/// Returns the key of the tombstone of a process that was swept from the room with these users.
pub fn room_tombstone(prefix: &Prefix, users: &Bytes, node: &str) -> Bytes {
    companion_of(prefix, users, &format!("gone:{node}"))
}

/// Returns the channel of joins and leaves in the room with these users, in this database.
pub fn room_changes(prefix: &Prefix, users: &Bytes, database: u8) -> Bytes {
    companion_of(prefix, users, &format!("{}events", in_database(database)))
}

/// Returns the key of the last messages of a room.
pub fn room_messages(prefix: &Prefix, id: &str) -> Result<Bytes> {
    Ok(format!("{}{}:messages", prefix.0, identifier("roomId", id)?).into())
}

/// Returns the key of the message counter of the room with these messages.
pub fn room_numbers(prefix: &Prefix, messages: &Bytes) -> Bytes {
    companion_of(prefix, messages, "seq")
}

/// Returns the channel of new messages in the room with these messages, in this database.
pub fn room_live(prefix: &Prefix, messages: &Bytes, database: u8) -> Bytes {
    companion_of(prefix, messages, &format!("{}live", in_database(database)))
}

/// Returns the key of the leases of processes that have members in rooms, by expiry.
pub fn room_leases(prefix: &Prefix) -> Bytes {
    companion_of(prefix, prefix.whole("rooms"), "nodes")
}

/// Returns the key of the rooms in which a process may have members, as keys of their users. In the slot of `room_leases`.
pub fn room_process_rooms(prefix: &Prefix, node: &str) -> Bytes {
    companion_of(prefix, prefix.whole("rooms"), &format!("rooms:{node}"))
}
