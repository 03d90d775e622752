//! Keys of connections that are bound to sessions, and the channel on which endings of sessions are published.

use bytes::Bytes;
use cinnabar_port::error::Result;

use super::{Prefix, companion, companion_of, in_database, plain};

/// Returns the key of the state of a connection.
pub fn connection(prefix: &Prefix, id: &str) -> Result<Bytes> {
    plain(prefix, "connectionId", id)
}

/// Returns the key of the index of a user's connections, by latest expiry.
pub fn user_connections(prefix: &Prefix, user: &str) -> Result<Bytes> {
    companion(prefix, "user:", "userId", user, "connections")
}

/// Returns the channel of endings of the sessions with this prefix, in this database.
pub fn session_endings(prefix: &Prefix, database: u8) -> Bytes {
    companion_of(prefix, prefix.whole("session"), &format!("{}endings", in_database(database)))
}
