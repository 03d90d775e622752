//! Reads a session together with the epochs of its groups.
//!
//! The session records which epochs it needs, so the first read takes two rounds. If a recorded epoch differs from the group's,
//! the session is invalid. Before that is concluded, both are read again in one round, since a writer may have come between the
//! reads.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Merge, Replies, Reply, Request, Step,
    error::{Error, Kind as ErrorKind, Result},
    script,
};
use smallvec::SmallVec;

use super::{
    MAX_ROUNDS, SessionKey, Sessions,
    contents::Contents,
    encryption::Unusable,
    group::{Group, GroupState, Kind},
    metadata::Record,
    token,
};
use crate::features::json::Object;

script!(GET_WITH_TTL = "session/get_with_ttl.lua", keys: 1, args: 0, with: ["clock.lua"]);

/// Keys of epochs.
pub type EpochKeys = SmallVec<[Bytes; 1]>;

/// The result of reading an id.
#[derive(Debug)]
pub enum ReadResult {
    /// No value.
    Missing,
    /// A value of another kind: a validated token instead of a session, or the reverse; a string, number or array that another
    /// program wrote; or a value that does not decrypt.
    OtherKind,
    /// What is left under a token that was rotated.
    Rotated,
    /// An invalid value.
    Invalid(Bytes),
    /// A valid value.
    Valid(ValidSession),
}

/// A valid session or validated token.
#[derive(Debug)]
pub struct ValidSession {
    /// The token that it has now, if the one that was given has been rotated.
    pub successor: Option<Box<SessionKey>>,
    /// The stored value.
    pub value: Bytes,
    /// The same, parsed.
    pub record: Record,
    /// The remaining ttl in milliseconds, if requested.
    pub ttl_ms: i64,
    /// The time by the store's clock in milliseconds, if requested.
    pub now_ms: i64,
}

struct Reader {
    sessions: Sessions,
    key: SessionKey,
    /// Whether a session of either kind is wanted.
    listed: bool,
    /// Whether an old token that has ended is followed too.
    for_destroy: bool,
    /// Whether the key is that of a token that followed another.
    followed: bool,
    with_ttl: bool,
    epoch_keys: EpochKeys,
    last: Option<Bytes>,
    rounds: usize,
}

enum Outcome {
    Done(ReadResult),
    Again(Reader),
}

impl ReadResult {
    /// Returns the value, if it is valid.
    pub fn valid(self) -> Option<ValidSession> {
        match self {
            Self::Valid(valid) => Some(valid),
            _ => None,
        }
    }
}

impl Sessions {
    /// Reads a value. `with_left` also reads its remaining ttl.
    pub(super) fn read(&self, key: SessionKey, with_ttl: bool) -> Call<ReadResult> {
        let epoch_keys = self.0.hints.get(&key.id).unwrap_or_default();
        self.reader(key, with_ttl, epoch_keys).send(|found| found.map(Step::Done))
    }

    /// The same for a session of either kind that an index lists, which probably needs these epochs.
    pub(super) fn read_listed(&self, key: SessionKey, with_ttl: bool, epoch_keys: EpochKeys) -> Call<ReadResult> {
        let reader = Reader { listed: true, ..self.reader(key, with_ttl, epoch_keys) };
        reader.send(|found| found.map(Step::Done))
    }

    /// Finds the session to destroy, under whatever token it has now.
    pub(super) fn read_for_destroy(&self, key: SessionKey) -> Call<ReadResult> {
        let reader = Reader { for_destroy: true, ..self.reader(key, false, EpochKeys::new()) };
        reader.send(|found| found.map(Step::Done))
    }

