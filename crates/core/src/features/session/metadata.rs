//! The metadata of a session, stored in its own value: as white space after the JSON, which JSON parsers ignore.
//!
//! It records whether this is a session or a validated token, the ttl for renewals, and the groups: those of the owner and of
//! the tags, each with its epoch at that time. A separate key could be evicted before the session; this cannot.
//!
//! Each character encodes two bits. Contents: two magic bytes, the ttl in milliseconds, the owner's epoch, the other groups,
//! and a last byte with the kind of value, where a script can check it.

use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    contents::Contents,
    group::{Epoch, Group, GroupEpoch, Kind},
};
use crate::features::json::{self, Object};

const BLANKS: [u8; 4] = *b" \t\n\r";
const MAGIC: [u8; 2] = [0xd8, 0x93];
const PUBLIC_ID: u8 = 1;
const UNTIL: u8 = 2;
/// The magic bytes in their stored form.
const MAGIC_BLANKS: [[u8; 4]; 2] = [blanks(MAGIC[0]), blanks(MAGIC[1])];

/// Returns the ending of a value of this kind.
pub fn ending(of: Contents) -> Bytes {
    blank(&[of.byte()]).into()
}

/// Returns the endings of all kinds but that of sessions under their id, each with a `|` behind it.
pub fn endings() -> Bytes {
    let kinds = Contents::ALL.into_iter().filter(|of| *of != Contents::Session);
    kinds.flat_map(|of| [ending(of), Bytes::from_static(b"|")]).flatten().collect::<Vec<_>>().into()
}

/// Returns the kind of a value by its last characters; `None` if another program wrote it.
pub fn kind_by(last: &[u8]) -> Option<Contents> {
    Contents::ALL.into_iter().find(|of| last.ends_with(&blanks(of.byte())))
}

/// The metadata of a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// The kind of value.
    pub of: Contents,
    /// The ttl for renewals.
    pub ttl: Duration,
    /// The epoch of the user in its JSON.
    pub owner: Option<Epoch>,
    /// Its other groups.
    pub group_epochs: Vec<GroupEpoch>,
    /// What only some values have.
    pub extra: Option<Box<Extra>>,
}

/// What only some values have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extra {
    /// The public id of a session with a token, which stays the same when the token is rotated.
    pub public_id: Option<[u8; 16]>,
    /// When the session ends even if it is in use, in milliseconds by the store's clock. `put.lua` replaces 0.
    pub until: Option<u64>,
}

/// A stored value, parsed.
#[derive(Debug, Clone)]
pub struct Record {
    /// The JSON.
    pub json: Bytes,
    /// The white space after it; empty if another program wrote the value.
    pub tail: Bytes,
    /// The metadata in it; `None` if another program wrote the value.
    pub metadata: Option<Metadata>,
    /// All groups that the metadata records, with their required epochs.
    pub group_epochs: Vec<GroupEpoch>,
    /// The user in the JSON of a value without metadata.
    pub named: Option<Box<Group>>,
}

impl Metadata {
    /// Encodes it as white space.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        number(&mut bytes, self.ttl.as_millis() as u64);
        bytes.push(u8::from(self.owner.is_some()));
        if let Some(Epoch(epoch)) = self.owner {
            bytes.extend(epoch);
        }
        number(&mut bytes, self.group_epochs.len() as u64);
        for GroupEpoch { group, epoch } in &self.group_epochs {
            bytes.push(group.kind as u8);
            number(&mut bytes, group.name.len() as u64);
            bytes.extend(group.name.as_bytes());
            bytes.extend(epoch.0);
        }
        let Extra { public_id, until } = self.extra.as_deref().cloned().unwrap_or_default();
        if let Some(id) = public_id {
            bytes.push(PUBLIC_ID);
            bytes.extend(id);
        }
        // Last, where a script can replace it.
        if let Some(until) = until {
            bytes.push(UNTIL);
            bytes.extend(until.to_be_bytes());
        }
        bytes.push(self.of.byte());
        blank(&bytes)
    }

    /// Appends it to JSON that is not encrypted.
    pub fn append_to(&self, json: &[u8]) -> Bytes {
        [json, &self.encode()].concat().into()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes.strip_prefix(&MAGIC)?);
        let ttl = Duration::from_millis(rest.number()?);
        let owner = if rest.byte()? == 1 { Some(rest.epoch()?) } else { None };
        let mut group_epochs = Vec::new();
        for _ in 0..rest.number()? {
            let kind = if rest.byte()? == Kind::User as u8 { Kind::User } else { Kind::Tag };
            let length = usize::try_from(rest.number()?).ok()?;
            let name = std::str::from_utf8(rest.take(length)?).ok()?.to_owned();
            group_epochs.push(GroupEpoch { group: Group { kind, name }, epoch: rest.epoch()? });
        }
        let mut extra = Extra::default();
        while rest.0.len() > 1 {
            match rest.byte()? {
                PUBLIC_ID => extra.public_id = Some(rest.take(16)?.try_into().ok()?),
                UNTIL => extra.until = Some(u64::from_be_bytes(rest.take(8)?.try_into().ok()?)),
                _ => return None,
            }
        }
        let last = rest.byte()?;
        let of = Contents::ALL.into_iter().find(|of| of.byte() == last)?;
        let extra = (extra != Extra::default()).then(|| Box::new(extra));
        Some(Self { of, ttl, owner, group_epochs, extra })
    }
}

