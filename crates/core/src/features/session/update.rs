//! Changes a session: applies the caller's patch by compare-and-set, and retries if there was a concurrent change.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Merge, Reply, Request, Step,
    effect::is_one,
    error::{Error, Kind, Result},
    number, script,
};

use super::{
    MAX_ROUNDS, SessionKey, Sessions,
    ending::{Ending, Reason},
    group::{Group, GroupEpoch, group_states},
    index::public_id_of,
    metadata::{Metadata, Record},
    read::ValidSession,
};
use crate::features::{json::Object, ttl};

script!(COMPARE_AND_SET = "session/compare_and_set.lua", keys: 1, args: 5, with: ["clock.lua"]);

/// What an update does beside setting fields.
#[derive(Debug, Clone, Default)]
pub struct UpdateOptions {
    /// The ttl in seconds that the session has from then on. Default: the one that it has.
    pub ttl: Option<f64>,
    /// Fields to remove.
    pub remove: Vec<String>,
}

/// An update in progress.
struct Update {
    sessions: Sessions,
    key: SessionKey,
    changes: Bytes,
    remove: Vec<String>,
    ttl: Option<Duration>,
    rounds: usize,
}

/// The pending write of an update.
struct Write {
    current: Bytes,
    record: Record,
    next: Bytes,
    /// The groups and metadata of the next value.
    group_epochs: Vec<GroupEpoch>,
    ttl: Duration,
    /// What is published once it is stored.
    ending: Option<Ending>,
}

impl Sessions {
    /// Sets the fields in `changes`, the text of a JSON object, and renews the session's ttl. All other fields keep their
    /// bytes, and `createdAt` never changes. Returns false if the session is missing.
    ///
    /// # Errors
    /// `E_INVALID_DATA` if the stored value is not a JSON object; `E_CONFLICT` after a thousand concurrent changes.
    pub fn update(&self, id: &str, changes: &str) -> Result<Call<bool>> {
        self.update_with(id, changes, UpdateOptions::default())
    }

    /// The same; also removes fields, and gives the session another ttl, within its absolute one.
    pub fn update_with(&self, id: &str, changes: &str, options: UpdateOptions) -> Result<Call<bool>> {
        let UpdateOptions { ttl, remove } = options;
        let named = Object::argument("changes", changes.as_bytes())?;
        owner("changes", &named)?;
        for name in &remove {
            match name.as_str() {
                "userId" => return Err(Error::argument("remove must not name userId: set it to null instead")),
                "createdAt" => return Err(Error::argument("remove must not name createdAt, which never changes")),
                name if named.has(name) => {
                    return Err(Error::argument("changes and remove must not name the same field"));
                }
                _ => {}
            }
        }
        let ttl = ttl.map(|ttl| ttl::from_seconds("ttl", ttl)).transpose()?;
        let changes = Bytes::copy_from_slice(changes.as_bytes());
        Ok(Update { sessions: self.clone(), key: self.key(id)?, changes, remove, ttl, rounds: 0 }.read())
    }
}

impl Update {
    fn read(self) -> Call<bool> {
        self.sessions.clone().read_then(self.key.clone(), move |found| match found?.valid() {
            Some(ValidSession { successor, value, record, .. }) => {
                let key = successor.map_or_else(|| self.key.clone(), |key| *key);
                Self { key, ..self }.replay(value, record)
            }
            None => Ok(Step::Done(false)),
        })
    }

