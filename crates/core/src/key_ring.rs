//! A ring of keys for AES-256-GCM: the first encrypts, and all decrypt.

use std::fmt;

use bytes::Bytes;
use cinnabar_port::{
    error::{Error, Kind, Result},
    random,
};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{Context, SHA256},
};

/// The longest id of a key.
const LONGEST_ID: usize = 64;

/// A ring of keys.
pub struct KeyRing {
    keys: Vec<(String, LessSafeKey)>,
    accepts_plain: bool,
    digest: [u8; 32],
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.keys.iter().map(|(id, _)| id).collect();
        to.debug_struct("KeyRing").field("ids", &ids).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// Creates a ring of these keys, each an id with 32 bytes. `accepts_plain` says whether plain values are read too; they are
    /// encrypted when they are written.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an empty ring, a wrong or repeated id, or a key that is not 32 bytes.
    pub fn new<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = (String, K)>, accepts_plain: bool) -> Result<Self> {
        let mut ring: Vec<(String, LessSafeKey)> = Vec::new();
        let mut hash = Context::new(&SHA256);
        hash.update(&[u8::from(accepts_plain)]);
        for (at, (id, key)) in keys.into_iter().enumerate() {
            let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(is_id) {
                return Err(invalid(at, "id must be 1 to 64 letters, digits, '-', '_' or '.'"));
            }
            if ring.iter().any(|(other, _)| *other == id) {
                return Err(invalid(at, "id is that of another key"));
            }
            hash.update(id.as_bytes());
            hash.update(b":");
            hash.update(key.as_ref());
            let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| invalid(at, "key must be 32 bytes"))?;
            ring.push((id, LessSafeKey::new(key)));
        }
        if ring.is_empty() {
            return Err(Error::argument("encryption.keys must have at least one key"));
        }
        let digest = hash.finish().as_ref().try_into().unwrap_or_default();
        Ok(Self { keys: ring, accepts_plain, digest })
    }

    /// Returns what is equal for equal rings only.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Whether plain values are read too.
    pub fn accepts_plain(&self) -> bool {
        self.accepts_plain
    }

    /// Encrypts a text: the id of the key, a colon, a random nonce, the ciphertext and its tag. `context` is authenticated with it.
    ///
    /// # Errors
    /// `E_INTERNAL` if the system has no randomness.
    pub fn seal(&self, context: &[u8], text: &[u8]) -> Result<Vec<u8>> {
        let failed = || Error::new(Kind::Internal, "a value could not be encrypted");
        let (id, key) = self.keys.first().ok_or_else(failed)?;
        let nonce = random::bytes::<NONCE_LEN>()?;
        let mut sealed = [id.as_bytes(), b":", &nonce, text].concat();
        let from = sealed.len() - text.len();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag =
            key.seal_in_place_separate_tag(nonce, Aad::from(context), &mut sealed[from..]).map_err(|_| failed())?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Decrypts such a text; `None` if no key of the ring has encrypted it with this context.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Bytes> {
        let (id, sealed) = sealed.split_at_checked(sealed.iter().position(|byte| *byte == b':')?)?;
        let (nonce, ciphertext) = sealed[1..].split_first_chunk::<NONCE_LEN>()?;
        let (_, key) = self.keys.iter().find(|(other, _)| other.as_bytes() == id)?;
        let mut text = ciphertext.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key.open_in_place(nonce, Aad::from(context), &mut text).ok()?.len();
        text.truncate(length);
        Some(text.into())
    }
}

fn invalid(at: usize, what: &str) -> Error {
    Error::argument(format!("encryption.keys[{at}].{what}"))
}
