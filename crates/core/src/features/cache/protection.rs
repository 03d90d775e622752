//! What is done to the JSON of a value before it is stored: it is compressed if that makes it smaller, and encrypted.

use std::sync::Arc;

use bytes::Bytes;
use cinnabar_port::error::{Error, Kind, Result};
use lz4_flex::block;

use crate::key_ring::KeyRing;

/// No value is larger, compressed or not.
const MAX_BYTES: u64 = 512 << 20;
/// LZ4 compresses to a 255th at best.
const BEST_RATIO: u64 = 255;

/// How the values of a cache are stored.
#[derive(Debug, Clone, Default)]
pub struct Protection {
    /// From how many bytes on values are compressed.
    pub compress_from: Option<usize>,
    /// The keys that encrypt values.
    pub encryption: Option<Arc<KeyRing>>,
}

impl Protection {
    /// Whether values are stored as they are.
    pub fn is_none(&self) -> bool {
        self.compress_from.is_none() && self.encryption.is_none()
    }

    /// Compresses JSON if that makes it smaller.
    pub fn compress(&self, json: &str) -> Option<Vec<u8>> {
        self.compress_from.filter(|least| json.len() >= *least)?;
        Some(block::compress(json.as_bytes())).filter(|compressed| compressed.len() < json.len())
    }

    /// Returns the JSON that was compressed to this, which had so many bytes.
    ///
    /// # Errors
    /// `E_INVALID_DATA` if it was not.
    pub fn decompress(compressed: &[u8], bytes: u64) -> Result<Bytes> {
        let damaged = || Error::new(Kind::InvalidData, "a compressed value is damaged");
        // Nothing is allocated for a length that cannot be true.
        if bytes > MAX_BYTES || bytes / BEST_RATIO > compressed.len() as u64 {
            return Err(damaged());
        }
        let bytes = usize::try_from(bytes).map_err(|_| damaged())?;
        let json = block::decompress(compressed, bytes).map_err(|_| damaged())?;
        if json.len() == bytes { Ok(json.into()) } else { Err(damaged()) }
    }

    /// Encrypts what is stored at a key behind this header, if values are encrypted.
    pub fn seal(&self, name: &[u8], header: &[u8], text: &[u8]) -> Result<Option<Vec<u8>>> {
        self.encryption.as_ref().map(|keys| keys.seal(&authenticated(name, header), text)).transpose()
    }

    /// Decrypts it; `None` if no key of this cache has encrypted it there, with this header.
    pub fn open(&self, name: &[u8], header: &[u8], sealed: &[u8]) -> Option<Bytes> {
        self.encryption.as_ref()?.open(&authenticated(name, header), sealed)
    }

    /// Whether values that are not encrypted are read.
    pub fn accepts_plain(&self) -> bool {
        self.encryption.as_ref().is_none_or(|keys| keys.accepts_plain())
    }
}

/// Returns what is authenticated beside the value.
fn authenticated(name: &[u8], header: &[u8]) -> Vec<u8> {
    let mut text = b"a cinnabar cache value\0".to_vec();
    text.extend((name.len() as u64).to_be_bytes());
    text.extend(name);
    text.extend(header);
    text
}
