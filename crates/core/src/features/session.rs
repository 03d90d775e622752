//! Sessions: plain JSON under `session:{id}`, found by id, by user and by tag.
//!
//! A session belongs to groups: those of its owner and of its tags. It records the epoch that each had when it was written, and
//! is valid while these are still the current epochs. Dropping a group gives it a new epoch. The session's metadata is stored
//! in its own value, after the JSON. So no key that the store loses can revive an ended session, and the metadata lives exactly
//! as long as the session. The index of a group lists candidates; the session itself decides whether it belongs to the group.

mod contents;
mod group;
mod index;
mod metadata;
mod read;
mod renew;
mod update;
mod validate;
mod write;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Merge, Request, Step,
    effect::{is_not_nil, is_one},
    error::{Error, Kind, Result},
    random, script,
};

use self::{
    contents::Contents,
    group::Group,
    metadata::Metadata,
    read::{EpochKeys, ReadResult},
    renew::STORE_SESSION_TTL,
    update::owner,
    write::SessionWrite,
};
use super::{
    hints::Hints,
    json::{self, Object},
    ttl,
};
use crate::keys::{self, Prefix};

pub use index::{ListedSession, public_id};
pub use validate::{Lookup, Stats, hash};

script!(CREATE = "session/create.lua", keys: 1, args: 3);

/// How long a session lives unless something else is said: a day, in seconds.
const DEFAULT_TTL_SECONDS: f64 = 86_400.0;
/// How long what stands beside a session outlives it. Covers what lies between two requests of one round.
const SLACK: Duration = Duration::from_secs(60);

/// How many sessions and groups are remembered, twice at the most: some 200 bytes for a session.
const REMEMBERED: usize = 16_384;

/// Options of sessions.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What the keys begin with; `session:`.
    pub prefix: Option<String>,
    /// Life in seconds; 86,400, a day.
    pub ttl: Option<f64>,
    /// Whether reading a session renews its life, at the latest when a hundredth of it, or ten seconds, are gone.
    pub rolling: bool,
}

/// Options of one new session.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// Its own life in seconds, which every renewal gives it again.
    pub ttl: Option<f64>,
    /// What it can be destroyed by.
    pub tags: Vec<String>,
    /// Its id; 192 random bits in hexadecimal.
    pub id: Option<String>,
}

/// Keeps sessions. Cloning is cheap and gives the same sessions.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    prefix: Prefix,
    ttl: Duration,
    rolling: bool,
    counters: validate::Counters,
    /// The keys of the epochs that sessions needed when they were last read or written, by id.
    hints: Hints<EpochKeys>,
    /// The epochs that groups had when sessions were written.
    epochs: Hints<group::Epoch>,
}

/// One session and where it lies.
#[derive(Debug, Clone)]
struct SessionKey {
    id: Bytes,
    session: Bytes,
}

impl SessionKey {
    /// The mark of a load, for a token.
    fn load(&self, prefix: &Prefix) -> Result<Bytes> {
        keys::session_load(prefix, &String::from_utf8_lossy(&self.id))
    }
}

