//! The only place where a key is spelled.
//!
//! A documented name stands as it is: `session:{id}` is `session:` and the identifier. A companion, which must live in one
//! cluster slot with key K, is called `<prefix>{K}:suffix`: it begins with the prefix, as everything of its owner does, and
//! Redis hashes only what the first braces hold, which is K. No prefix and no identifier holds a brace of its own, so no
//! companion is ever taken for a documented key.

mod cache;
mod channel;
mod glob;
mod queue;
mod room;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt::Write, sync::Arc};

use bytes::Bytes;
use ring::digest::{SHA256, digest};

use crate::{
    error::{Error, Result},
    random,
};

pub use cache::*;
pub use channel::{channel, plain_channel};
pub use queue::*;
pub use room::*;

/// Prefix of sessions, unless an option says otherwise.
pub const SESSIONS: &str = "session:";
/// Prefix of cached values, unless an option says otherwise.
pub const CACHE: &str = "api:";
/// Prefix of limits, unless an option says otherwise.
pub const LIMITS: &str = "rate_limit:";
/// Prefix of locks, unless an option says otherwise.
pub const LOCKS: &str = "lock:";
/// Prefix of rooms, unless an option says otherwise.
pub const ROOMS: &str = "room:";
/// Prefix of job queues, unless an option says otherwise.
pub const QUEUES: &str = "queue:";

/// More is no identifier but a mistake.
const LONGEST: usize = 64 * 1024;
/// Longer ones are hashed: every key is kept twice, in the store and in each list that names it.
const LONGEST_PLAIN: usize = 512;
const LONGEST_PREFIX: usize = 128;

