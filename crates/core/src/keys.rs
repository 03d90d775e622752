//! The only place where keys are built.
//!
//! A documented key is the prefix and the identifier: `session:{id}`. A companion, which must be in the same cluster slot as
//! key K, is `<prefix>{K}:suffix`: it starts with the prefix, and Redis hashes only the text in the first braces, which is K.
//! Prefixes and encoded identifiers contain no braces, so a companion never collides with a documented key.

mod cache;
mod channel;
mod connection;
mod epoch;
mod glob;
mod queue;
mod room;
mod route;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt::Write, sync::Arc};

use bytes::Bytes;
use cinnabar_port::{
    error::{Error, Result},
    random,
};
use ring::digest::{SHA256, digest};

pub use cache::*;
pub use channel::{caller_channel, channel};
pub use connection::*;
pub use epoch::*;
pub use queue::*;
pub use room::*;
pub use route::*;

/// The default prefix of sessions.
pub const SESSIONS: &str = "session:";
/// The default prefix of connections that are bound to sessions.
pub const CONNECTIONS: &str = "websocket:";
/// The default prefix of cached values.
pub const CACHE: &str = "api:";
/// The default prefix of limits.
pub const LIMITS: &str = "rate_limit:";
/// The default prefix of locks.
pub const LOCKS: &str = "lock:";
/// The default prefix of rooms.
pub const ROOMS: &str = "room:";
/// The default prefix of job queues.
pub const QUEUES: &str = "queue:";

/// Longer identifiers are treated as a mistake.
const MAX_IDENTIFIER_BYTES: usize = 64 * 1024;
/// Longer identifiers are hashed, since a key is stored in every index that refers to it.
const MAX_PLAIN_BYTES: usize = 512;
/// What a hashed identifier begins with.
const HASHED: &str = "%sha256:";
const MAX_PREFIX_BYTES: usize = 128;