    /// Reads a value for `then`, with a single closure, because this is the most frequent operation.
    pub(super) fn read_then<T: Send + 'static>(
        &self,
        key: SessionKey,
        then: impl FnOnce(Result<ReadResult>) -> Result<Step<T>> + Send + 'static,
    ) -> Call<T> {
        let epoch_keys = self.0.hints.get(&key.id).unwrap_or_default();
        self.reader(key, false, epoch_keys).send(then)
    }

    fn reader(&self, key: SessionKey, with_ttl: bool, epoch_keys: EpochKeys) -> Reader {
        Reader {
            sessions: self.clone(),
            key,
            listed: false,
            for_destroy: false,
            followed: false,
            with_ttl,
            epoch_keys,
            last: None,
            rounds: 0,
        }
    }

    /// Whether these are exactly the keys of the epochs that this value needs. Builds no keys.
    fn needs(&self, record: &Record, epoch_keys: &EpochKeys) -> bool {
        let mut epoch_keys = epoch_keys.iter();
        record.groups().all(|group| epoch_keys.next().is_some_and(|key| group.is_epoch_key(&self.0.prefix, key)))
            && epoch_keys.next().is_none()
    }

    /// Returns the keys of the epochs that this value needs.
    pub(super) fn needed(&self, record: &Record) -> Result<EpochKeys> {
        let keys = record.groups().map(|group| group.epoch_key(&self.0.prefix));
        match record.metadata {
            Some(_) => keys.collect(),
            // Another program may have written any user id.
            None => Ok(keys.flatten().collect()),
        }
    }
}

impl Reader {
    fn send<T: Send + 'static>(
        mut self,
        then: impl FnOnce(Result<ReadResult>) -> Result<Step<T>> + Send + 'static,
    ) -> Call<T> {
        // Moved, because it is rarely needed again and moving is cheaper than counting references.
        let session = std::mem::take(&mut self.key.redis_key);
        let first = if self.with_ttl {
            Request::script(&GET_WITH_TTL, [session]).merging(Merge::Script).reads()
        } else {
            Request::get(session)
        };
        let mut requests = Vec::with_capacity(1 + self.epoch_keys.len());
        requests.push(first);
        requests.extend(self.epoch_keys.iter().cloned().map(Request::get));
        let read = move |replies: Replies| match replies.all().and_then(|replies| self.evaluate(replies.into_iter())) {
            Ok(Outcome::Done(found)) => then(Ok(found)),
            Ok(Outcome::Again(reader)) => Ok(Step::Next(reader.send(then))),
            Err(error) => then(Err(error)),
        };
        Call { requests, read: Box::new(read) }
    }

    fn evaluate(mut self, mut replies: impl Iterator<Item = Reply>) -> Result<Outcome> {
        let first = replies.next().unwrap_or(Reply::Nil);
        let (value, ttl_ms, now_ms) = match first {
            Reply::Nil => return Ok(Outcome::Done(ReadResult::Missing)),
            reply if self.with_ttl => {
                let [value, ttl_ms, now_ms] = reply.tuple()?;
                (value.bulk()?, ttl_ms.int()?, now_ms.int()?)
            }
            reply => (reply.bulk()?, 0, 0),
        };
        let Some(value) = value else { return Ok(Outcome::Done(ReadResult::Missing)) };
        let record = match self.sessions.record(&self.key.id, &value) {
            Ok(record) => record,
            Err(Unusable::Damaged) => return Ok(Outcome::Done(ReadResult::Invalid(value))),
            Err(Unusable::Unreadable) => {
                self.sessions.0.counters.count_unreadable();
                return Ok(Outcome::Done(ReadResult::OtherKind));
            }
        };
        if record.of() == Contents::Rotated {
            return self.follow(&record);
        }
        let is_wanted = record.of() == self.key.of || self.listed && record.of().is_session();
        if !is_wanted || record.is_other_json() {
            return Ok(Outcome::Done(ReadResult::OtherKind));
        }
        let were_requested = self.sessions.needs(&record, &self.epoch_keys);
        let needed = if were_requested { self.epoch_keys.clone() } else { self.sessions.needed(&record)? };
        let known: SmallVec<[_; 1]> = replies.map(Reply::bulk).collect::<Result<_>>()?;
        let of = |key: &Bytes| {
            let at = self.epoch_keys.iter().position(|epoch_keys| epoch_keys == key)?;
            known.get(at).map(Option::as_deref)
        };
        if let Some(known) = needed.iter().map(of).collect::<Option<SmallVec<[_; 1]>>>() {
            if epochs_match(&record, &known) {
                if self.last.is_some() || !were_requested {
                    self.sessions.hint(&self.key.id, &needed);
                }
                let successor = if self.followed { Some(Box::new(self.restored_key()?)) } else { None };
                return Ok(Outcome::Done(ReadResult::Valid(ValidSession { successor, value, record, ttl_ms, now_ms })));
            }
            if self.last.as_ref() == Some(&value) {
                return Ok(Outcome::Done(ReadResult::Invalid(value)));
            }
        }
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err(Error::new(ErrorKind::Conflict, "the session kept changing while it was read"));
        }
        (self.epoch_keys, self.last) = (needed, Some(value));
        self.key = self.restored_key()?;
        Ok(Outcome::Again(self))
    }

    /// Reads the session under the token that followed the one that was given.
    fn follow(mut self, record: &Record) -> Result<Outcome> {
        let rotated = Object::parse(&record.json).filter(|rotated| self.for_destroy || !rotated.has(token::ENDED));
        let salt = rotated.and_then(|rotated| rotated.name(token::SALT));
        let Some((salt, token)) = salt.zip(self.key.token.as_ref()) else {
            return Ok(Outcome::Done(ReadResult::Rotated));
        };
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err(Error::new(ErrorKind::Conflict, "the session kept changing while it was read"));
        }
        self.key = self.sessions.key(&token::successor(token, &salt))?;
        self.epoch_keys = self.sessions.0.hints.get(&self.key.id).unwrap_or_default();
        (self.last, self.followed) = (None, true);
        Ok(Outcome::Again(self))
    }

    /// Returns the key, whose name has been moved into the request.
    fn restored_key(&self) -> Result<SessionKey> {
        let key = self.sessions.stored_key(&String::from_utf8_lossy(&self.key.id), self.key.of)?;
        Ok(SessionKey { token: self.key.token.clone(), ..key })
    }
}

