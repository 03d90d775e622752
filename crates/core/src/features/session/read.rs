//! Reads a session together with the epochs of its groups.
//!
//! The session records which epochs it needs, so the first read takes two rounds. If a recorded epoch differs from the group's,
//! the session is invalid. Before that is concluded, both are read again in one round, since a writer may have come between the
//! reads.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Merge, Replies, Reply, Request, Step,
    error::{Error, Kind as Fault, Result},
    script,
};
use smallvec::SmallVec;

use super::{
    SessionKey, Sessions,
    contents::Contents,
    group::{Group, GroupState, Kind},
    metadata::Record,
};
use crate::features::json::Object;

script!(GET_WITH_TTL = "session/get_with_ttl.lua", keys: 1, args: 0);

/// Keys of epochs.
pub type EpochKeys = SmallVec<[Bytes; 1]>;

/// How many rounds are tried. A value that does not change needs at most three.
const ROUNDS: usize = 1000;

/// The result of reading an id.
#[derive(Debug)]
pub enum ReadResult {
    /// Nothing.
    Missing,
    /// A value of another kind: a validated token instead of a session, or the reverse; or a string, number or array that another
    /// program wrote.
    OtherKind,
    /// An invalid value.
    Invalid(Bytes),
    /// A valid value.
    Valid(ValidSession),
}

/// A valid session or validated token.
#[derive(Debug)]
pub struct ValidSession {
    /// The stored value.
    pub value: Bytes,
    /// The same, parsed.
    pub record: Record,
    /// The remaining ttl in milliseconds, if requested.
    pub left: i64,
}

struct Reading {
    sessions: Sessions,
    key: SessionKey,
    of: Contents,
    with_left: bool,
    asked: EpochKeys,
    last: Option<Bytes>,
    rounds: usize,
}

enum Evaluated {
    ReadResult(ReadResult),
    Again(Reading),
}

impl ReadResult {
    /// The value, if it is valid.
    pub fn live(self) -> Option<ValidSession> {
        match self {
            Self::Valid(live) => Some(live),
            _ => None,
        }
    }
}

impl Sessions {
    /// Reads a value. `with_left` also reads its remaining ttl.
    pub(super) fn read(&self, key: SessionKey, of: Contents, with_left: bool) -> Call<ReadResult> {
        let asked = self.0.hints.get(&key.id).unwrap_or_default();
        self.read_by(key, of, with_left, asked)
    }

    /// The same for a value that probably needs these epochs.
    pub(super) fn read_by(&self, key: SessionKey, of: Contents, with_left: bool, asked: EpochKeys) -> Call<ReadResult> {
        self.reading(key, of, with_left, asked).ask(|found| found.map(Step::Done))
    }

    /// Reads a value for `then`, in one closure: reading sessions is what is done most.
    pub(super) fn read_then<T: Send + 'static>(
        &self,
        key: SessionKey,
        of: Contents,
        then: impl FnOnce(Result<ReadResult>) -> Result<Step<T>> + Send + 'static,
    ) -> Call<T> {
        let asked = self.0.hints.get(&key.id).unwrap_or_default();
        self.reading(key, of, false, asked).ask(then)
    }

    fn reading(&self, key: SessionKey, of: Contents, with_left: bool, asked: EpochKeys) -> Reading {
        Reading { sessions: self.clone(), key, of, with_left, asked, last: None, rounds: 0 }
    }

    /// Whether these are exactly the epochs that this value needs. Finding out builds no keys.
    fn needs(&self, record: &Record, asked: &EpochKeys) -> bool {
        let mut asked = asked.iter();
        record.groups().all(|group| asked.next().is_some_and(|key| group.is_epoch_key(&self.0.prefix, key)))
            && asked.next().is_none()
    }

    /// The epochs that this value needs.
    fn needed(&self, record: &Record) -> Result<EpochKeys> {
        let keys = record.groups().map(|group| group.epoch_key(&self.0.prefix));
        match record.metadata {
            Some(_) => keys.collect(),
            // Another program may have written any user id.
            None => Ok(keys.flatten().collect()),
        }
    }
}

