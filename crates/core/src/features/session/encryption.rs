//! Encrypts what sessions and validated users hold, by AES-256-GCM with a ring of keys.
//!
//! An encrypted value is `sealed1:`, the id of its key, a colon, a random nonce, the ciphertext with its tag, and a full stop, followed by
//! the metadata in white space, which scripts read and change. The name of its key in the store and the metadata are authenticated with
//! it, so a value that was moved, or given another ttl or other groups, does not decrypt. Only the time at which a session ends even if it is
//! in use is not, since the store fills it in. What is left under a rotated token holds no data and is not encrypted.

use std::{fmt, sync::atomic::Ordering::Relaxed};

use bytes::Bytes;
use cinnabar_port::{
    error::{Error, Kind, Result},
    random,
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{
    Sessions,
    contents::Contents,
    metadata::{self, Record},
};
use crate::keys;

/// How an encrypted value begins, with the version of its form. No JSON begins so.
const BEGINNING: &[u8] = b"sealed1:";
/// The last character before the metadata, because a ciphertext may end like white space.
const END: &[u8] = b".";
/// The longest id of a key.
const LONGEST_ID: usize = 64;

/// A ring of keys: the first encrypts, and all decrypt.
pub struct Encryption {
    keys: Vec<(String, LessSafeKey)>,
    accepts_plain: bool,
}

/// Why a stored value cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Its metadata is damaged.
    Damaged,
    /// It does not decrypt, or is plain where only encrypted values are accepted.
    Unreadable,
}

impl fmt::Debug for Encryption {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.keys.iter().map(|(id, _)| id).collect();
        to.debug_struct("Encryption").field("ids", &ids).finish_non_exhaustive()
    }
}

impl Encryption {
    /// Creates a ring of these keys, each an id with 32 bytes. `accepts_plain` says whether plain values are read too; they are
    /// encrypted when they are written.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an empty ring, a wrong or repeated id, or a key that is not 32 bytes.
    pub fn new<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = (String, K)>, accepts_plain: bool) -> Result<Self> {
        let mut ring: Vec<(String, LessSafeKey)> = Vec::new();
        for (at, (id, key)) in keys.into_iter().enumerate() {
            let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(is_id) {
                return Err(invalid(at, "id must be 1 to 64 letters, digits, '-', '_' or '.'"));
            }
            if ring.iter().any(|(other, _)| *other == id) {
                return Err(invalid(at, "id is that of another key"));
            }
            let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| invalid(at, "key must be 32 bytes"))?;
            ring.push((id, LessSafeKey::new(key)));
        }
        if ring.is_empty() {
            return Err(Error::argument("encryption.keys must have at least one key"));
        }
        Ok(Self { keys: ring, accepts_plain })
    }

    /// Encrypts the JSON of the value of this key in the store.
    fn seal(&self, name: &[u8], json: &[u8], tail: &[u8]) -> Result<Bytes> {
        let failed = || Error::new(Kind::Internal, "a session could not be encrypted");
        let (id, key) = self.keys.first().ok_or_else(failed)?;
        let nonce = random::bytes::<NONCE_LEN>()?;
        let mut value = [BEGINNING, id.as_bytes(), b":", &nonce, json].concat();
        let from = value.len() - json.len();
        let (nonce, aad) = (Nonce::assume_unique_for_key(nonce), Aad::from(authenticated(name, tail)));
        let tag = key.seal_in_place_separate_tag(nonce, aad, &mut value[from..]).map_err(|_| failed())?;
        value.extend_from_slice(tag.as_ref());
        value.extend_from_slice(END);
        value.extend_from_slice(tail);
        Ok(value.into())
    }

    /// Decrypts the JSON of the value of this key in the store. `None` if no key of the ring encrypted it there.
    fn open(&self, name: &[u8], sealed: &[u8], tail: &[u8]) -> Option<Bytes> {
        let sealed = sealed.strip_prefix(BEGINNING)?.strip_suffix(END)?;
        let (id, sealed) = sealed.split_at_checked(sealed.iter().position(|byte| *byte == b':')?)?;
        let (nonce, ciphertext) = sealed[1..].split_first_chunk::<NONCE_LEN>()?;
        let (_, key) = self.keys.iter().find(|(other, _)| other.as_bytes() == id)?;
        let mut json = ciphertext.to_vec();
        let aad = Aad::from(authenticated(name, tail));
        let length = key.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut json).ok()?.len();
        json.truncate(length);
        Some(json.into())
    }
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
            Some(encryption) => encryption.seal(&self.name(id)?, json, tail),
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
            Some(encryption) if is_sealed => encryption.open(&self.name(id).ok()?, &text, tail),
            Some(encryption) => Some(text).filter(|_| encryption.accepts_plain || of == Contents::Rotated),
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

fn invalid(at: usize, what: &str) -> Error {
    Error::argument(format!("encryption.keys[{at}].{what}"))
}
