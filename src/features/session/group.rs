//! What sessions are dropped by: a user, or a tag. A group has an epoch, and a session counts while it names the one that is.
//!
//! To drop a group is to give it another epoch: one write, which no session, no writer and no load can miss. An epoch that is
//! gone, evicted perhaps, is as one that changed. Beside it, in its slot, lies the index of who is of the group: an entry
//! there claims nothing, the session itself says what it is of.

use std::time::Duration;

use bytes::Bytes;

use super::{SLACK, Sessions, seal::Of};
use crate::{
    error::Result,
    features::life,
    random,
    store::{
        Merge, Reply, Request,
        keys::{self, Prefix},
        script,
    },
};

script!(ADD = "session/index_add.lua", keys: 2, args: 5);

/// What a group is named after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whose sessions they are.
    User = 0,
    /// What they were tagged with.
    Tag = 1,
}

/// A user or a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which of them.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

/// 64 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(pub [u8; 8]);

/// A group with an epoch that it had or has.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// The group.
    pub group: Group,
    /// Its epoch.
    pub epoch: Epoch,
}

/// What the store knows of a group: `0123456789abcdef 3f…:17 1700000000000`.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its epoch.
    pub epoch: Epoch,
    /// A count of invalidations at which the epoch was there already.
    pub since: Option<Count>,
    /// When it was last dropped, in milliseconds of the store's clock; 0 for never, as far as anybody knows.
    pub dropped: i64,
}

/// How many invalidations of users there were, in the life of one counter.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// Which counter: one that was lost begins anew under another name.
    pub counter: String,
    /// Its count.
    pub count: u64,
}

impl Epoch {
    /// One that no group ever had.
    pub fn fresh() -> Result<Self> {
        random::bytes().map(Self)
    }

    /// As the store has it: 16 hexadecimal digits.
    pub fn text(self) -> Bytes {
        random::to_hex(&self.0).into()
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() != 16 {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }
}

impl Count {
    /// Reads `3f…:17`.
    pub fn read(text: &str) -> Option<Self> {
        let (counter, count) = text.split_once(':')?;
        Some(Self { counter: counter.to_owned(), count: count.parse().ok()? })
    }

    /// Whether it is this one or came before it.
    pub fn is_by(&self, other: &Self) -> bool {
        self.counter == other.counter && self.count <= other.count
    }
}

impl Known {
    /// Reads what the store knows; what cannot be read is not known.
    pub fn read(text: Option<&[u8]>) -> Option<Self> {
        let mut words = std::str::from_utf8(text?).ok()?.split(' ');
        let epoch = Epoch::read(words.next()?)?;
        let since = words.next().and_then(Count::read);
        Some(Self { epoch, since, dropped: words.next().and_then(|word| word.parse().ok()).unwrap_or_default() })
    }
}

impl Group {
    /// A user's.
    pub fn user(name: String) -> Self {
        Self { kind: Kind::User, name }
    }

    /// A tag's.
    pub fn tag(name: String) -> Self {
        Self { kind: Kind::Tag, name }
    }

    /// Where its epoch lies.
    pub fn epoch_key(&self, prefix: &Prefix) -> Result<Bytes> {
        match self.kind {
            Kind::User => keys::user_epoch(prefix, &self.name),
            Kind::Tag => keys::tag_epoch(prefix, &self.name),
        }
    }

    /// Where it is listed who is of it.
    pub fn index_key(&self, prefix: &Prefix, of: Of) -> Result<Bytes> {
        match (self.kind, of) {
            (Kind::User, Of::Session) => keys::user_sessions(prefix, &self.name),
            (Kind::User, Of::Token) => keys::user_tokens(prefix, &self.name),
            (Kind::Tag, Of::Session) => keys::tag_sessions(prefix, &self.name),
            (Kind::Tag, Of::Token) => keys::tag_tokens(prefix, &self.name),
        }
    }
}

impl Sessions {
    /// Lists what is about to be written, and asks for the epochs that it must name; a group without one gets one.
    pub(super) fn enter(&self, groups: &[Group], of: Of, id: &Bytes, life: Duration) -> Result<Vec<Request>> {
        let request = |group: &Group| self.list_in(group, of, id, life, (life + SLACK, Epoch::fresh()?, "new"));
        groups.iter().map(request).collect()
    }

    /// Lists what is about to live on, if its groups still have the epochs that it names. Where half the slack is
    /// left, that is enough: a session in constant use is listed anew twice a minute, not each time.
    pub(super) fn stay(&self, marks: &[Mark], of: Of, id: &Bytes, life: Duration) -> Result<Vec<Request>> {
        let request = |mark: &Mark| self.list_in(&mark.group, of, id, life, (life + SLACK / 2, mark.epoch, "same"));
        marks.iter().map(request).collect()
    }

    fn list_in(
        &self,
        group: &Group,
        of: Of,
        id: &Bytes,
        life: Duration,
        (enough, epoch, how): (Duration, Epoch, &'static str),
    ) -> Result<Request> {
        let (index, key) = (group.index_key(&self.0.prefix, of)?, group.epoch_key(&self.0.prefix)?);
        let (life, enough, how) =
            (life::millis(life + SLACK), life::millis(enough), Bytes::from_static(how.as_bytes()));
        let args = [index, key, id.clone(), life, enough, epoch.text(), how];
        Ok(Request::script(&ADD, args).merging(Merge::Script).repeatable().unseen())
    }
}

/// What is known of groups that were entered.
pub fn entered(replies: impl IntoIterator<Item = Reply>) -> Result<Vec<Option<Known>>> {
    replies.into_iter().map(|reply| Ok(Known::read(reply.bulk()?.as_deref()))).collect()
}
