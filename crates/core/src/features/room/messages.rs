//! Messages that are sent: numbered, told to who listens, and kept with the stored ones.
//!
//! A room's first number is the time at which it is given, in microseconds, and each further one is one more. So a store
//! that has lost its data never gives a number again, and a number that is missing is a message that is.

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

/// Eight days, in milliseconds: who comes back within a week learns how much was missed.
const NUMBERS_TTL_MS: &str = "691200000";
/// What one message may have as JSON: a hundred are kept, and read together.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// No number is lower: a clock that shows less is not set. What ends in a lower one was stored by somebody, not sent.
const MIN_NUMBER: u64 = 1_000_000_000_000_000;
/// Larger ones travel alone, so that no run holds the server up.
const MAX_MERGED_BYTES: usize = 16 << 10;

/// Rooms of which the highest number is remembered.
const MAX_ROOMS: usize = 10_000;

/// The highest number of each room that was seen here, by the key of its messages. After a store has lost the last of what it
/// was told, whoever sends next says what there was, so that no number is given twice.
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

/// What was sent to a room after a number, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The last number that was given; `None` where the store knows of none.
    pub last: Option<u64>,
    /// The first of this numbering.
    pub first: u64,
    /// Messages in the order of their numbers: the oldest, as many as fit.
    pub messages: Vec<(u64, Bytes)>,
    /// Whether more messages are stored than returned.
    pub more: bool,
}

impl Rooms {
    /// Sends `{ ...message, timestamp, seq }` to who listens and keeps it with the last 100, for 24 hours; answers `seq`.
    /// `message` is a JSON object, `timestamp` an ISO time.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a room without a name, and for a message that is no object or has more than 1 MiB.
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
        let (keep, ttl, numbers_life) = (text(MAX_MESSAGES), text(ROOM_TTL_MS), text(NUMBERS_TTL_MS));
        let until_number = until_number(message, timestamp)?;
        let seen = self.seen.get(&key).to_string().into();
        let args = [key.clone(), numbers, until_number, keep, ttl, numbers_life, channel.clone(), seen];
        let all = self.seen.clone();
        Ok(Call::new(Request::script(&SEND, args).merging(merge), move |reply| {
            let reply = reply.int()?;
            let number = reply.unsigned_abs();
            all.raise(&key, number);
            Ok((number, Some(Publication { channel, denied: reply < 0 })))
        }))
    }

    /// The messages after number `since`, oldest first: up to `bytes` bytes, but at least two messages.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a room without a name.
    pub fn history(&self, room: &str, since: u64, bytes: usize) -> Result<Call<History>> {
        let key = keys::room_messages(&self.prefix, room)?;
        let numbers = keys::room_numbers(&self.prefix, &key);
        let args = [key, numbers, since.max(MIN_NUMBER - 1).to_string().into(), bytes.to_string().into()];
        Ok(Call::new(Request::script(&HISTORY, args).reads(), history))
    }

    /// A message of this number was seen: `send` gives higher ones.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a room without a name.
    pub fn record_number(&self, room: &str, number: u64) -> Result<()> {
        self.seen.raise(&keys::room_messages(&self.prefix, room)?, number);
        Ok(())
    }

    /// Where messages are told that are sent to a room.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a room without a name.
    pub fn live_channel(&self, room: &str) -> Result<Bytes> {
        Ok(keys::room_live(&self.prefix, &keys::room_messages(&self.prefix, room)?, self.database))
    }
}

/// The number of a message as it is kept and told; `None` for one that was not sent.
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
        // What is out of order was put there by somebody else.
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

/// A stored message that was not sent. Its timestamp is the last field, where a sent message has its number.
///
/// A `seq` field of its own is kept if it cannot be mistaken for a number given by `send`.
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

/// The message with its time, and all of the field `seq` but its number and the brace behind it.
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
    fn only_what_was_sent_has_a_number() {
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
    fn a_message_that_is_stored_has_no_number() {
        let text = |message: &str| String::from_utf8(unnumbered(message, "now").unwrap().to_vec()).unwrap();
        assert_eq!(text(r#"{"timestamp":0,"a":1,"seq":5}"#), r#"{"a":1,"seq":5,"timestamp":"now"}"#);
        assert_eq!(text(r#"{"seq":"mine"}"#), r#"{"seq":"mine","timestamp":"now"}"#);
        for forged in ["1793000000000000", "1e15", "1793000000000000.5", "1e300"] {
            let message = format!(r#"{{"timestamp":0,"a":1,"seq":{forged}}}"#);
            assert_eq!(text(&message), r#"{"a":1,"timestamp":"now"}"#);
        }
    }
}