    fn replay(mut self, current: Bytes, record: Record) -> Result<Step<bool>> {
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err(Error::new(Kind::Conflict, "the session kept changing; nothing was written"));
        }
        let (json, owner) = patch(&record.json, &self.changes, &self.remove)?;
        let before = self.sessions.renewal_ttl(&record);
        let ttl = self.ttl.unwrap_or(before);
        let renew = self.ttl.is_some();
        let owner = owner.map(Group::user);
        let tail = match &record.metadata {
            Some(_) if owner.as_ref() != record.owner() => None,
            Some(_) if ttl == before => Some(record.tail.clone()),
            Some(metadata) => Some(Metadata { ttl, ..metadata.clone() }.encode().into()),
            None if owner.is_some() => None,
            None if ttl == before => Some(Bytes::new()),
            None => Some(self.without_groups(ttl).encode().into()),
        };
        let Some(tail) = tail else {
            return self.add_to_indexes(current, record, json, owner, ttl).map(Step::Next);
        };
        let next = self.sessions.stored_value(&self.key.id, &json, &tail)?;
        let group_epochs = record.group_epochs.clone();
        Ok(Step::Next(self.store(Write { current, record, next, group_epochs, ttl, ending: None }, renew)?))
    }

    fn without_groups(&self, ttl: Duration) -> Metadata {
        Metadata { of: self.key.of, ttl, owner: None, group_epochs: Vec::new(), extra: None }
    }

    /// Updates the groups first, because the session gets a new owner or was written by another program.
    fn add_to_indexes(
        self,
        current: Bytes,
        record: Record,
        json: Vec<u8>,
        owner: Option<Group>,
        ttl: Duration,
    ) -> Result<Call<bool>> {
        let has_owner = owner.is_some();
        let others = record.metadata.as_ref().map(|metadata| metadata.group_epochs.clone()).unwrap_or_default();
        let requests = self.sessions.add_to_indexes(owner.as_slice(), self.key.of, &self.key.id, ttl)?;
        Ok(Call::round(requests, move |replies| {
            let known = group_states(replies.all()?)?.into_iter().next().flatten();
            if has_owner && known.is_none() {
                return Err(damaged_epoch());
            }
            let own = owner.into_iter().zip(known).map(|(group, known)| GroupEpoch { group, epoch: known.epoch });
            let group_epochs: Vec<_> = own.chain(others.iter().cloned()).collect();
            let owner = has_owner.then(|| group_epochs[0].epoch);
            let extra = record.metadata.as_ref().and_then(|metadata| metadata.extra.clone());
            let tail = Metadata { of: self.key.of, ttl, owner, group_epochs: others, extra }.encode();
            let next = self.sessions.stored_value(&self.key.id, &json, &tail)?;
            let ending = self.ending(&record, group_epochs.first().filter(|_| has_owner));
            let renew = self.ttl.is_some();
            self.store(Write { current, record, next, group_epochs, ttl, ending }, renew).map(Step::Next)
        }))
    }

    /// What has to be published if the session gets another user than it had.
    fn ending(&self, record: &Record, owner: Option<&GroupEpoch>) -> Option<Ending> {
        let before = record.owner();
        let is_changed = before != owner.map(|owner| &owner.group);
        let public_id = public_id_of(record, &String::from_utf8_lossy(&self.key.id));
        let user = before.map(|before| before.name.clone());
        is_changed.then(|| Ending::of_session(Reason::UserChanged, public_id, user))
    }

    /// Stores the patched session. A ttl that was renewed just before is not renewed again, which saves updating the indexes; with `renew`
    /// it is in any case. The indexes are updated before the ttl.
    fn store(self, write: Write, renew: bool) -> Result<Call<bool>> {
        let Write { current, next, ttl, .. } = &write;
        let mut requests = Vec::new();
        if renew {
            requests = self.sessions.renew_indexes(&write.group_epochs, self.key.of, &self.key.id, *ttl)?;
        }
        let sufficient = if renew { Bytes::from_static(b"0") } else { ttl::millis(*ttl - renewal_threshold(*ttl)) };
        let until = write.record.until().map_or_else(Bytes::new, |until| until.to_string().into());
        let args = [self.key.redis_key.clone(), current.clone(), next.clone(), ttl::millis(*ttl), sufficient, until];
        requests.push(
            Request::script(&COMPARE_AND_SET, args).merging(Merge::Script).with_effect(Effect::ChangedIf(is_one)),
        );
        Ok(Call::round(requests, move |replies| {
            let mut replies = replies.all()?;
            match replies.pop() {
                // If a group was dropped in the meantime, the new value is as invalid as the old one.
                Some(Reply::Int(1)) => {
                    let is_valid = !replies.contains(&Reply::Nil);
                    self.sessions.announce(write.ending, move || Ok(Step::Done(is_valid)))
                }
                Some(Reply::Int(_)) => self.store(write, true).map(Step::Next),
                Some(Reply::Bulk(fresh)) => self.retry(fresh, &write.record),
                _ => Ok(Step::Done(false)),
            }
        }))
    }

    /// Retries after a concurrent change. If the session depends on the same epochs, they are not read again.
    fn retry(self, fresh: Bytes, before: &Record) -> Result<Step<bool>> {
        match self.sessions.record(&self.key.id, &fresh) {
            Ok(record)
                if record.group_epochs == before.group_epochs
                    && record.tail == before.tail
                    && record.named == before.named =>
            {
                self.replay(fresh, record)
            }
            _ => Ok(Step::Next(self.read())),
        }
    }
}

/// Returns the owner that the caller's data names. Only `null` means that there is none: any other invalid id would by mistake leave the
/// session without an owner, and signing the user out would not end it.
pub fn owner(what: &str, named: &Object) -> Result<Option<String>> {
    if !named.has("userId") || named.is_null("userId") {
        return Ok(None);
    }
    let name = named.name("userId").filter(|_| named.number("userId").is_none_or(number::is_safe_integer));
    name.map(Some)
        .ok_or_else(|| Error::argument(format!("{what}.userId must be a non-empty string, a whole number or null")))
}

/// How much of a ttl may pass before a renewal is worth its cost: a hundredth, but at most ten seconds.
pub fn renewal_threshold(ttl: Duration) -> Duration {
    (ttl / 100).min(Duration::from_secs(10))
}

/// Applies a patch to the session's JSON and removes fields; also returns the resulting owner.
fn patch(current: &[u8], changes: &[u8], remove: &[String]) -> Result<(Vec<u8>, Option<String>)> {
    let stored = Object::parse(current)
        .ok_or_else(|| Error::new(Kind::InvalidData, "the stored session is not a JSON object; it was not changed"))?;
    let mut changes = Object::argument("changes", changes)?;
    if stored.has("createdAt") {
        changes.remove("createdAt");
    }
    let mut patched = stored.spread(changes);
    remove.iter().for_each(|name| patched.remove(name));
    Ok((patched.to_bytes()?, patched.name("userId")))
}

/// Returns the error for a damaged epoch.
pub fn damaged_epoch() -> Error {
    Error::new(Kind::InvalidData, "the stored epoch of a user or a tag is damaged")
}
