//! The stored form of a cached value.
//!
//! A value without tags that never goes stale is plain JSON, so that any client can read it. Any other has a header line in
//! front: a control character that no JSON begins with, then the header as JSON, then a line feed, then the value.

use std::sync::Arc;

use bytes::Bytes;
use cinnabar_port::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::protection::Protection;
use crate::keys::{self, Prefix};

const HEADER_MAGIC: u8 = 1;

/// The header of a value that is not plain JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Header {
    /// The tags, each with the epoch that it had when the value was loaded.
    #[serde(rename = "with", default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
    /// The epoch of all values, if the cache can be cleared at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<String>,
    /// For how long it is served while a fresh one is loaded, in milliseconds before its grace.
    #[serde(rename = "stale", default, skip_serializing_if = "is_zero")]
    pub stale_ms: u64,
    /// For how long it is served if the load of a fresh one fails, in milliseconds at the end of its ttl.
    #[serde(rename = "grace", default, skip_serializing_if = "is_zero")]
    pub grace_ms: u64,
    /// For how long it was fresh when it was stored, in milliseconds, if callers replace it before that is over.
    #[serde(rename = "life", default, skip_serializing_if = "is_zero")]
    pub life_ms: u64,
    /// How many bytes the JSON has that follows compressed, or 0.
    #[serde(rename = "zip", default, skip_serializing_if = "is_zero")]
    pub zipped_bytes: u64,
    /// Whether what follows is encrypted.
    #[serde(rename = "sealed", default, skip_serializing_if = "is_false")]
    pub is_sealed: bool,
    /// Written by earlier versions, which had no epochs. Such entries count as invalidated if they have tags.
    #[serde(rename = "at", default, skip_serializing)]
    pub outdated: Option<IgnoredAny>,
}

impl Header {
    /// Whether the value needs none, and is plain JSON.
    fn is_empty(&self) -> bool {
        let numbers = [self.stale_ms, self.grace_ms, self.life_ms, self.zipped_bytes];
        self.tags.is_empty() && self.all.is_none() && numbers == [0; 4] && !self.is_sealed
    }

    /// Returns the keys of the epochs that it records.
    pub fn epoch_keys(&self, prefix: &Prefix) -> Arc<[Bytes]> {
        let tags = self.tags.iter().map(|(tag, _)| keys::cache_tag_epoch(prefix, tag));
        tags.chain(self.all.iter().map(|_| keys::cache_all_epoch(prefix))).collect()
    }

    /// Returns the epochs that it records, in the order of their keys.
    pub fn epochs(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|(_, epoch)| epoch).chain(&self.all).map(String::as_str)
    }
}

/// A stored value, parsed.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `None` for plain JSON.
    pub header: Option<Header>,
    /// The JSON.
    pub json: Bytes,
}

impl Entry {
    /// Parses the value stored at a key. JSON that is stored as it is, is not copied. `None` if it is not to be used: it does not decrypt, or is
    /// plain where only encrypted values are accepted.
    ///
    /// # Errors
    /// `E_INVALID_DATA` for a header that this version cannot read, and for a damaged value.
    pub fn read(stored: Bytes, key: &[u8], protection: &Protection) -> Result<Option<Self>> {
        if stored.first() != Some(&HEADER_MAGIC) {
            return Ok(protection.accepts_plain().then_some(Self { header: None, json: stored }));
        }
        let end = memchr::memchr(b'\n', &stored).unwrap_or(stored.len());
        let Ok(header) = serde_json::from_slice::<Header>(&stored[1..end]) else {
            // A header that was changed does not decrypt either.
            if !protection.accepts_plain() {
                return Ok(None);
            }
            let text = "a cached value has a header that this version cannot read";
            return Err(Error::new(Kind::InvalidData, text));
        };
        let mut json = stored.slice((end + 1).min(stored.len())..);
        if header.is_sealed {
            let Some(opened) = protection.open(key, &stored[1..end], &json) else { return Ok(None) };
            json = opened;
        } else if !protection.accepts_plain() {
            return Ok(None);
        }
        if header.zipped_bytes > 0 {
            json = Protection::decompress(&json, header.zipped_bytes)?;
        }
        Ok(Some(Self { header: Some(header), json }))
    }