impl Record {
    /// Parses a value whose JSON is `json_of` its text, its white space and its kind. `None` if its metadata is damaged, since it cannot be
    /// trusted then, or if it has no JSON.
    pub fn read_as(value: &Bytes, json_of: impl FnOnce(Bytes, &[u8], Contents) -> Option<Bytes>) -> Option<Self> {
        let end = value.iter().rposition(|byte| bits(*byte) == NONE).map_or(0, |last| last + 1);
        let tail = &value[end..];
        if !tail.starts_with(MAGIC_BLANKS.as_flattened()) {
            let json = json_of(value.clone(), &[], Contents::Session)?;
            let named = named(&json).map(Group::user).map(Box::new);
            return Some(Self { json, tail: Bytes::new(), metadata: None, group_epochs: Vec::new(), named });
        }
        let metadata = Metadata::read(&unblank(tail)?)?;
        let json = json_of(value.slice(..end), tail, metadata.of)?;
        let mut group_epochs = Vec::with_capacity(1 + metadata.group_epochs.len());
        if let Some(epoch) = metadata.owner {
            group_epochs.push(GroupEpoch { group: Group::user(owner(&json)?), epoch });
        }
        group_epochs.extend(metadata.group_epochs.iter().cloned());
        Some(Self { json, tail: value.slice(end..), metadata: Some(metadata), group_epochs, named: None })
    }

    /// Returns when it ends even if it is in use, in milliseconds by the store's clock.
    pub fn until(&self) -> Option<u64> {
        self.metadata.as_ref()?.extra.as_ref()?.until
    }

    /// Returns the kind of value.
    pub fn of(&self) -> Contents {
        self.metadata.as_ref().map_or(Contents::Session, |metadata| metadata.of)
    }

    /// Whether another program wrote it and it is JSON but not an object, so that it is no session. Text that is not JSON is damaged.
    pub fn is_other_json(&self) -> bool {
        self.metadata.is_none() && !self.json.trim_ascii_start().starts_with(b"{") && json::is_json(&self.json)
    }

    /// Returns the group of its owner.
    pub fn owner(&self) -> Option<&Group> {
        self.named
            .as_deref()
            .or_else(|| self.group_epochs.iter().map(|recorded| &recorded.group).find(|group| group.kind == Kind::User))
    }

    /// Returns all groups that it records.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.named.as_deref().into_iter().chain(self.group_epochs.iter().map(|recorded| &recorded.group))
    }
}

/// Returns the white space of a value without the time at which the session ends, which the store fills in.
pub fn without_end(tail: &[u8]) -> Vec<u8> {
    let mut fixed = tail.to_vec();
    let metadata = unblank(tail).and_then(|bytes| Metadata::read(&bytes));
    let has_end = metadata.and_then(|metadata| metadata.extra?.until).is_some();
    if let Some(from) = tail.len().checked_sub(36).filter(|_| has_end) {
        fixed[from..from + 32].fill(BLANKS[0]);
    }
    fixed
}

/// Returns the user id in a session's JSON. `createSession` writes it as the first field, which needs no full parse.
fn owner(json: &[u8]) -> Option<String> {
    if let Some(rest) = json.strip_prefix(br#"{"userId":""#) {
        let end = memchr::memchr2(b'"', b'\\', rest)?;
        if rest[end] == b'"' && end > 0 {
            return std::str::from_utf8(&rest[..end]).ok().map(str::to_owned);
        }
    }
    Object::parse(json)?.name("userId")
}

/// The same for a value of another program. A value that cannot contain the field is not parsed, since it may be large.
fn named(value: &[u8]) -> Option<String> {
    let may = |text: &[u8]| memchr::memmem::find(value, text).is_some();
    if may(b"userId\"") || may(b"\\u") { Object::parse(value)?.name("userId") } else { None }
}

fn number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn blank(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() * 4);
    bytes.iter().for_each(|byte| text.extend_from_slice(&blanks(*byte)));
    text
}