impl Sessions {
    /// Sessions with these options.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for a prefix that cannot be one, `E_INVALID_ARGUMENT` for a life that cannot.
    pub fn new(options: Options) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            prefix: Prefix::new(options.prefix.as_deref().unwrap_or(keys::SESSIONS))?,
            ttl: ttl::from_seconds("ttl", options.ttl.unwrap_or(DEFAULT_TTL_SECONDS))?,
            rolling: options.rolling,
            counters: validate::Counters::default(),
            hints: Hints::new(REMEMBERED),
            epochs: Hints::new(REMEMBERED),
        })))
    }

    /// Stores `{ userId, createdAt, ...data }` and returns its id. `created_at` is an ISO time, and `data` is the text of a
    /// JSON object, whose own `userId` and `createdAt` are ignored.
    ///
    /// # Errors
    /// `E_CONFLICT` when a session with the chosen id exists.
    pub fn create(&self, user: &str, created_at: &str, data: &str, options: Create) -> Result<Call<String>> {
        keys::raw("userId", user)?;
        let (user_id, created_at) = (json::string(user)?, json::string(created_at)?);
        let mut first = Object::default();
        first.set("userId", &user_id);
        first.set("createdAt", &created_at);
        let mut data = Object::argument("data", data.as_bytes())?;
        data.remove("userId");
        data.remove("createdAt");
        let json = first.spread(data).to_bytes()?;

        let ttl = options.ttl.map_or(Ok(self.0.ttl), |ttl| ttl::from_seconds("ttl", ttl))?;
        let mut groups = vec![Group::user(user.to_owned())];
        for tag in options.tags {
            let group = Group::tag(tag);
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        match options.id {
            None => {
                let id = random::hex::<24>()?;
                let key = self.key(&id)?;
                // The id is new, so there is nothing to check first.
                let written = self.writing(key, groups, json, ttl).write_new()?;
                Ok(written.then(|stored| stored.then_some(Step::Done(id)).ok_or_else(taken)))
            }
            Some(id) => self.create_chosen(id, groups, json, ttl),
        }
    }

    fn create_chosen(&self, id: String, groups: Vec<Group>, json: Vec<u8>, ttl: Duration) -> Result<Call<String>> {
        let (sessions, key) = (self.clone(), self.key(&id)?);
        for group in &groups {
            group.epoch_key(&self.0.prefix)?;
        }
        Ok(self.read(key.clone(), Contents::Session, false).then(move |found| {
            let over = match found {
                ReadResult::Missing => Bytes::new(),
                // An invalid session can be overwritten.
                ReadResult::Invalid(value) => value,
                ReadResult::Valid(_) | ReadResult::OtherKind => return Err(taken()),
            };
            let write = sessions.writing(key, groups, json, ttl).write(move |key, value, ttl| {
                Request::script(&CREATE, [key.session.clone(), value, ttl::millis(ttl), over])
                    .merging(Merge::Script)
                    .with_effect(Effect::ChangedIf(is_one))
            })?;
            Ok(Step::Next(write.then(|stored| stored.then_some(Step::Done(id)).ok_or_else(taken))))
        }))
    }

    /// Stores a session under the caller's id, in place of any other, for so many seconds. `data` is the text of a JSON object;
    /// its `userId`, if it has one, is the user it belongs to.
    pub fn store(&self, id: &str, data: &str, ttl_seconds: f64) -> Result<Call<()>> {
        let ttl = ttl::from_seconds("ttl", ttl_seconds)?;
        let key = self.key(id)?;
        let owner = owner("data", &Object::argument("data", data.as_bytes())?)?.map(Group::user);
        if owner.is_none() {
            // Metadata that equals the defaults is not stored.
            let metadata = Metadata { of: Contents::Session, ttl, owner: None, group_epochs: Vec::new() };
            let value = if ttl == STORE_SESSION_TTL { data.to_owned().into() } else { metadata.put(data.as_bytes()) };
            return Ok(Call::new(set(key.session, value, ttl, None), |_| Ok(())));
        }
        let write = self
            .writing(key, owner.into_iter().collect(), data.into(), ttl)
            .write(|key, value, ttl| set(key.session.clone(), value, ttl, None))?;
        Ok(write.map(drop))
    }

    /// The text of a session's JSON, or `None`.
    pub fn get(&self, id: &str) -> Result<Call<Option<Bytes>>> {
        self.get_as(id, |json| json)
    }

    /// The same, as the caller wants it.
    pub fn get_as<T: Send + 'static>(
        &self,
        id: &str,
        answer: impl FnOnce(Option<Bytes>) -> T + Send + 'static,
    ) -> Result<Call<T>> {
        let key = self.key(id)?;
        let sessions = self.clone();
        let count = move |found: Option<bool>| sessions.0.counters.count(found);
        if self.0.rolling {
            let call = self.read_rolling(key).inspect(move |json| count(json.map(Option::is_some).ok()));
            return Ok(call.map(answer));
        }
        Ok(self.read_then(key, Contents::Session, move |found| {
            let json = found.map(|found| found.live().map(|live| live.record.json));
            count(json.as_ref().map(Option::is_some).ok());
            json.map(|json| Step::Done(answer(json)))
        }))
    }

    fn writing(&self, key: SessionKey, groups: Vec<Group>, json: Vec<u8>, ttl: Duration) -> SessionWrite {
        SessionWrite { sessions: self.clone(), key, groups, json, ttl }
    }

    /// Remembers which epochs a session needs, so that these are read with it in one round. A hint may be wrong or missing: the
    /// session itself records what it needs, and a second round is made then.
    fn hint(&self, id: &Bytes, needed: &EpochKeys) {
        if !needed.is_empty() {
            self.0.hints.insert(id, needed.clone());
        }
    }

    fn key(&self, id: &str) -> Result<SessionKey> {
        Ok(SessionKey { id: Bytes::copy_from_slice(id.as_bytes()), session: keys::session(&self.0.prefix, id)? })
    }
}

fn set(key: Bytes, value: Bytes, ttl: Duration, only: Option<&'static str>) -> Request {
    let args = [key, value, Bytes::from_static(b"PX"), ttl::millis(ttl)];
    let mut request = Request::keyed("SET", args);
    request.args.extend(only.map(|only| Bytes::from_static(only.as_bytes())));
    request.with_effect(Effect::ChangedIf(is_not_nil))
}

fn taken() -> Error {
    Error::new(Kind::Conflict, "a session with this id exists")
}