/// The prefix of a feature's keys. Validated once, when it is created.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// Validates a prefix.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` if it has braces or control characters, or more than 128 bytes.
    pub fn new(text: &str) -> Result<Self> {
        check_length(text)?;
        if text.chars().any(|c| matches!(c, '{' | '}') || c.is_control()) {
            return Err(Error::settings("prefix must not contain braces or control characters"));
        }
        Ok(Self(text.into()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text in braces for keys that belong to the whole prefix. It must not be empty, because Redis ignores empty braces.
    fn whole<'a>(&'a self, otherwise: &'a str) -> &'a str {
        if self.0.is_empty() { otherwise } else { &self.0 }
    }
}

/// Checks the length of a prefix.
///
/// # Errors
/// `E_INVALID_SETTINGS` if it has more than 128 bytes.
pub fn check_length(prefix: &str) -> Result<()> {
    let length = prefix.len();
    if length <= MAX_PREFIX_BYTES {
        return Ok(());
    }
    Err(Error::settings(format!("prefix must have at most {MAX_PREFIX_BYTES} bytes, got {length}")))
}

/// Returns the key of a session.
pub fn session(prefix: &Prefix, id: &str) -> Result<Bytes> {
    plain(prefix, "id", id)
}

/// Returns the id of which this is the key, if there is one: a long id has a key from which it does not follow.
pub fn session_id(prefix: &Prefix, key: &[u8]) -> Option<String> {
    let id = decoded_id(key.strip_prefix(prefix.0.as_bytes())?);
    session(prefix, &id).ok().filter(|own| own == key).map(|_| id)
}

/// Whether this is the key of a session whose id is too long to be in it.
pub fn is_long_session(prefix: &Prefix, key: &[u8]) -> bool {
    let hash = key.strip_prefix(prefix.0.as_bytes()).and_then(|rest| rest.strip_prefix(HASHED.as_bytes()));
    hash.is_some_and(|hash| hash.len() == 64 && hash.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

/// Returns the pattern that all keys with this prefix match.
pub fn pattern_of(prefix: &str) -> Bytes {
    (glob::literal(prefix) + "*").into()
}

/// Returns the key of what another library stores: prefix and name exactly as given, except for a name above 64 KiB.
pub fn given(prefix: &str, name: &str) -> Bytes {
    [prefix.as_bytes(), &verbatim(name)].concat().into()
}

/// Returns the key of the epoch of a token's load, in the slot of the key that the load will write.
pub fn session_load(prefix: &Prefix, id: &str) -> Result<Bytes> {
    companion(prefix, "", "id", id, "load")
}

/// Returns the key of the index of a user's sessions, by latest expiry.
pub fn user_sessions(prefix: &Prefix, user: &str) -> Result<Bytes> {
    companion(prefix, "user:", "userId", user, "sessions")
}

/// Returns the key of a user's sessions that are being created while their number is limited, by when that ends at the latest.
pub fn user_arrivals(prefix: &Prefix, user: &str) -> Result<Bytes> {
    companion(prefix, "user:", "userId", user, "arrivals")
}

/// Returns the key of a user's sessions that have to end because their number is limited, by their latest expiry.
pub fn user_departures(prefix: &Prefix, user: &str) -> Result<Bytes> {
    companion(prefix, "user:", "userId", user, "departures")
}

/// Returns the key of the sessions with a tag that have to end. There are none, but the script that rotates tokens needs the key.
pub fn tag_departures(prefix: &Prefix, tag: &str) -> Result<Bytes> {
    companion(prefix, "tag:", "tag", tag, "departures")
}

/// Returns the key of the index of the sessions with a tag, by latest expiry.
pub fn tag_sessions(prefix: &Prefix, tag: &str) -> Result<Bytes> {
    companion(prefix, "tag:", "tag", tag, "sessions")
}

/// Returns the key of the index of a user's validated tokens, by latest expiry.
pub fn user_tokens(prefix: &Prefix, user: &str) -> Result<Bytes> {
    companion(prefix, "user:", "userId", user, "tokens")
}

/// Returns the key of the index of validated tokens with a tag. There are none, but the script that drops a tag needs the key.
pub fn tag_tokens(prefix: &Prefix, tag: &str) -> Result<Bytes> {
    companion(prefix, "tag:", "tag", tag, "tokens")
}

/// Returns the key of the counter that orders loads of users and their invalidations.
pub fn invalidations(prefix: &Prefix) -> Bytes {
    companion_of(prefix, prefix.whole("session"), "invalidations")
}

/// Returns the key of the counter of a limit. Accepts any text as an identifier, since it may be untrusted input.
pub fn limit(prefix: &Prefix, id: &str) -> Bytes {
    [&prefix.0, &*lenient(id)].concat().into()
}

/// Returns the key of what a policy knows of the identifier whose counter has this key. All policies of an identifier share a slot.
pub fn limit_entry(prefix: &Prefix, counter: &[u8], policy: &str) -> Bytes {
    companion_of(prefix, counter, policy)
}

/// Returns the key that marks a charge under a policy as settled.
pub fn settled_charge(prefix: &Prefix, counter: &[u8], policy: &str, charge: &str) -> Bytes {
    companion_of(prefix, counter, &format!("{policy}:settled:{charge}"))
}

/// Returns the channel on which keys of limits are published that may allow more than before.
pub fn limit_changes(prefix: &Prefix, database: u8) -> Bytes {
    companion_of(prefix, prefix.whole("rate_limit"), &format!("{}changes", in_database(database)))
}

/// Whether `identifier` and `raw` accept this id.
pub fn is_id(text: &str) -> bool {
    check("id", text).is_ok()
}

/// Returns a key exactly as given, or its hash if it is longer than 64 KiB.
pub fn verbatim(text: &str) -> Bytes {
    if text.len() > MAX_IDENTIFIER_BYTES { hashed(text).into() } else { Bytes::copy_from_slice(text.as_bytes()) }
}

/// Returns a key or field exactly as given.
///
/// # Errors
/// As for `identifier`.
pub fn raw(what: &str, text: &str) -> Result<Bytes> {
    check(what, text)?;
    Ok(Bytes::copy_from_slice(text.as_bytes()))
}

/// Returns the key of a lock.
pub fn lock(prefix: &Prefix, resource: &str) -> Result<Bytes> {
    plain(prefix, "resource", resource)
}

/// Returns the key of the last fencing token of the resource whose lock has this key.
pub fn lock_fence(prefix: &Prefix, lock: &[u8]) -> Bytes {
    companion_of(prefix, lock, "fence")
}

/// Returns the key of the callers that wait for the lock with this key.
pub fn lock_waiting(prefix: &Prefix, lock: &[u8]) -> Bytes {
    companion_of(prefix, lock, "waiting")
}

/// Returns the key of the queue of those callers that wait for their turn.
pub fn lock_queue(prefix: &Prefix, lock: &[u8]) -> Bytes {
    companion_of(prefix, lock, "queue")
}

/// Returns the key of the readers that hold the lock with this key.
pub fn lock_readers(prefix: &Prefix, lock: &[u8]) -> Bytes {
    companion_of(prefix, lock, "readers")
}

/// Returns the resource of the lock with this key, if it follows from the key: a long one has a key from which it does not.
pub fn lock_resource(prefix: &Prefix, key: &[u8]) -> Option<String> {
    let resource = decoded_id(key.strip_prefix(prefix.0.as_bytes())?);
    lock(prefix, &resource).ok().filter(|own| own == key).map(|_| resource)
}

/// Returns the channel on which releases of the lock with this key are published, in this database.
pub fn lock_free(prefix: &Prefix, lock: &[u8], database: u8) -> Bytes {
    companion_of(prefix, lock, &format!("{}free", in_database(database)))
}

/// Encodes the id of a job, or the name of a group, for keys and sets. `decoded_id` reverses this.
///
/// # Errors
/// `E_INVALID_ARGUMENT`, naming `what`, if it is empty, has a NUL byte, or more than 512 bytes once it is encoded.
pub fn encoded_id(what: &str, text: &str) -> Result<String> {
    check(what, text)?;
    let encoded = encode(text);
    if encoded.len() > MAX_PLAIN_BYTES {
        return Err(Error::argument(format!(
            "{what} must have at most {MAX_PLAIN_BYTES} bytes, got {}",
            encoded.len()
        )));
    }
    Ok(encoded.into_owned())
}

/// Whether `encoded_id` accepts this id of a job.
pub fn is_encodable_id(text: &str) -> bool {
    encoded_id("id", text).is_ok()
}

/// Returns the text that `encoded_id` encoded.
pub fn decoded_id(encoded: &[u8]) -> String {
    percent_encoding::percent_decode(encoded).decode_utf8_lossy().into_owned()
}

fn in_database(database: u8) -> String {
    if database == 0 { String::new() } else { format!("db{database}:") }
}

fn plain(prefix: &Prefix, what: &str, text: &str) -> Result<Bytes> {
    Ok([&prefix.0, &*identifier(what, text)?].concat().into())
}

fn companion(prefix: &Prefix, kind: &str, what: &str, text: &str, suffix: &str) -> Result<Bytes> {
    let id = identifier(what, text)?;
    Ok([&prefix.0, "{", &prefix.0, kind, &id, "}:", suffix].concat().into())
}

/// Whether a key is this companion key.
fn is_companion(key: &[u8], prefix: &Prefix, kind: &str, text: &str, suffix: &str) -> bool {
    let starts =
        [&prefix.0, "{", &prefix.0, kind].into_iter().try_fold(key, |key, part| key.strip_prefix(part.as_bytes()));
    let ends = starts.and_then(|rest| rest.strip_suffix(suffix.as_bytes())?.strip_suffix(b"}:"));
    ends.is_some_and(|id| identifier("id", text).is_ok_and(|text| text.as_bytes() == id))
}

/// Returns the companion of a key: `<prefix>{key}:suffix`.
fn companion_of(prefix: &Prefix, key: impl AsRef<[u8]>, suffix: &str) -> Bytes {
    [prefix.0.as_bytes(), b"{", key.as_ref(), b"}:", suffix.as_bytes()].concat().into()
}

/// Encodes a caller's identifier for a key. Different identifiers have different encodings.
///
/// Braces, `%`, control characters and the special characters of globs are percent-encoded. An encoding of more than 512 bytes is
/// replaced by `%sha256:` and a hash, which no other encoding produces: there, two hexadecimal digits follow a `%`.
///
/// # Errors
/// `E_INVALID_ARGUMENT`, naming `what`, if it is empty, has a NUL byte, or more than 64 KiB.
pub fn identifier<'a>(what: &str, text: &'a str) -> Result<Cow<'a, str>> {
    check(what, text)?;
    Ok(shortened(text))
}

/// The same for untrusted input: accepts any text. The empty text becomes `%empty`, which no encoding produces.
fn lenient(text: &str) -> Cow<'_, str> {
    if text.is_empty() {
        return "%empty".into();
    }
    shortened(text)
}

fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_PLAIN_BYTES {
        let encoded = encode(text);
        if encoded.len() <= MAX_PLAIN_BYTES {
            return encoded;
        }
    }
    hashed(text).into()
}

