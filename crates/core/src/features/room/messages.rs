//! Sent messages: numbered, published, and stored with the other messages.
//!
//! A room's first number is the current time in microseconds, and each further one is one higher. So a store that has lost its data never
//! uses a number again, and every gap in the numbers is a missing message.

use std::collections::HashMap;

use bytes::Bytes;
use cinnabar_port::{
    Call, Merge, Reply, Request,
    error::{Error, Result},
    script,
};
use parking_lot::Mutex;

use super::{MAX_MESSAGES, ROOM_TTL_MS, Rooms, json};
use crate::{keys, store::Publication};

script!(SEND = "room/send.lua", keys: 2, args: 6);
script!(HISTORY = "room/history.lua", keys: 2, args: 2);

/// Eight days, in milliseconds: a listener that returns within a week learns how many messages it missed.
const NUMBERS_TTL_MS: &str = "691200000";
/// The largest message as JSON. A hundred are stored, and read together.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// The lowest number; a clock that shows less is not set. A message that ends in a lower one was stored, not sent.
const MIN_NUMBER: u64 = 1_000_000_000_000_000;
/// Larger messages are sent by a script run of their own, so that no run blocks the server for long.
const MAX_MERGED_BYTES: usize = 16 << 10;

/// For how many rooms the highest number is remembered.
const MAX_ROOMS: usize = 10_000;

/// The highest number of each room that this process has seen, by the key of its messages. It is sent along with each message, so that no
/// number is used twice even if the store has lost its latest writes.
#[derive(Debug, Default)]
pub struct HighestNumbers(Mutex<HashMap<Bytes, u64>>);

impl HighestNumbers {
    fn get(&self, room: &Bytes) -> u64 {
        self.0.lock().get(room).copied().unwrap_or(0)
    }

    fn raise(&self, room: &Bytes, number: u64) {
        let mut seen = self.0.lock();
        if seen.len() >= MAX_ROOMS && !seen.contains_key(room) {
            seen.clear();
        }
        let highest = seen.entry(room.clone()).or_default();
        *highest = number.max(*highest);
    }
}

/// The stored messages of a room after a number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The last number; `None` if the store has none.
    pub last: Option<u64>,
    /// The first number of this numbering.
    pub first: u64,
    /// The oldest messages, as many as fit, by number.
    pub messages: Vec<(u64, Bytes)>,
    /// Whether more messages are stored than returned.
    pub more: bool,
}

impl Rooms {
    /// Publishes `{ ...message, timestamp, seq }` and stores it as the newest of the last 100 messages, for 24 hours. Returns `seq`.
    /// `message` is a JSON object, `timestamp` an ISO time.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an empty room, and for a message that is not an object or has more than 1 MiB.
    pub fn send(&self, room: &str, message: &str, timestamp: &str) -> Result<Call<(u64, Option<Publication>)>> {
        let key = keys::room_messages(&self.prefix, room)?;
        if message.len() > MAX_MESSAGE_BYTES {
            let got = message.len();
            return Err(Error::argument(format!(
                "message must have at most {MAX_MESSAGE_BYTES} bytes as JSON, got {got}"
            )));
        }
        let merge = if message.len() > MAX_MERGED_BYTES { Merge::No } else { Merge::Script };
        let (numbers, channel) =
            (keys::room_numbers(&self.prefix, &key), keys::room_live(&self.prefix, &key, self.database));
        let (max_messages, ttl, numbers_life) = (text(MAX_MESSAGES), text(ROOM_TTL_MS), text(NUMBERS_TTL_MS));
        let until_number = until_number(message, timestamp)?;
        let seen = self.seen.get(&key).to_string().into();
        let args = [key.clone(), numbers, until_number, max_messages, ttl, numbers_life, channel.clone(), seen];
        let all = self.seen.clone();
        Ok(Call::new(Request::script(&SEND, args).merging(merge), move |reply| {
            let reply = reply.int()?;
            let number = reply.unsigned_abs();
            all.raise(&key, number);
            Ok((number, Some(Publication { channel, denied: reply < 0 })))
        }))
    }

    /// Reads the messages after number `since`, oldest first: up to `bytes` bytes, but at least two messages.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an empty room.
    pub fn history(&self, room: &str, since: u64, bytes: usize) -> Result<Call<History>> {
        let key = keys::room_messages(&self.prefix, room)?;
        let numbers = keys::room_numbers(&self.prefix, &key);
        let args = [key, numbers, since.max(MIN_NUMBER - 1).to_string().into(), bytes.to_string().into()];
        Ok(Call::new(Request::script(&HISTORY, args).reads(), history))
    }

    /// Records that this process has seen a number, so that `send` uses higher ones.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an empty room.
    pub fn record_number(&self, room: &str, number: u64) -> Result<()> {
        self.seen.raise(&keys::room_messages(&self.prefix, room)?, number);
        Ok(())
    }

