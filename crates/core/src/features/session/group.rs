//! Groups by which sessions are dropped: users and tags. A group has an epoch, and a session is valid while it records the
//! current one.
//!
//! Dropping a group gives it a new epoch: a single write, which applies to every session, writer and load. A missing epoch,
//! such as an evicted one, counts as changed. The index of the group is in the same slot. Its entries are only candidates: the
//! session itself records its groups.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{Merge, Reply, Request, error::Result, random, script};

use super::{SLACK, Sessions, contents::Contents};
use crate::{
    features::ttl,
    keys::{self, Prefix},
};

script!(INDEX_ADD = "session/index_add.lua", keys: 2, args: 3, with: ["clock.lua", "session/index_entries.lua"]);
script!(INDEX_RENEW = "session/index_renew.lua", keys: 2, args: 4, with: ["clock.lua", "session/index_entries.lua"]);

/// The kind of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The sessions of a user.
    User = 0,
    /// The sessions with a tag.
    Tag = 1,
}

/// A user or a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

/// 64 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(pub [u8; 8]);

/// A group with a past or current epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupEpoch {
    /// The group.
    pub group: Group,
    /// Its epoch.
    pub epoch: Epoch,
}

/// The stored state of a group: epoch, count and time of the last drop, such as `0123456789abcdef 3f…:17 1700000000000`.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupState {
    /// Its epoch.
    pub epoch: Epoch,
    /// A count of invalidations at which the epoch already existed.
    pub since: Option<Count>,
    /// When it was last dropped, in milliseconds by the store's clock; 0 if never or unknown.
    pub dropped: i64,
}

/// The number of invalidations of users, within the lifetime of one counter.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// The name of the counter. A counter that was lost starts again under another name.
    pub counter: String,
    /// Its count.
    pub count: u64,
}

impl Epoch {
    /// Creates a random epoch.
    pub fn random() -> Result<Self> {
        random::bytes().map(Self)
    }

    /// Returns its stored form: 16 hexadecimal digits.
    pub fn text(self) -> Bytes {
        random::to_hex(&self.0).into()
    }

    /// Whether it is the epoch of this stored state of a group.
    pub fn is_in(self, state: &[u8]) -> bool {
        let Some((epoch, rest)) = state.split_first_chunk::<16>() else { return false };
        let (digits, _) = epoch.as_chunks::<2>();
        digits.iter().zip(self.0).all(|(digits, byte)| *digits == random::hex_digits(byte))
            && rest.first().is_none_or(|next| *next == b' ')
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() != 16 {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }
}

impl Count {
    /// Parses `3f…:17`.
    pub fn read(text: &str) -> Option<Self> {
        let (counter, count) = text.split_once(':')?;
        Some(Self { counter: counter.to_owned(), count: count.parse().ok()? })
    }

    /// Whether it is equal to or earlier than `other` of the same counter.
    pub fn is_by(&self, other: &Self) -> bool {
        self.counter == other.counter && self.count <= other.count
    }
}

impl GroupState {
    /// Parses the stored state. `None` if it is damaged.
    pub fn read(text: Option<&[u8]>) -> Option<Self> {
        let mut words = std::str::from_utf8(text?).ok()?.split(' ');
        let epoch = Epoch::read(words.next()?)?;
        let since = words.next().and_then(Count::read);
        Some(Self { epoch, since, dropped: words.next().and_then(|word| word.parse().ok()).unwrap_or_default() })
    }
}

impl Group {
    /// Creates the group of a user.
    pub fn user(name: String) -> Self {
        Self { kind: Kind::User, name }
    }

    /// Creates the group of a tag.
    pub fn tag(name: String) -> Self {
        Self { kind: Kind::Tag, name }
    }

    /// Returns the key of its epoch.
    pub fn epoch_key(&self, prefix: &Prefix) -> Result<Bytes> {
        match self.kind {
            Kind::User => keys::user_epoch(prefix, &self.name),
            Kind::Tag => keys::tag_epoch(prefix, &self.name),
        }
    }