    /// Encodes the entry of a key.
    pub fn write(mut header: Header, json: String, key: &[u8], protection: &Protection) -> Result<Bytes> {
        let compressed = protection.compress(&json);
        header.zipped_bytes = if compressed.is_some() { json.len() as u64 } else { 0 };
        header.is_sealed = protection.encryption.is_some();
        if header.is_empty() {
            return Ok(json.into());
        }
        let unwritable = |error| Error::new(Kind::Internal, "a cache header cannot be written").with_source(error);
        let mut stored = vec![HEADER_MAGIC];
        serde_json::to_writer(&mut stored, &header).map_err(unwritable)?;
        let text = compressed.as_deref().unwrap_or(json.as_bytes());
        let sealed = protection.seal(key, &stored[1..], text)?;
        stored.push(b'\n');
        stored.extend_from_slice(sealed.as_deref().unwrap_or(text));
        Ok(stored.into())
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_ring::KeyRing;

    fn write(header: Header, json: &str) -> Bytes {
        Entry::write(header, json.into(), b"api:a", &Protection::default()).unwrap()
    }

    fn read(stored: Bytes) -> Result<Entry> {
        Ok(Entry::read(stored, b"api:a", &Protection::default())?.unwrap())
    }

    fn encrypting(byte: u8, accepts_plain: bool) -> Protection {
        let keys = KeyRing::new([(format!("k{byte}"), [byte; 32])], accepts_plain).unwrap();
        Protection { encryption: Some(Arc::new(keys)), compress_from: Some(100) }
    }

    #[test]
    fn an_untagged_value_is_plain_json() {
        let stored = write(Header::default(), "{\"a\":[]}");
        assert_eq!(&stored[..], b"{\"a\":[]}");
        assert!(read(stored).unwrap().header.is_none());
    }

    #[test]
    fn a_header_is_read_with_its_value() {
        let tags = vec![("a\n".to_owned(), "1".to_owned()), ("\u{1}".to_owned(), "2".to_owned())];
        let header = Header { tags: tags.clone(), stale_ms: 5, grace_ms: 7, ..Header::default() };
        let entry = read(write(header, "\"x\ny\"")).unwrap();
        let header = entry.header.unwrap();
        assert_eq!((header.tags, header.stale_ms, header.grace_ms, header.outdated.is_some()), (tags, 5, 7, false));
        assert_eq!(&entry.json[..], b"\"x\ny\"");
    }

    #[test]
    fn a_damaged_header_is_an_error() {
        assert_eq!(read(Bytes::from_static(b"\x01nonsense")).unwrap_err().kind, Kind::InvalidData);
        let earlier = read(Bytes::from_static(b"\x01{\"at\":{\"e\":1,\"n\":2},\"tags\":[\"a\"]}\n1")).unwrap();
        assert!(earlier.header.unwrap().outdated.is_some());
    }

    #[test]
    fn a_long_value_is_compressed_if_that_makes_it_smaller() {
        let zipping = Protection { compress_from: Some(100), ..Protection::default() };
        let put = |json: &str| Entry::write(Header::default(), json.into(), b"api:a", &zipping).unwrap();
        let long = format!("[{}0]", "1234567890,".repeat(100));
        assert!(put(&long).len() < long.len() / 5);
        for json in [long.as_str(), "\"short\""] {
            assert_eq!(read(put(json)).unwrap().json, json, "any cache reads it");
        }
        let random = cinnabar_port::random::hex::<200>().unwrap();
        assert_eq!(put(&random), random, "it would not be smaller");
    }

    #[test]
    fn a_header_without_an_end_has_no_value() {
        assert_eq!(read(Bytes::from_static(b"\x01{}")).unwrap().json, "");
    }

    #[test]
    fn a_damaged_length_allocates_nothing() {
        for length in ["1", "999999999", "18446744073709551615"] {
            let stored = format!("\u{1}{{\"zip\":{length}}}\nnonsense");
            assert_eq!(read(stored.into()).unwrap_err().kind, Kind::InvalidData, "{length}");
        }
    }

    #[test]
    fn an_encrypted_value_is_read_only_where_it_was_stored_and_by_its_key() {
        let (one, other, none) = (encrypting(1, false), encrypting(2, true), Protection::default());
        let accepting = encrypting(1, true);
        let header = || Header { tags: vec![("t".into(), "1".into())], ..Header::default() };
        let secret = format!("\"{}\"", "secret ".repeat(50));
        let stored = Entry::write(header(), secret.clone(), b"api:a", &one).unwrap();
        assert!(!stored.windows(6).any(|part| part == b"secret"));
        let open = |stored: &Bytes, key: &[u8], protection| Entry::read(stored.clone(), key, protection).unwrap();
        let entry = open(&stored, b"api:a", &one).unwrap();
        assert_eq!((entry.json, entry.header.unwrap().tags), (Bytes::from(secret), header().tags));
        assert!(open(&stored, b"api:b", &one).is_none(), "moved");
        assert!(open(&stored, b"api:a", &other).is_none(), "another key");
        assert!(open(&stored, b"api:a", &none).is_none(), "no key");
        for damaged in ["\u{1}nonsense", "\u{1}{\"sealed\":trux}\nabc", "\u{1}{\"sealed\":true}"] {
            assert!(open(&damaged.into(), b"api:a", &one).is_none(), "{damaged}");
        }
        let mut changed = stored.to_vec();
        let at = changed.iter().position(|byte| *byte == b't').unwrap();
        changed[at] = b'u';
        assert!(open(&changed.into(), b"api:a", &one).is_none(), "another tag");
        let plain = [write(Header::default(), "1"), write(header(), "1")];
        for plain in &plain {
            assert!(open(plain, b"api:a", &one).is_none());
            assert_eq!(open(plain, b"api:a", &accepting).unwrap().json, "1");
        }
    }
}
