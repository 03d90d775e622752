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
    MAX_ROUNDS, SLACK, SessionKey, Sessions,
    contents::Contents,
    ending::{Ending, Reason},
    group::{Epoch, Group, GroupEpoch},
    index::public_id_of,
    metadata::Metadata,
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
script!(FOLLOW = "session/index_follow.lua", keys: 3, args: 4, with: ["clock.lua", "session/index_entries.lua"]);
script!(LEAVE = "session/index_leave.lua", keys: 1, args: 2);

/// How long a token that has ended still leads to its session, so that destroying it by the old token works.
const ENDED_TTL: Duration = Duration::from_secs(60);

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
            let new = self.sessions.key(&successor(&self.token, &salt))?;
            let ttl = self.sessions.renewal_ttl(&read.record);
            let read = ValidSession { successor: None, ..read };
            self.write(Attempt { old: key, read, new, salt, ttl }).map(Step::Next)
        }))
    }

    /// Writes the session under its new token, with the epochs that it has. Only then is it listed, since a sign-in of a user with a limited
    /// number of sessions removes what is listed without a session.
    fn write(self, attempt: Attempt) -> Result<Call<Option<String>>> {
        let Attempt { read, new, ttl, .. } = &attempt;
        let key = new.redis_key.clone();
        let value = self.sessions.stored_value(&new.id, &read.record.json, &read.record.tail)?;
        let write = match read.record.until() {
            None => set(key, value, *ttl, Some("NX")),
            Some(until) => put(key, value, *ttl, Bound::At(until), Some(Bytes::new())),
        };
        Ok(Call::round([write], move |replies| match replies.last()? {
            Reply::Nil => self.undo(attempt.new, None).map(Step::Next),
            _ => self.list(attempt).map(Step::Next),
        }))
    }

    fn list(self, attempt: Attempt) -> Result<Call<Option<String>>> {
        let Attempt { old, read, new, ttl, .. } = &attempt;
        let mut requests = Vec::with_capacity(read.record.group_epochs.len());
        for GroupEpoch { group, epoch } in &read.record.group_epochs {
            requests.push(self.follow(group, *epoch, old, new, *ttl)?);
        }
        if requests.is_empty() {
            return self.end_old(attempt);
        }
        Ok(Call::round(requests, move |replies| {
            // One of its groups was dropped, or it has to make room for another session of its user.
            if replies.all()?.contains(&Reply::Nil) {
                return self.undo(attempt.new, None).map(Step::Next);
            }
            self.end_old(attempt).map(Step::Next)
        }))
    }

    fn follow(
        &self,
        group: &Group,
        epoch: Epoch,
        old: &SessionKey,
        new: &SessionKey,
        ttl: Duration,
    ) -> Result<Request> {
        let prefix = &self.sessions.0.prefix;
        let args = [
            group.index_key(prefix, new.of)?,
            group.epoch_key(prefix)?,
            group.departures_key(prefix)?,
            new.id.clone(),
            old.id.clone(),
            ttl::millis(ttl + SLACK),
            epoch.text(),
        ];
        Ok(Request::script(&FOLLOW, args).merging(Merge::Script).idempotent().without_effect())
    }

    /// Deletes what was written under the new token, which no caller knows, then returns `result`.
    fn undo(&self, new: SessionKey, result: Option<String>) -> Result<Call<Option<String>>> {
        Ok(self.sessions.destroy_at(new)?.map(|_| result))
    }

    /// Ends the session, whose new token is not in an index any more, unless that was rotated too; returns the token that it has then.
    fn end_or_follow(self, new: SessionKey) -> Result<Call<Option<String>>> {
        let sessions = self.sessions;
        Ok(sessions.destroy_at(new.clone())?.then(move |count| {
            if count > 0 {
                return Ok(Step::Done(None));
            }
            Ok(Step::Next(sessions.read(new, false).map(|found| {
                let token = found.valid()?.successor?.token?;
                Some(token.to_string())
            })))
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
            Reply::Int(1) => self.leave(attempt),
            Reply::Nil => self.undo(attempt.new, None).map(Step::Next),
            // Another rotation won, or the session was changed.
            _ => Ok(Step::Next(self.undo(attempt.new, None)?.then(move |_| self.begin().map(Step::Next)))),
        }))
    }

    /// Removes the old token from the indexes, in which the new one must still be.
    fn leave(self, Attempt { old, read, new, .. }: Attempt) -> Result<Step<Option<String>>> {
        let mut requests = Vec::new();
        for group in read.record.groups() {
            let index = group.index_key(&self.sessions.0.prefix, old.of)?;
            let args = [index, new.id.clone(), old.id.clone()];
            requests.push(Request::script(&LEAVE, args).merging(Merge::Script).idempotent().without_effect());
        }
        let token = new.token.as_ref().map(|token| token.to_string());
        let public_id = public_id_of(&read.record, &String::from_utf8_lossy(&new.id));
        let user = read.record.owner().map(|owner| owner.name.clone());
        let rotated = Ending { goes_on: !self.grace.is_zero(), ..Ending::of_session(Reason::Rotated, public_id, user) };
        let sessions = self.sessions.clone();
        if requests.is_empty() {
            return sessions.announce([rotated], move || Ok(Step::Done(token)));
        }
        Ok(Step::Next(Call::round(requests, move |replies| {
            // An index that cannot be reached is no reason to end the session: the old entry expires.
            if replies.0.into_iter().flatten().any(|reply| reply == Reply::Int(0)) {
                return self.end_or_follow(new).map(Step::Next);
            }
            sessions.announce([rotated], move || Ok(Step::Done(token)))
        })))
    }
}