    /// Whether this is the key of its epoch.
    pub fn is_epoch_key(&self, prefix: &Prefix, key: &[u8]) -> bool {
        match self.kind {
            Kind::User => keys::is_user_epoch(prefix, &self.name, key),
            Kind::Tag => keys::is_tag_epoch(prefix, &self.name, key),
        }
    }

    /// Returns the key of its sessions that have to end.
    pub fn departures_key(&self, prefix: &Prefix) -> Result<Bytes> {
        match self.kind {
            Kind::User => keys::user_departures(prefix, &self.name),
            Kind::Tag => keys::tag_departures(prefix, &self.name),
        }
    }

    /// Returns the key of its index.
    pub fn index_key(&self, prefix: &Prefix, of: Contents) -> Result<Bytes> {
        match (self.kind, of) {
            (Kind::User, Contents::Session | Contents::Hashed | Contents::Rotated) => {
                keys::user_sessions(prefix, &self.name)
            }
            (Kind::User, Contents::Token) => keys::user_tokens(prefix, &self.name),
            (Kind::Tag, Contents::Session | Contents::Hashed | Contents::Rotated) => {
                keys::tag_sessions(prefix, &self.name)
            }
            (Kind::Tag, Contents::Token) => keys::tag_tokens(prefix, &self.name),
        }
    }
}

impl Sessions {
    /// Adds an id to the indexes of its groups before its value is written, and reads the epochs that the value must record. A group
    /// without an epoch gets one.
    pub(super) fn add_to_indexes(
        &self,
        groups: &[Group],
        of: Contents,
        id: &Bytes,
        ttl: Duration,
    ) -> Result<Vec<Request>> {
        let ttl = ttl::millis(ttl + SLACK);
        let request = |group: &Group| {
            let [index, key] = self.keys_of(group, of)?;
            let args = [index, key, id.clone(), ttl.clone(), Epoch::random()?.text()];
            Ok(Request::script(&INDEX_ADD, args).merging(Merge::Script).idempotent().without_effect())
        };
        groups.iter().map(request).collect()
    }

    /// Extends the index entries of an id whose ttl is about to be renewed, if its groups still have the recorded epochs.
    /// Entries with at least half of their slack left are not touched, so a session in constant use updates them twice a minute
    /// only.
    pub(super) fn renew_indexes(
        &self,
        group_epochs: &[GroupEpoch],
        of: Contents,
        id: &Bytes,
        ttl: Duration,
    ) -> Result<Vec<Request>> {
        let (sufficient, ttl) = (ttl::millis(ttl + SLACK / 2), ttl::millis(ttl + SLACK));
        let request = |recorded: &GroupEpoch| {
            let [index, key] = self.keys_of(&recorded.group, of)?;
            let args = [index, key, id.clone(), ttl.clone(), sufficient.clone(), recorded.epoch.text()];
            Ok(Request::script(&INDEX_RENEW, args).merging(Merge::Script).idempotent().without_effect())
        };
        group_epochs.iter().map(request).collect()
    }

    fn keys_of(&self, group: &Group, of: Contents) -> Result<[Bytes; 2]> {
        Ok([group.index_key(&self.0.prefix, of)?, group.epoch_key(&self.0.prefix)?])
    }
}

/// Reads the replies to `add_to_indexes` or `renew_indexes`.
pub fn group_states(replies: impl IntoIterator<Item = Reply>) -> Result<Vec<Option<GroupState>>> {
    replies.into_iter().map(|reply| Ok(GroupState::read(reply.bulk()?.as_deref()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_matches_only_the_state_that_has_it() {
        let epoch = Epoch([0, 1, 0x9a, 0xff, 0x10, 0, 0, 7]);
        for (state, wanted) in [
            ("00019aff10000007", true),
            ("00019aff10000007 - 0", true),
            ("00019aff10000007 3f:17 1700000000000", true),
            ("00019aff10000008 - 0", false),
            ("10019aff10000007 - 0", false),
            ("00019aff100000070", false),
            ("00019aff1000000", false),
            ("", false),
        ] {
            assert_eq!(epoch.is_in(state.as_bytes()), wanted, "{state}");
            let read = GroupState::read(Some(state.as_bytes()));
            assert_eq!(read.is_some_and(|known| known.epoch == epoch), wanted, "{state}");
        }
    }
}
