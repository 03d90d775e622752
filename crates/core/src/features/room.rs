//! Rooms: their users and their last messages.
//!
//! The documented keys are usable by any client: a hash of users and a list of messages. Keys beside them record which members each user
//! has, in which processes, and the leases of these (`memberships.rs`), so that users of dead processes are removed; and the numbers of
//! sent messages (`messages.rs`), so that missing ones are noticed. Changes are published (`changes.rs`).

mod changes;
mod memberships;
mod messages;

use std::sync::Arc;

use bytes::Bytes;
use cinnabar_port::{
    Call, Merge, Request,
    error::{Error, Result},
    number::to_js_string,
    script,
};

use self::messages::HighestNumbers;
use super::json::{self, Object};
use crate::{
    keys::{self, Prefix},
    store::Publication,
};

pub use changes::{Change, What, changes};
pub use memberships::{Joined, LeaseState, Membership};
pub use messages::{History, number};

script!(ADD_USER = "room/add_user.lua", keys: 1, args: 4);
script!(REMOVE_USER = "room/remove_user.lua", keys: 1, args: 2);
script!(STORE_MESSAGE = "room/store_message.lua", keys: 1, args: 3);

/// The ttl of a room after its last change: a day, in milliseconds.
const ROOM_TTL_MS: &str = "86400000";
/// How many messages are retained.
const MAX_MESSAGES: &str = "100";

/// Options of rooms.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The prefix of the keys. Default `room:`.
    pub prefix: Option<String>,
    /// The database number, which is part of channel names. Default 0.
    pub database: u8,
}

/// Users and messages by room.
#[derive(Debug)]
pub struct Rooms {
    prefix: Prefix,
    database: u8,
    seen: Arc<HighestNumbers>,
}

impl Rooms {
    /// Creates rooms with these options.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for an invalid prefix.
    pub fn new(options: Options) -> Result<Self> {
        let prefix = Prefix::new(options.prefix.as_deref().unwrap_or(keys::ROOMS))?;
        Ok(Self { prefix, database: options.database, seen: Arc::default() })
    }

    /// Returns the prefix of their keys.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Adds a user to a room as `{ ...info, joinedAt }` for 24 hours. `info` is a JSON object, `joined_at` an ISO time.
    pub fn add_user(
        &self,
        room: &str,
        user: &str,
        info: &str,
        joined_at: &str,
    ) -> Result<Call<((), Option<Publication>)>> {
        let key = keys::room_users(&self.prefix, room)?;
        let user = keys::raw("userId", user)?;
        let value = stamped("info", info, "joinedAt", joined_at)?;
        let channel = keys::room_changes(&self.prefix, &key, self.database);
        let args = [key, user, value, Bytes::from_static(ROOM_TTL_MS.as_bytes()), channel.clone()];
        Ok(Call::new(Request::script(&ADD_USER, args).merging(Merge::Script).idempotent(), |reply| {
            Ok(((), Some(Publication { channel, denied: reply.int()? > 1 })))
        }))
    }

    /// Removes a user from a room. Returns how many were removed, 0 or 1.
    pub fn remove_user(&self, room: &str, user: &str) -> Result<Call<(i64, Option<Publication>)>> {
        let key = keys::room_users(&self.prefix, room)?;
        let (user, channel) = (keys::raw("userId", user)?, keys::room_changes(&self.prefix, &key, self.database));
        let request = Request::script(&REMOVE_USER, [key, user, channel.clone()]).merging(Merge::Script);
        Ok(Call::new(request, |reply| {
            let removed = reply.int()?;
            let published = (removed > 0).then_some(Publication { channel, denied: removed > 1 });
            Ok((removed.min(1), published))
        }))
    }

    /// Returns the users of a room, as the text of a JSON object by user. A stored value that is not JSON is read as
    /// `{ error: 'Invalid data' }`.
    pub fn users(&self, room: &str) -> Result<Call<Bytes>> {
        let request = Request::keyed("HGETALL", [keys::room_users(&self.prefix, room)?]);
        Ok(Call::new(request.merging(Merge::Dedup).reads(), |reply| {
            let mut out = vec![b'{'];
            let mut fields = reply.array()?.into_iter();
            while let (Some(user), Some(value)) = (fields.next(), fields.next()) {
                let (user, value) = (user.bulk()?.unwrap_or_default(), value.bulk()?.unwrap_or_default());
                if out.len() > 1 {
                    out.push(b',');
                }
                out.extend_from_slice(json::string(&String::from_utf8_lossy(&user))?.get().as_bytes());
                out.push(b':');
                out.extend_from_slice(json::or_invalid(&value));
            }
            out.push(b'}');
            Ok(out.into())
        }))
    }

