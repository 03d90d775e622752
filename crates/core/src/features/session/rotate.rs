//! Gives a session another token.
//!
//! The session is written under the new token first, and then the old one ends: of concurrent rotations only one finds the value that
//! it has read, and the others delete what they wrote and return its token. For some seconds the old token leads to the new one, so
//! that other requests of the same page still work. The new token is a hash of the old one and a salt: only the salt is stored, so a
//! reader of the store cannot follow.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Merge, Reply, Request, Step,
    effect::is_one,
    error::{Error, Kind, Result},
    random, script,
};

use super::{
    SLACK, SessionKey, Sessions,
    contents::Contents,
    index,
    metadata::{Metadata, Record},
    put::{Bound, put},
    read::ValidSession,
    set,
    token::{self, successor},
};
use crate::features::{
    json::{self, Object},
    ttl,
};

script!(ROTATE = "session/rotate.lua", keys: 1, args: 3);

/// How long a token that has ended still leads to its session, so that destroying it by the old token works.
const ENDED_TTL: Duration = Duration::from_secs(60);
/// Rounds after which a rotation gives up. In each round, one of the concurrent writers of a session succeeds.
const MAX_ROUNDS: usize = 1000;

struct Rotation {
    sessions: Sessions,
    token: String,
    grace: Duration,
    rounds: usize,
}

/// One attempt of a rotation.
struct Attempt {
    old: SessionKey,
    read: ValidSession,
    /// The new token.
    token: String,
    new: SessionKey,
    salt: String,
    ttl: Duration,
}

impl Sessions {
    /// Gives a session another token and renews its ttl; returns the token, or `None` if the session is missing. The old token leads to
    /// the new one for so many seconds; with 0 it ends immediately. If the old token was rotated already, returns its successor.
    ///
    /// # Errors
    /// `E_UNSUPPORTED` for the id of a session that is not stored under the hash of a token.
    pub fn rotate(&self, token: &str, grace_seconds: f64) -> Result<Call<Option<String>>> {
        let grace =
            if grace_seconds == 0.0 { Duration::ZERO } else { ttl::from_seconds("graceSeconds", grace_seconds)? };
        if self.key(token)?.token.is_none() {
            return Err(Error::new(
                Kind::Unsupported,
                "only a session with a token can be rotated: one that was created by signIn, or with tokens: 'hashed'",
            ));
        }
        Rotation { sessions: self.clone(), token: token.to_owned(), grace, rounds: 0 }.begin()
    }
}

impl Rotation {
    fn begin(mut self) -> Result<Call<Option<String>>> {
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err(Error::new(Kind::Conflict, "the session kept changing; its token was not rotated"));
        }
        let key = self.sessions.key(&self.token)?;
        Ok(self.sessions.clone().read(key.clone(), false).then(move |found| {
            let Some(read) = found.valid() else { return Ok(Step::Done(None)) };
            if let Some(token) = read.successor.and_then(|key| key.token.clone()) {
                return Ok(Step::Done(Some(token.to_string())));
            }
            let salt = random::hex::<16>()?;
            let token = successor(&self.token, &salt);
            let (new, ttl) = (self.sessions.key(&token)?, self.sessions.renewal_ttl(&read.record));
            let read = ValidSession { successor: None, ..read };
            self.write(Attempt { old: key, read, token, new, salt, ttl }).map(Step::Next)
        }))
    }

    /// Writes the session under its new token, with the epochs that it has.
    fn write(self, attempt: Attempt) -> Result<Call<Option<String>>> {
        let Attempt { read, new, ttl, .. } = &attempt;
        let mut requests = self.sessions.renew_indexes(&read.record.group_epochs, new.of, &new.id, *ttl)?;
        let (key, value) = (new.redis_key.clone(), read.value.clone());
        requests.push(match read.record.until() {
            None => set(key, value, *ttl, Some("NX")),
            Some(until) => put(key, value, *ttl, Bound::At(until), Some(Bytes::new())),
        });
        Ok(Call::round(requests, move |replies| {
            // A reply of nil from an index means that a group was dropped, and the copy is as invalid as the session.
            replies.all()?;
            self.end_old(attempt).map(Step::Next)
        }))
    }

    fn end_old(self, attempt: Attempt) -> Result<Call<Option<String>>> {
        let is_ended = self.grace.is_zero();
        let ttl = if is_ended { ENDED_TTL } else { self.grace };
        let (salt, ended) = (json::string(&attempt.salt)?, json::string("")?);
        let mut rest = Object::default();
        rest.set(token::SALT, &salt);
        if is_ended {
            rest.set(token::ENDED, &ended);
        }
        let metadata = Metadata { of: Contents::Rotated, ttl, owner: None, group_epochs: Vec::new(), extra: None };
        let rest = metadata.append_to(&rest.to_bytes()?);
        let args = [attempt.old.redis_key.clone(), attempt.read.value.clone(), rest, ttl::millis(ttl)];
        let end = Request::script(&ROTATE, args).merging(Merge::Script).with_effect(Effect::ChangedIf(is_one));
        Ok(Call::round([end], move |replies| match replies.last()? {
            Reply::Int(1) => {
                self.unlist(attempt.old, &attempt.read.record, attempt.ttl, Some(attempt.token)).map(Step::Next)
            }
            reply => {
                // Another rotation won, the session was changed, or it has ended.
                let is_missing = reply == Reply::Nil;
                let sessions = self.sessions.clone();
                let dropped = sessions.destroy_at(attempt.new)?;
                Ok(Step::Next(
                    dropped.then(move |_| if is_missing { Ok(Step::Done(None)) } else { self.begin().map(Step::Next) }),
                ))
            }
        }))
    }

    /// Removes the old token from the indexes. This may fail: the entries expire.
    fn unlist(
        &self,
        old: SessionKey,
        record: &Record,
        ttl: Duration,
        token: Option<String>,
    ) -> Result<Call<Option<String>>> {
        let left = ttl::millis(ttl + SLACK);
        let indexes = record.groups().map(|group| group.index_key(&self.sessions.0.prefix, old.of));
        let removals: Vec<_> = indexes.flatten().map(|key| index::removal(key, old.id.clone(), left.clone())).collect();
        if removals.is_empty() {
            return Ok(Call::ready(token));
        }
        Ok(Call::round(removals, move |_| Ok(Step::Done(token))))
    }
}