/// Whether all groups of a value have the epochs that it records.
fn epochs_match(record: &Record, known: &[Option<&[u8]>]) -> bool {
    if record.metadata.is_none() {
        let mut known = known.iter().filter_map(|known| GroupState::read(*known));
        return known.all(|known| created_after(&record.json, known.dropped));
    }
    let pairs = record.group_epochs.iter().zip(known);
    pairs.len() == record.group_epochs.len()
        && pairs.into_iter().all(|(recorded, known)| known.is_some_and(|known| recorded.epoch.is_in(known)))
}

/// Whether a session written by another program was created after the last drop of its user, according to its own timestamp.
fn created_after(json: &[u8], dropped: i64) -> bool {
    let began = || Object::parse(json)?.name("createdAt")?.parse::<jiff::Timestamp>().ok();
    dropped == 0 || began().is_some_and(|began| began.as_millisecond() > dropped)
}

impl ValidSession {
    /// Whether its remaining ttl, if that was read, exceeds `ttl`, or renewing it would not change much. A session without a ttl never
    /// expires.
    pub fn outlasts(&self, ttl: Duration) -> bool {
        // None can be renewed beyond its absolute ttl. The store's two clocks may differ by a few milliseconds.
        let most = self.record.until().map_or(i64::MAX, |until| until as i64 - self.now_ms - 5);
        self.ttl_ms < 0 || self.ttl_ms > most.min(ttl.as_millis() as i64)
    }

    /// Whether it belongs to this group.
    pub fn is_of(&self, group: &Group) -> bool {
        match group.kind {
            Kind::User if self.record.of().is_session() => self.record.owner() == Some(group),
            _ => self.record.groups().any(|other| other == group),
        }
    }
}
