//! Encrypts what sessions and validated users hold, by AES-256-GCM with a ring of keys.
//!
//! An encrypted value is `sealed1:`, the id of its key, a colon, a random nonce, the ciphertext with its tag, and a full stop, followed by
//! the metadata in white space, which scripts read and change. The name of its key in the store and the metadata are authenticated with
//! it, so a value that was moved, or given another ttl or other groups, does not decrypt. Only the time at which a session ends even if it is
//! in use is not, since the store fills it in. What is left under a rotated token holds no data and is not encrypted.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use cinnabar_port::error::Result;

use super::{
    Sessions,
    contents::Contents,
    metadata::{self, Record},
};
use crate::{key_ring::KeyRing, keys};

/// How an encrypted value begins, with the version of its form. No JSON begins so.
const BEGINNING: &[u8] = b"sealed1:";
/// The last character before the metadata, because a ciphertext may end like white space.
const END: &[u8] = b".";

/// Why a stored value cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Its metadata is damaged.
    Damaged,
    /// It does not decrypt, or is plain where only encrypted values are accepted.
    Unreadable,
}

/// Encrypts the JSON of the value of this key in the store.
fn seal(keys: &KeyRing, name: &[u8], json: &[u8], tail: &[u8]) -> Result<Bytes> {
    Ok([BEGINNING, &keys.seal(&authenticated(name, tail), json)?, END, tail].concat().into())
}

/// Decrypts the JSON of the value of this key in the store. `None` if no key of the ring encrypted it there.
fn open(keys: &KeyRing, name: &[u8], sealed: &[u8], tail: &[u8]) -> Option<Bytes> {
    keys.open(&authenticated(name, tail), sealed.strip_prefix(BEGINNING)?.strip_suffix(END)?)
}

impl Sessions {
    /// Whether values are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.encryption.is_some()
    }

    /// Whether a value was found that does not decrypt, since this session store was created.
    pub fn has_unreadable(&self) -> bool {
        self.0.counters.has_unreadable.load(Relaxed)
    }

    /// Returns the value to store for this JSON, with its metadata as white space.
    pub(super) fn stored_value(&self, id: &Bytes, json: &[u8], tail: &[u8]) -> Result<Bytes> {
        match &self.0.encryption {
            None => Ok([json, tail].concat().into()),
            Some(keys) => seal(keys, &self.name(id)?, json, tail),
        }
    }

    /// Parses the value stored for this id.
    pub(super) fn record(&self, id: &Bytes, value: &Bytes) -> Result<Record, Unusable> {
        let mut is_readable = true;
        let record = Record::read_as(value, |json, tail, of| {
            let json = self.json_of(id, json, tail, of);
            is_readable = json.is_some();
            json
        });
        record.ok_or(if is_readable { Unusable::Damaged } else { Unusable::Unreadable })
    }

    fn json_of(&self, id: &Bytes, text: Bytes, tail: &[u8], of: Contents) -> Option<Bytes> {
        let is_sealed = text.starts_with(BEGINNING);
        match &self.0.encryption {
            Some(keys) if is_sealed => open(keys, &self.name(id).ok()?, &text, tail),
            Some(keys) => Some(text).filter(|_| keys.accepts_plain() || of == Contents::Rotated),
            None => Some(text).filter(|_| !is_sealed),
        }
    }

    /// Returns the name of the key of this id in the store.
    fn name(&self, id: &Bytes) -> Result<Bytes> {
        keys::session(&self.0.prefix, &String::from_utf8_lossy(id))
    }
}

/// Returns what is authenticated beside the JSON.
fn authenticated(name: &[u8], tail: &[u8]) -> Vec<u8> {
    let mut text = b"a cinnabar session\0".to_vec();
    text.extend((name.len() as u64).to_be_bytes());
    text.extend(name);
    text.extend(metadata::without_end(tail));
    text
}