fn hashed(text: &str) -> String {
    format!("{HASHED}{}", random::to_hex(digest(&SHA256, text.as_bytes()).as_ref()))
}

fn check(what: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::argument(format!("{what} must not be empty")));
    }
    if text.len() > MAX_IDENTIFIER_BYTES {
        return Err(Error::argument(format!(
            "{what} must have at most {MAX_IDENTIFIER_BYTES} bytes, got {}",
            text.len()
        )));
    }
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return Err(Error::argument(format!("{what} must not contain a NUL byte")));
    }
    Ok(())
}

fn encode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(is_special) {
        return text.into();
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push(&mut encoded, c);
    }
    encoded.into()
}

fn push(encoded: &mut String, c: char) {
    match u8::try_from(c) {
        Ok(byte) if is_special(byte) => {
            let _ = write!(encoded, "%{byte:02X}");
        }
        _ => encoded.push(c),
    }
}

fn is_special(byte: u8) -> bool {
    SPECIAL[byte as usize]
}

/// A lookup table, because every byte of every key is checked.
static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        special[byte as usize] =
            matches!(byte, b'{' | b'}' | b'%' | b'*' | b'?' | b'[' | b']' | b'\\' | 0x00..=0x1f | 0x7f);
        byte += 1;
    }
    special
};