impl Reading {
    fn ask<T: Send + 'static>(
        mut self,
        then: impl FnOnce(Result<ReadResult>) -> Result<Step<T>> + Send + 'static,
    ) -> Call<T> {
        // It is seldom needed again, and moving it costs less than sharing it.
        let session = std::mem::take(&mut self.key.session);
        let first = if self.with_left {
            Request::script(&GET_WITH_TTL, [session]).merging(Merge::Script).reads()
        } else {
            Request::get(session)
        };
        let mut requests = Vec::with_capacity(1 + self.asked.len());
        requests.push(first);
        requests.extend(self.asked.iter().cloned().map(Request::get));
        let read = move |replies: Replies| match replies.all().and_then(|replies| self.evaluate(replies.into_iter())) {
            Ok(Evaluated::ReadResult(found)) => then(Ok(found)),
            Ok(Evaluated::Again(reading)) => Ok(Step::Next(reading.ask(then))),
            Err(error) => then(Err(error)),
        };
        Call { requests, read: Box::new(read) }
    }

    fn evaluate(mut self, mut replies: impl Iterator<Item = Reply>) -> Result<Evaluated> {
        let first = replies.next().unwrap_or(Reply::Nil);
        let (value, left) = match first {
            Reply::Nil => return Ok(Evaluated::ReadResult(ReadResult::Missing)),
            reply if self.with_left => {
                let [value, left] = reply.tuple()?;
                (value.bulk()?, left.int()?)
            }
            reply => (reply.bulk()?, 0),
        };
        let Some(value) = value else { return Ok(Evaluated::ReadResult(ReadResult::Missing)) };
        let Some(record) = Record::read(&value) else { return Ok(Evaluated::ReadResult(ReadResult::Invalid(value))) };
        if record.of() != self.of || record.is_other_json() {
            return Ok(Evaluated::ReadResult(ReadResult::OtherKind));
        }
        let is_asked = self.sessions.needs(&record, &self.asked);
        let needed = if is_asked { self.asked.clone() } else { self.sessions.needed(&record)? };
        let known: SmallVec<[_; 1]> = replies.map(Reply::bulk).collect::<Result<_>>()?;
        let of = |key: &Bytes| {
            let at = self.asked.iter().position(|asked| asked == key)?;
            known.get(at).map(Option::as_deref)
        };
        if let Some(known) = needed.iter().map(of).collect::<Option<SmallVec<[_; 1]>>>() {
            if epochs_match(&record, &known) {
                if self.last.is_some() || !is_asked {
                    self.sessions.hint(&self.key.id, &needed);
                }
                return Ok(Evaluated::ReadResult(ReadResult::Valid(ValidSession { value, record, left })));
            }
            if self.last.as_ref() == Some(&value) {
                return Ok(Evaluated::ReadResult(ReadResult::Invalid(value)));
            }
        }
        self.rounds += 1;
        if self.rounds > ROUNDS {
            return Err(Error::new(Fault::Conflict, "the session kept changing while it was read"));
        }
        (self.asked, self.last) = (needed, Some(value));
        self.key = self.sessions.key(&String::from_utf8_lossy(&self.key.id))?;
        Ok(Evaluated::Again(self))
    }
}

/// Whether all groups of a value have the epochs that it records.
fn epochs_match(record: &Record, known: &[Option<&[u8]>]) -> bool {
    if record.metadata.is_none() {
        let mut known = known.iter().filter_map(|known| GroupState::read(*known));
        return known.all(|known| began_after(&record.json, known.dropped));
    }
    let pairs = record.group_epochs.iter().zip(known);
    pairs.len() == record.group_epochs.len()
        && pairs.into_iter().all(|(mark, known)| known.is_some_and(|known| mark.epoch.is_in(known)))
}

/// Whether a session written by another program was created after the last drop of its user, according to its own timestamp.
fn began_after(json: &[u8], dropped: i64) -> bool {
    let began = || Object::parse(json)?.name("createdAt")?.parse::<jiff::Timestamp>().ok();
    dropped == 0 || began().is_some_and(|began| began.as_millisecond() > dropped)
}

impl ValidSession {
    /// Whether its remaining ttl, if that was read, exceeds `ttl`. A session without a ttl never expires.
    pub fn outlasts(&self, ttl: Duration) -> bool {
        self.left < 0 || self.left > ttl.as_millis() as i64
    }

    /// Whether it belongs to this group.
    pub fn is_of(&self, group: &Group) -> bool {
        match group.kind {
            Kind::User if self.record.of() == Contents::Session => self.record.owner() == Some(group),
            _ => self.record.groups().any(|other| other == group),
        }
    }
}