    /// Stores `{ ...message, timestamp }` as the newest of the last 100 messages, for 24 hours. `message` is a JSON object and
    /// `timestamp` an ISO time. A `seq` field that could be mistaken for the number of a sent message is removed.
    pub fn store_message(&self, room: &str, message: &str, timestamp: &str) -> Result<Call<()>> {
        let key = keys::room_messages(&self.prefix, room)?;
        let value = messages::unnumbered(message, timestamp)?;
        let args =
            [key, value, Bytes::from_static(MAX_MESSAGES.as_bytes()), Bytes::from_static(ROOM_TTL_MS.as_bytes())];
        Ok(Call::new(Request::script(&STORE_MESSAGE, args).merging(Merge::Script), |_| Ok(())))
    }

    /// Returns the last messages of a room, newest first, as the text of a JSON array.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` unless `count` is a whole number above 0.
    pub fn recent(&self, room: &str, count: f64) -> Result<Call<Bytes>> {
        let last = (checked_count(count)? - 1).to_string();
        let key = keys::room_messages(&self.prefix, room)?;
        let request = Request::keyed("LRANGE", [key, Bytes::from_static(b"0"), last.into()]);
        Ok(Call::new(request.merging(Merge::Dedup).reads(), |reply| {
            let mut out = vec![b'['];
            for message in reply.array()? {
                if out.len() > 1 {
                    out.push(b',');
                }
                out.extend_from_slice(json::or_invalid(&message.bulk()?.unwrap_or_default()));
            }
            out.push(b']');
            Ok(out.into())
        }))
    }
}

/// Returns the caller's object with the time set, replacing any such field.
fn stamped(what: &str, object: &str, field: &str, time: &str) -> Result<Bytes> {
    let time = json::string(time)?;
    let mut object = Object::argument(what, object.as_bytes())?;
    object.set(field, &time);
    Ok(object.to_bytes()?.into())
}

/// Checks a number of messages.
///
/// # Errors
/// `E_INVALID_ARGUMENT` unless it is a whole number above 0.
pub fn checked_count(count: f64) -> Result<i64> {
    if count >= 1.0 && count.fract() == 0.0 {
        return Ok(count as i64);
    }
    Err(Error::argument(format!("count must be a whole number from 1, got {}", to_js_string(count))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cinnabar_port::{Replies, Reply, Step};

    fn rooms() -> Rooms {
        Rooms::new(Options::default()).unwrap()
    }

    fn read(call: Call<Bytes>, reply: Reply) -> String {
        match (call.read)(Replies([Ok(reply)].into_iter().collect())).unwrap() {
            Step::Done(text) => String::from_utf8(text.to_vec()).unwrap(),
            Step::Next(_) => panic!("one round is enough"),
        }
    }

    #[test]
    fn the_callers_object_keeps_its_bytes() {
        let call = rooms().add_user("x", "u", r#"{"n":9007199254740993,"joinedAt":0,"l":[]}"#, "2026-01-02").unwrap();
        assert_eq!(call.requests[0].args[0], "room:x:users");
        assert_eq!(call.requests[0].args[2], r#"{"n":9007199254740993,"joinedAt":"2026-01-02","l":[]}"#);
        let call = rooms().store_message("x", r#"{"text":"hi"}"#, "2026-01-02").unwrap();
        assert_eq!(call.requests[0].args[1], r#"{"text":"hi","timestamp":"2026-01-02"}"#);
    }

    #[test]
    fn invalid_json_is_read_as_an_error() {
        let fields = ["a\"b", r#"{"n":1}"#, "c", "oops"].map(Reply::text).to_vec();
        let text = read(rooms().users("x").unwrap(), Reply::Array(fields));
        assert_eq!(text, r#"{"a\"b":{"n":1},"c":{"error":"Invalid data"}}"#);
        let messages = ["1", "{"].map(Reply::text).to_vec();
        let text = read(rooms().recent("x", 10.0).unwrap(), Reply::Array(messages));
        assert_eq!(text, r#"[1,{"error":"Invalid data"}]"#);
        assert_eq!(read(rooms().users("x").unwrap(), Reply::Array(Vec::new())), "{}");
    }

    #[test]
    fn invalid_arguments_are_rejected() {
        let rooms = rooms();
        assert!(rooms.add_user("", "u", "{}", "t").is_err() && rooms.add_user("x", "", "{}", "t").is_err());
        assert!(rooms.add_user("x", "u", "[]", "t").is_err() && rooms.store_message("x", "\"hi\"", "t").is_err());
        for count in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY] {
            assert!(rooms.recent("x", count).is_err(), "{count}");
        }
    }
}
