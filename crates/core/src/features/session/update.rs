//! Changing a session: the caller's patch replayed under compare-and-set until nobody else was faster.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Merge, Reply, Request, Step,
    effect::is_one,
    error::{Error, Kind, Result},
    number, script,
};

use super::{
    Place, Sessions,
    contents::Contents,
    group::{Group, Mark, entered},
    read::Live,
    seal::{Record, Seal},
};
use crate::features::{json::Object, life};

script!(CAS = "session/cas.lua", keys: 1, args: 4);

/// Rounds after which an update gives up. In each, one of those who write the same session succeeds.
const ROUNDS: usize = 1000;

/// An update under way.
struct Update {
    sessions: Sessions,
    place: Place,
    changes: Bytes,
    rounds: usize,
}

/// The pending write of an update.
struct Write {
    current: Bytes,
    record: Record,
    next: Bytes,
    /// The groups and metadata of the next value.
    marks: Vec<Mark>,
    life: Duration,
}

impl Sessions {
    /// Sets the fields in `changes`, the text of a JSON object, and renews the session's ttl. All other fields keep their
    /// bytes, and `createdAt` never changes. False if the session is gone.
    ///
    /// # Errors
    /// `E_INVALID_DATA` if what is stored is not JSON; `E_CONFLICT` after a thousand concurrent changes.
    pub fn update(&self, id: &str, changes: &str) -> Result<Call<bool>> {
        owner("changes", &Object::argument("changes", changes.as_bytes())?)?;
        let changes = Bytes::copy_from_slice(changes.as_bytes());
        Ok(Update { sessions: self.clone(), place: self.place(id)?, changes, rounds: 0 }.read())
    }
}

impl Update {
    fn read(self) -> Call<bool> {
        self.sessions.clone().read_then(self.place.clone(), Contents::Session, move |found| match found?.live() {
            Some(Live { value, record, .. }) => self.replay(value, record),
            None => Ok(Step::Done(false)),
        })
    }

    fn replay(mut self, current: Bytes, record: Record) -> Result<Step<bool>> {
        self.rounds += 1;
        if self.rounds > ROUNDS {
            return Err(Error::new(Kind::Conflict, "the session kept changing; nothing was written"));
        }
        let (json, owner) = patch(&record.json, &self.changes)?;
        let life = self.sessions.life_of(&record);
        let owner = owner.map(Group::user);
        if record.seal.is_some() && owner.as_ref() == record.owner() {
            let next = [&json, &record.tail[..]].concat().into();
            let marks = record.marks.clone();
            return Ok(Step::Next(self.store(Write { current, record, next, marks, life }, false)?));
        }
        if record.seal.is_none() && owner.is_none() {
            let write = Write { current, record, next: json.into(), marks: Vec::new(), life };
            return Ok(Step::Next(self.store(write, false)?));
        }
        self.enter(current, record, json, owner, life).map(Step::Next)
    }

    /// The session gets a new owner or was written by another program, so its groups are updated first.
    fn enter(
        self,
        current: Bytes,
        record: Record,
        json: Vec<u8>,
        owner: Option<Group>,
        life: Duration,
    ) -> Result<Call<bool>> {
        let has_owner = owner.is_some();
        let given = record.seal.as_ref().map(|seal| seal.marks.clone()).unwrap_or_default();
        let requests = self.sessions.enter(owner.as_slice(), Contents::Session, &self.place.id, life)?;
        Ok(Call::round(requests, move |replies| {
            let known = entered(replies.all()?)?.into_iter().next().flatten();
            if has_owner && known.is_none() {
                return Err(unreadable());
            }
            let mine = owner.into_iter().zip(known).map(|(group, known)| Mark { group, epoch: known.epoch });
            let marks: Vec<_> = mine.chain(given.iter().cloned()).collect();
            let owner = has_owner.then(|| marks[0].epoch);
            let next = Seal { of: Contents::Session, life, owner, marks: given }.put(&json);
            self.store(Write { current, record, next, marks, life }, false).map(Step::Next)
        }))
    }

    /// Stores the patched session. A life that has hardly begun is not renewed, which spares the indexes; one that has is
    /// renewed only after the indexes know of it.
    fn store(self, write: Write, renew: bool) -> Result<Call<bool>> {
        let Write { current, next, life, .. } = &write;
        let mut requests = Vec::new();
        if renew {
            requests = self.sessions.stay(&write.marks, Contents::Session, &self.place.id, *life)?;
        }
        let enough = if renew { Bytes::from_static(b"0") } else { life::millis(*life - begun(*life)) };
        let args = [self.place.session.clone(), current.clone(), next.clone(), life::millis(*life), enough];
        requests.push(Request::script(&CAS, args).merging(Merge::Script).with_effect(Effect::ChangedIf(is_one)));
        Ok(Call::round(requests, move |replies| {
            let mut replies = replies.all()?;
            match replies.pop() {
                // Dropped in the meantime: the new value is as invalid as the old one.
                Some(Reply::Int(1)) => Ok(Step::Done(!replies.contains(&Reply::Nil))),
                Some(Reply::Int(_)) => self.store(write, true).map(Step::Next),
                Some(Reply::Bulk(fresh)) => self.again(fresh, &write.record),
                _ => Ok(Step::Done(false)),
            }
        }))
    }

    /// The session was changed concurrently: tries again. If it depends on the same epochs, they are not read again.
    fn again(self, fresh: Bytes, before: &Record) -> Result<Step<bool>> {
        match Record::read(&fresh) {
            Some(record)
                if record.marks == before.marks && record.tail == before.tail && record.named == before.named =>
            {
                self.replay(fresh, record)
            }
            _ => Ok(Step::Next(self.read())),
        }
    }
}

/// The user that the caller's data names. Only `null` means nobody: whatever else cannot be the id of a user would leave the
/// session to nobody by mistake, and signing the user out would not end it.
pub fn owner(what: &str, named: &Object) -> Result<Option<String>> {
    if !named.has("userId") || named.is_null("userId") {
        return Ok(None);
    }
    let name = named.name("userId").filter(|_| named.number("userId").is_none_or(number::is_safe_integer));
    name.map(Some)
        .ok_or_else(|| Error::argument(format!("{what}.userId must be a non-empty string, a whole number or null")))
}

/// How much of a life may be gone before a renewal is worth its cost: a hundredth, ten seconds at the most.
pub fn begun(life: Duration) -> Duration {
    (life / 100).min(Duration::from_secs(10))
}

/// Applies a patch to the session's JSON; also returns the resulting owner.
fn patch(current: &[u8], changes: &[u8]) -> Result<(Vec<u8>, Option<String>)> {
    let stored = Object::parse(current)
        .ok_or_else(|| Error::new(Kind::InvalidData, "the stored session is not a JSON object; it was not changed"))?;
    let mut changes = Object::argument("changes", changes)?;
    if stored.has("createdAt") {
        changes.remove("createdAt");
    }
    let patched = stored.spread(changes);
    Ok((patched.to_bytes()?, patched.name("userId")))
}

/// The error for a damaged epoch.
pub fn unreadable() -> Error {
    Error::new(Kind::InvalidData, "the stored epoch of a user or a tag is damaged")
}
