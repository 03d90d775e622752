//! The stored form of a cached value.
//!
//! A value without tags that never goes stale is plain JSON, so that any client can read it. Any other has a header line in
//! front: a control character that no JSON begins with, then the header as JSON, then a line feed, then the value.

use std::sync::Arc;

use bytes::Bytes;
use cinnabar_port::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize, de::IgnoredAny};

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
    /// Written by earlier versions, which had no epochs. Such entries count as invalidated if they have tags.
    #[serde(rename = "at", default, skip_serializing)]
    pub outdated: Option<IgnoredAny>,
}

impl Header {
    /// Whether the value needs none, and is plain JSON.
    fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.all.is_none() && [self.stale_ms, self.grace_ms, self.life_ms] == [0; 3]
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
    /// Parses a stored value. The JSON is not copied.
    ///
    /// # Errors
    /// `E_INVALID_DATA` for a header that this version cannot read.
    pub fn read(stored: Bytes) -> Result<Self> {
        if stored.first() != Some(&HEADER_MAGIC) {
            return Ok(Self { header: None, json: stored });
        }
        let unreadable = || Error::new(Kind::InvalidData, "a cached value has a header that this version cannot read");
        let end = stored.iter().position(|&byte| byte == b'\n').ok_or_else(unreadable)?;
        let header = serde_json::from_slice(&stored[1..end]).map_err(|_| unreadable())?;
        Ok(Self { header: Some(header), json: stored.slice(end + 1..) })
    }

    /// Encodes an entry.
    pub fn write(header: Header, json: String) -> Result<Bytes> {
        if header.is_empty() {
            return Ok(json.into());
        }
        let unwritable = |error| Error::new(Kind::Internal, "a cache header cannot be written").with_source(error);
        let mut stored = vec![HEADER_MAGIC];
        serde_json::to_writer(&mut stored, &header).map_err(unwritable)?;
        stored.push(b'\n');
        stored.extend_from_slice(json.as_bytes());
        Ok(stored.into())
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untagged_value_is_plain_json() {
        let stored = Entry::write(Header::default(), "{\"a\":[]}".into()).unwrap();
        assert_eq!(&stored[..], b"{\"a\":[]}");
        assert!(Entry::read(stored).unwrap().header.is_none());
    }

    #[test]
    fn a_header_is_read_with_its_value() {
        let tags = vec![("a\n".to_owned(), "1".to_owned()), ("\u{1}".to_owned(), "2".to_owned())];
        let header = Header { tags: tags.clone(), stale_ms: 5, grace_ms: 7, ..Header::default() };
        let entry = Entry::read(Entry::write(header, "\"x\ny\"".into()).unwrap()).unwrap();
        let header = entry.header.unwrap();
        assert_eq!((header.tags, header.stale_ms, header.grace_ms, header.outdated.is_some()), (tags, 5, 7, false));
        assert_eq!(&entry.json[..], b"\"x\ny\"");
    }

    #[test]
    fn a_damaged_header_is_an_error() {
        assert_eq!(Entry::read(Bytes::from_static(b"\x01nonsense")).unwrap_err().kind, Kind::InvalidData);
        let earlier = Entry::read(Bytes::from_static(b"\x01{\"at\":{\"e\":1,\"n\":2},\"tags\":[\"a\"]}\n1")).unwrap();
        assert!(earlier.header.unwrap().outdated.is_some());
    }
}