/// What the keys of one feature begin with. Validated once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// This text as a prefix.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` when it has braces or control characters, or more than 128 bytes.
    pub fn new(text: &str) -> Result<Self> {
        if text.len() > LONGEST_PREFIX {
            return Err(Error::settings(format!(
                "prefix must have at most {LONGEST_PREFIX} bytes, got {}",
                text.len()
            )));
        }
        if text.chars().any(|c| matches!(c, '{' | '}') || c.is_control()) {
            return Err(Error::settings("prefix must have no braces and no control characters"));
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands in braces where a key belongs to the whole prefix. Redis takes empty braces for none.
    fn whole<'a>(&'a self, otherwise: &'a str) -> &'a str {
        if self.0.is_empty() { otherwise } else { &self.0 }
    }
}

/// A session: plain JSON.
pub fn session(prefix: &Prefix, id: &str) -> Result<Bytes> {
    plain(prefix, "id", id)
}

/// The mark of a validation that is under way, in the slot of what it will store.
pub fn session_load(prefix: &Prefix, id: &str) -> Result<Bytes> {
    companion(prefix, "", "id", id, "load")
}

/// The sessions of a user, by when they end at the latest.
pub fn user_sessions(prefix: &Prefix, user: &str) -> Result<Bytes> {
    companion(prefix, "user:", "userId", user, "sessions")
}

/// The sessions with a tag, by when they end at the latest.
pub fn tag_sessions(prefix: &Prefix, tag: &str) -> Result<Bytes> {
    companion(prefix, "tag:", "tag", tag, "sessions")
}

/// The validated tokens of a user, by when they end at the latest.
pub fn user_tokens(prefix: &Prefix, user: &str) -> Result<Bytes> {
    companion(prefix, "user:", "userId", user, "tokens")
}

/// The validated tokens with a tag: there are none, but who drops a tag names it.
pub fn tag_tokens(prefix: &Prefix, tag: &str) -> Result<Bytes> {
    companion(prefix, "tag:", "tag", tag, "tokens")
}

/// What a user's sessions must name to count.
pub fn user_epoch(prefix: &Prefix, user: &str) -> Result<Bytes> {
    companion(prefix, "user:", "userId", user, "epoch")
}

/// What the sessions with a tag must name to count.
pub fn tag_epoch(prefix: &Prefix, tag: &str) -> Result<Bytes> {
    companion(prefix, "tag:", "tag", tag, "epoch")
}

/// What orders the loads of users and the invalidations of them.
pub fn invalidations(prefix: &Prefix) -> Bytes {
    beside(prefix, prefix.whole("session"), "invalidations")
}

/// The counter of a limit. Any text is an identifier: whoever is limited may have chosen it.
pub fn limit(prefix: &Prefix, id: &str) -> Bytes {
    [&prefix.0, &*any(id)].concat().into()
}

/// What the keys of addresses on routes begin with, which stand as they are; behind the prefix of a limiter that has its own.
pub const ROUTES: &str = "ratelimit:";

/// A key exactly as the caller gave it, whatever it is; of over 64 KiB, its hash.
pub fn as_given(text: &str) -> Bytes {
    if text.len() > LONGEST { hashed(text).into() } else { Bytes::copy_from_slice(text.as_bytes()) }
}

/// A key, or a field within one, exactly as the caller gave it.
///
/// # Errors
/// As for `identifier`.
pub fn raw(what: &str, text: &str) -> Result<Bytes> {
    check(what, text)?;
    Ok(Bytes::copy_from_slice(text.as_bytes()))
}

/// Who holds a lock.
pub fn lock(prefix: &Prefix, resource: &str) -> Result<Bytes> {
    plain(prefix, "resource", resource)
}

/// The id of a job, or the name of a group, as it stands in keys and sets; `plain_id` undoes it.
///
/// # Errors
/// `E_INVALID_ARGUMENT`, naming `what`, when it is empty, has a NUL byte, or over 512 bytes once it is encoded.
pub fn kept_id(what: &str, text: &str) -> Result<String> {
    check(what, text)?;
    let encoded = encode(text);
    if encoded.len() > LONGEST_PLAIN {
        return Err(Error::argument(format!("{what} must have at most {LONGEST_PLAIN} bytes, got {}", encoded.len())));
    }
    Ok(encoded.into_owned())
}

/// What `kept_id` was made of.
pub fn plain_id(kept: &[u8]) -> String {
    percent_encoding::percent_decode(kept).decode_utf8_lossy().into_owned()
}

fn in_database(database: u8) -> String {
    if database == 0 { String::new() } else { format!("db{database}:") }
}

fn plain(prefix: &Prefix, what: &str, text: &str) -> Result<Bytes> {
    Ok([&prefix.0, &*identifier(what, text)?].concat().into())
}

fn companion(prefix: &Prefix, kind: &str, what: &str, text: &str, suffix: &str) -> Result<Bytes> {
    let id = identifier(what, text)?;
    Ok(beside(prefix, format!("{}{kind}{id}", prefix.0), suffix))
}

/// The companion of a key: `<prefix>{key}:suffix`.
fn beside(prefix: &Prefix, key: impl AsRef<[u8]>, suffix: &str) -> Bytes {
    [prefix.0.as_bytes(), b"{", key.as_ref(), b"}:", suffix.as_bytes()].concat().into()
}

/// A caller's identifier as it stands in a key. No two become one.
///
/// Braces, `%`, control characters and what means something in a glob are percent-encoded. What would have over 512 bytes
/// becomes `%sha256:` and its hash, which no encoding yields: a `%` of an encoding is followed by two hexadecimal digits.
///
/// # Errors
/// `E_INVALID_ARGUMENT`, naming `what`, when it is empty, has a NUL byte, or over 64 KiB.
pub fn identifier<'a>(what: &str, text: &'a str) -> Result<Cow<'a, str>> {
    check(what, text)?;
    Ok(shortened(text))
}

/// The same for what a stranger may have chosen: no text is refused. The empty one becomes `%empty`, which no encoding yields.
fn any(text: &str) -> Cow<'_, str> {
    if text.is_empty() {
        return "%empty".into();
    }
    shortened(text)
}

fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_PLAIN {
        let encoded = encode(text);
        if encoded.len() <= LONGEST_PLAIN {
            return encoded;
        }
    }
    hashed(text).into()
}

fn hashed(text: &str) -> String {
    format!("%sha256:{}", random::to_hex(digest(&SHA256, text.as_bytes()).as_ref()))
}

fn check(what: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::argument(format!("{what} must not be empty")));
    }
    if text.len() > LONGEST {
        return Err(Error::argument(format!("{what} must have at most {LONGEST} bytes, got {}", text.len())));
    }
    if text.contains('\0') {
        return Err(Error::argument(format!("{what} must have no NUL byte")));
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

/// Every key of every call is looked at byte by byte, so the answer is looked up.
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
