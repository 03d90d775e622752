//! Keys and channels of rooms.

use bytes::Bytes;
use cinnabar_port::error::Result;

use super::{Prefix, companion_of, identifier, in_database};

/// The members of a room.
pub fn room_users(prefix: &Prefix, id: &str) -> Result<Bytes> {
    Ok(format!("{}{}:users", prefix.0, identifier("roomId", id)?).into())
}

/// How many connections each user has in the room with these users.
pub fn room_connections(prefix: &Prefix, users: &Bytes) -> Bytes {
    companion_of(prefix, users, "refs")
}

/// The connections that the process with this id has in the room with these users.
pub fn room_memberships(prefix: &Prefix, users: &Bytes, node: &str) -> Bytes {
    companion_of(prefix, users, &format!("node:{node}"))
}

/// The tombstone of a process id that was swept from the room with these users.
pub fn room_tombstone(prefix: &Prefix, users: &Bytes, node: &str) -> Bytes {
    companion_of(prefix, users, &format!("gone:{node}"))
}

/// The channel of joins and leaves in the room with these users, in this database.
pub fn room_changes(prefix: &Prefix, users: &Bytes, database: u8) -> Bytes {
    companion_of(prefix, users, &format!("{}events", in_database(database)))
}

/// The last messages of a room.
pub fn room_messages(prefix: &Prefix, id: &str) -> Result<Bytes> {
    Ok(format!("{}{}:messages", prefix.0, identifier("roomId", id)?).into())
}

/// The message counter of the room with these messages.
pub fn room_numbers(prefix: &Prefix, messages: &Bytes) -> Bytes {
    companion_of(prefix, messages, "seq")
}

/// The channel of new messages in the room with these messages, in this database.
pub fn room_live(prefix: &Prefix, messages: &Bytes, database: u8) -> Bytes {
    companion_of(prefix, messages, &format!("{}live", in_database(database)))
}

/// The lease expiry of each process that has connections in rooms.
pub fn room_nodes(prefix: &Prefix) -> Bytes {
    companion_of(prefix, prefix.whole("rooms"), "nodes")
}

/// The rooms in which the process with this id may have connections, as keys of their users. In the slot of `room_nodes`.
pub fn room_node_rooms(prefix: &Prefix, node: &str) -> Bytes {
    companion_of(prefix, prefix.whole("rooms"), &format!("rooms:{node}"))
}