    /// Returns the channel of messages that are sent to a room.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an empty room.
    pub fn live_channel(&self, room: &str) -> Result<Bytes> {
        Ok(keys::room_live(&self.prefix, &keys::room_messages(&self.prefix, room)?, self.database))
    }
}

/// Returns the number of a stored or published message; `None` for one that was not sent.
pub fn number(message: &[u8]) -> Option<u64> {
    let head = message.strip_suffix(b"}")?;
    let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (head, digits) = head.split_at(head.len() - digits);
    head.strip_suffix(br#""seq":"#)?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|number| *number >= MIN_NUMBER)
}

fn history(reply: Reply) -> Result<History> {
    let mut parts = reply.array()?.into_iter();
    let mut numbers = parts.by_ref().take(2).map(|number| match number {
        Reply::Nil => Ok(None),
        number => number.int().map(|number| u64::try_from(number).ok()),
    });
    let last = numbers.next().transpose()?.flatten();
    let first = numbers.next().transpose()?.flatten().unwrap_or_default();
    drop(numbers);
    let more = parts.next().is_some_and(|more| more == Reply::Int(1));
    let mut messages = Vec::new();
    let mut highest = 0;
    for message in parts {
        let message = message.bulk()?.unwrap_or_default();
        // A message out of order was stored by another program.
        match number(&message) {
            Some(number) if number > highest && last.is_some_and(|last| number <= last) => {
                highest = number;
                messages.push((number, message));
            }
            _ => {}
        }
    }
    Ok(History { last, first, messages, more })
}

/// Encodes a message that is stored but not sent. Its timestamp is the last field, where a sent message has its number.
///
/// A `seq` field of its own stays if it cannot be mistaken for a number given by `send`.
pub(super) fn unnumbered(message: &str, timestamp: &str) -> Result<Bytes> {
    let timestamp = json::string(timestamp)?;
    let mut object = json::Object::argument("message", message.as_bytes())?;
    if object.number("seq").is_some_and(|seq| seq >= MIN_NUMBER as f64) {
        object.remove("seq");
    }
    object.remove("timestamp");
    object.set("timestamp", &timestamp);
    Ok(object.to_bytes()?.into())
}

/// Encodes a message that is sent, up to its number: without the number and the closing brace.
fn until_number(message: &str, timestamp: &str) -> Result<Bytes> {
    let timestamp = json::string(timestamp)?;
    let mut object = json::Object::argument("message", message.as_bytes())?;
    object.remove("seq");
    object.set("timestamp", &timestamp);
    let mut until_number = object.to_bytes()?;
    until_number.pop();
    until_number.extend_from_slice(br#","seq":"#);
    Ok(until_number.into())
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_bytes_and_gets_a_number() {
        let text = |message| String::from_utf8(until_number(message, "2026-01-02").unwrap().to_vec()).unwrap();
        assert_eq!(
            text(r#"{"n":9007199254740993,"l":[]}"#),
            r#"{"n":9007199254740993,"l":[],"timestamp":"2026-01-02","seq":"#
        );
        assert_eq!(text("{}"), r#"{"timestamp":"2026-01-02","seq":"#);
        assert_eq!(
            text(r#"{"seq":"mine","timestamp":0,"a":{"seq":1}}"#),
            r#"{"timestamp":"2026-01-02","a":{"seq":1},"seq":"#
        );
        assert!(
            until_number("[]", "t").is_err() && until_number("1", "t").is_err() && until_number("\"a\"", "t").is_err()
        );
    }

    #[test]
    fn only_sent_messages_have_a_number() {
        assert_eq!(number(br#"{"text":"a","timestamp":"t","seq":1795000000000001}"#), Some(1_795_000_000_000_001));
        for stored in [
            r#"{"text":"a","timestamp":"t"}"#,
            r#"{"seq":1,"timestamp":"t"}"#,
            r#"{"seq":}"#,
            "",
            "}",
            "7}",
            r#"{"seq":"1"}"#,
            r#"{"seq":5}"#,
        ] {
            assert_eq!(number(stored.as_bytes()), None, "{stored}");
        }
    }

    #[test]
    fn a_stored_message_has_no_number() {
        let text = |message: &str| String::from_utf8(unnumbered(message, "now").unwrap().to_vec()).unwrap();
        assert_eq!(text(r#"{"timestamp":0,"a":1,"seq":5}"#), r#"{"a":1,"seq":5,"timestamp":"now"}"#);
        assert_eq!(text(r#"{"seq":"mine"}"#), r#"{"seq":"mine","timestamp":"now"}"#);
        for forged in ["1793000000000000", "1e15", "1793000000000000.5", "1e300"] {
            let message = format!(r#"{{"timestamp":0,"a":1,"seq":{forged}}}"#);
            assert_eq!(text(&message), r#"{"a":1,"timestamp":"now"}"#);
        }
    }
}