const fn blanks(byte: u8) -> [u8; 4] {
    [
        BLANKS[(byte >> 6 & 3) as usize],
        BLANKS[(byte >> 4 & 3) as usize],
        BLANKS[(byte >> 2 & 3) as usize],
        BLANKS[(byte & 3) as usize],
    ]
}

/// Decodes blanks. There must be nothing else among them.
fn unblank(text: &[u8]) -> Option<SmallVec<[u8; 64]>> {
    let (fours, []) = text.as_chunks::<4>() else { return None };
    let byte = |[a, b, c, d]: &[u8; 4]| bits(*a) << 6 | bits(*b) << 4 | bits(*c) << 2 | bits(*d);
    Some(fours.iter().map(byte).collect())
}

/// Returns the bits that a blank encodes, or `NONE`.
fn bits(blank: u8) -> u8 {
    BITS[usize::from(blank)]
}

const NONE: u8 = 4;
/// A table, because it is used for every character of metadata.
static BITS: [u8; 256] = {
    let mut table = [NONE; 256];
    let mut bits = 0;
    while bits < 4 {
        table[BLANKS[bits] as usize] = bits as u8;
        bits += 1;
    }
    table
};

/// The bytes left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn epoch(&mut self) -> Option<Epoch> {
        self.take(8)?.try_into().ok().map(Epoch)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &Bytes) -> Option<Record> {
        Record::read_as(value, |text, _, _| Some(text))
    }

    fn metadata() -> Metadata {
        let recorded = |group| GroupEpoch { group, epoch: Epoch([7; 8]) };
        Metadata {
            of: Contents::Session,
            ttl: Duration::from_millis(86_400_001),
            owner: Some(Epoch([0, 1, 2, 3, 252, 253, 254, 255])),
            group_epochs: vec![recorded(Group::tag("org 7".into())), recorded(Group::user("ü".into()))],
            extra: Some(Box::new(Extra { public_id: Some([9; 16]), until: Some(1_800_000_000_000) })),
        }
    }

    #[test]
    fn encoding_can_be_undone() {
        let json = br#"{"userId":"u","a":" \t "}"#;
        let value = metadata().append_to(json);
        let record = read(&value).unwrap();
        assert_eq!((&record.json[..], record.metadata), (&json[..], Some(metadata())));
        assert_eq!(record.group_epochs.len(), 3);
        assert_eq!(
            record.group_epochs[0],
            GroupEpoch { group: Group::user("u".into()), epoch: metadata().owner.unwrap() }
        );
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&value).unwrap()["userId"], "u");
    }

    #[test]
    fn the_last_characters_show_the_kind_of_value() {
        for of in [Contents::Session, Contents::Token] {
            assert!(Metadata { of, ..metadata() }.append_to(b"{}").ends_with(&ending(of)));
        }
        assert_ne!(ending(Contents::Session), ending(Contents::Token));
    }

    #[test]
    fn values_of_other_programs_have_no_metadata() {
        for text in ["", "{}", "{} \n", "{}\r\n\t ", "no json", "{}\r\t\n\n\t \r"] {
            let record = read(&Bytes::from_static(text.as_bytes())).unwrap();
            assert_eq!((&record.json[..], record.metadata), (text.as_bytes(), None));
        }
    }

    #[test]
    fn values_of_other_programs_may_name_a_user() {
        for (text, wanted) in [
            (r#"{"a":1,"userId":"u"}"#, Some("u")),
            (r#"{"\u0075serId":"u"}"#, Some("u")),
            (r#"{"userIds":"u"}"#, None),
            (r#"{"a":"userId"}"#, None),
            (r#"["userId"]"#, None),
        ] {
            let record = read(&Bytes::from_static(text.as_bytes())).unwrap();
            assert_eq!(record.named, wanted.map(|name| Box::new(Group::user(name.into()))), "{text}");
        }
    }

    #[test]
    fn damaged_metadata_is_rejected() {
        let value = metadata().append_to(br#"{"userId":"u"}"#);
        for length in value.len() - metadata().encode().len() + 8..value.len() {
            assert!(read(&value.slice(..length)).is_none(), "{length}");
        }
        assert!(read(&metadata().append_to(b"{}")).is_none(), "an owner's epoch without an owner");
        assert!(read(&Bytes::from([&value[..], b"    "].concat())).is_none());
    }

    #[test]
    fn the_owner_is_read_from_the_json() {
        for (json, wanted) in [
            (r#"{"userId":"a"}"#, Some("a")),
            (r#"{"userId":"a\"b"}"#, Some("a\"b")),
            (r#"{"a":1,"userId":7}"#, Some("7")),
            (r#"{"userId":""}"#, None),
            (r#"{"userId":null}"#, None),
            (r#"{"userId":"#, None),
        ] {
            assert_eq!(owner(json.as_bytes()).as_deref(), wanted, "{json}");
        }
    }
}
