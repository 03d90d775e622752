//! Keys and channels of rooms.

use bytes::Bytes;

use super::{Prefix, identifier};
use crate::error::Result;

/// Who is in a room.
pub fn room_users(prefix: &Prefix, id: &str) -> Result<Bytes> {
    Ok(format!("{}{}:users", prefix.0, identifier("roomId", id)?).into())
}

/// How many connections each user has in the room with these users.
pub fn room_connections(users: &Bytes) -> Bytes {
    beside(users, "refs", None)
}

/// Which connections the process of this number has in the room with these users.
pub fn room_seats(users: &Bytes, node: &str) -> Bytes {
    beside(users, "node", Some(node))
}

/// Says that the process of this number was swept out of the room with these users.
pub fn room_gone(users: &Bytes, node: &str) -> Bytes {
    beside(users, "gone", Some(node))
}

/// The channel that tells who comes into the room with these users and who leaves it.
pub fn room_changes(users: &Bytes) -> Bytes {
    beside(users, "events", None)
}

/// The last messages of a room.
pub fn room_messages(prefix: &Prefix, id: &str) -> Result<Bytes> {
    Ok(format!("{}{}:messages", prefix.0, identifier("roomId", id)?).into())
}

/// Where the numbers of these messages stand.
pub fn room_numbers(messages: &Bytes) -> Bytes {
    beside(messages, "seq", None)
}

/// The channel of messages that are sent to the room with these messages.
pub fn room_live(messages: &Bytes) -> Bytes {
    beside(messages, "live", None)
}

/// Until when each process with connections in rooms is alive unless it says so again.
pub fn room_nodes(prefix: &Prefix) -> Bytes {
    beside(&leases(prefix), "nodes", None)
}

/// The rooms in which the process of this number may have connections: the keys of their users. In the slot of `room_nodes`.
pub fn room_node_rooms(prefix: &Prefix, node: &str) -> Bytes {
    beside(&leases(prefix), "rooms", Some(node))
}

/// Redis takes empty braces for none.
fn leases(prefix: &Prefix) -> Bytes {
    if prefix.0.is_empty() { Bytes::from_static(b"rooms") } else { prefix.0.as_bytes().to_vec().into() }
}

/// A key in the slot of another one.
fn beside(key: &Bytes, suffix: &str, part: Option<&str>) -> Bytes {
    let mut text = Vec::with_capacity(key.len() + suffix.len() + part.map_or(0, str::len) + 4);
    for piece in [b"{", &key[..], b"}:", suffix.as_bytes()] {
        text.extend_from_slice(piece);
    }
    if let Some(part) = part {
        text.push(b':');
        text.extend_from_slice(part.as_bytes());
    }
    text.into()
}
