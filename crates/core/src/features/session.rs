//! Sessions: plain JSON under `session:{id}`, found by id, by user and by tag.
//!
//! A session belongs to groups: those of its owner and of its tags. It records the epoch that each had when it was written, and
//! is valid while these are still the current epochs. Dropping a group gives it a new epoch. The session's metadata is stored
//! in its own value, after the JSON. So no key that the store loses can revive an ended session, and the metadata lives exactly
//! as long as the session. The index of a group lists candidates; the session itself decides whether it belongs to the group.

mod contents;
mod group;
mod index;
mod read;
mod renew;
mod seal;
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
    read::{Found, Needed},
    renew::STORED,
    seal::Seal,
    update::owner,
    write::Writing,
};
use super::{
    json::{self, Object},
    life,
    recent::Recent,
};
use crate::keys::{self, Prefix};

pub use index::{Listed, public_id};
pub use validate::{Lookup, Stats, hash};

script!(CREATE = "session/create.lua", keys: 1, args: 3);

/// How long a session lives unless something else is said: a day, in seconds.
const LIFE: f64 = 86_400.0;
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
    life: Duration,
    rolling: bool,
    counters: validate::Counters,
    /// The keys of the epochs that sessions needed when they were last read or written, by id.
    hints: Recent<Needed>,
    /// The epochs that groups had when sessions were written.
    epochs: Recent<group::Epoch>,
}

/// One session and where it lies.
#[derive(Debug, Clone)]
struct Place {
    id: Bytes,
    session: Bytes,
}

impl Place {
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
            life: life::of_seconds("ttl", options.ttl.unwrap_or(LIFE))?,
            rolling: options.rolling,
            counters: validate::Counters::default(),
            hints: Recent::new(REMEMBERED),
            epochs: Recent::new(REMEMBERED),
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

        let life = options.ttl.map_or(Ok(self.0.life), |ttl| life::of_seconds("ttl", ttl))?;
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
                let place = self.place(&id)?;
                // The id is new, so there is nothing to check first.
                let written = self.writing(place, groups, json, life).write_new()?;
                Ok(written.then(|stored| stored.then_some(Step::Done(id)).ok_or_else(taken)))
            }
            Some(id) => self.create_chosen(id, groups, json, life),
        }
    }

    fn create_chosen(&self, id: String, groups: Vec<Group>, json: Vec<u8>, life: Duration) -> Result<Call<String>> {
        let (sessions, place) = (self.clone(), self.place(&id)?);
        for group in &groups {
            group.epoch_key(&self.0.prefix)?;
        }
        Ok(self.read(place.clone(), Contents::Session, false).then(move |found| {
            let over = match found {
                Found::Nothing => Bytes::new(),
                // An invalid session can be overwritten.
                Found::Over(value) => value,
                Found::Live(_) | Found::Other => return Err(taken()),
            };
            let write = sessions.writing(place, groups, json, life).write(move |place, value, life| {
                Request::script(&CREATE, [place.session.clone(), value, life::millis(life), over])
                    .merging(Merge::Script)
                    .with_effect(Effect::ChangedIf(is_one))
            })?;
            Ok(Step::Next(write.then(|stored| stored.then_some(Step::Done(id)).ok_or_else(taken))))
        }))
    }

    /// Stores a session under the caller's id, in place of any other, for so many seconds. `data` is the text of a JSON object;
    /// its `userId`, if it has one, is the user it belongs to.
    pub fn store(&self, id: &str, data: &str, ttl_seconds: f64) -> Result<Call<()>> {
        let life = life::of_seconds("ttl", ttl_seconds)?;
        let place = self.place(id)?;
        let owner = owner("data", &Object::argument("data", data.as_bytes())?)?.map(Group::user);
        if owner.is_none() {
            // Metadata that equals the defaults is not stored.
            let seal = Seal { of: Contents::Session, life, owner: None, marks: Vec::new() };
            let value = if life == STORED { data.to_owned().into() } else { seal.put(data.as_bytes()) };
            return Ok(Call::new(set(place.session, value, life, None), |_| Ok(())));
        }
        let write = self
            .writing(place, owner.into_iter().collect(), data.into(), life)
            .write(|place, value, life| set(place.session.clone(), value, life, None))?;
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
        let place = self.place(id)?;
        let sessions = self.clone();
        let count = move |found: Option<bool>| sessions.0.counters.count(found);
        if self.0.rolling {
            let call = self.roll(place).inspect(move |json| count(json.map(Option::is_some).ok()));
            return Ok(call.map(answer));
        }
        Ok(self.read_then(place, Contents::Session, move |found| {
            let json = found.map(|found| found.live().map(|live| live.record.json));
            count(json.as_ref().map(Option::is_some).ok());
            json.map(|json| Step::Done(answer(json)))
        }))
    }

    fn writing(&self, place: Place, groups: Vec<Group>, json: Vec<u8>, life: Duration) -> Writing {
        Writing { sessions: self.clone(), place, groups, json, life }
    }

    /// Remembers which epochs a session needs, so that these are read with it in one round. A hint may be wrong or missing: the
    /// session itself records what it needs, and a second round is made then.
    fn hint(&self, id: &Bytes, needed: &Needed) {
        if !needed.is_empty() {
            self.0.hints.learn(id, needed.clone());
        }
    }

    fn place(&self, id: &str) -> Result<Place> {
        Ok(Place { id: Bytes::copy_from_slice(id.as_bytes()), session: keys::session(&self.0.prefix, id)? })
    }
}

fn set(key: Bytes, value: Bytes, life: Duration, only: Option<&'static str>) -> Request {
    let args = [key, value, Bytes::from_static(b"PX"), life::millis(life)];
    let mut request = Request::keyed("SET", args);
    request.args.extend(only.map(|only| Bytes::from_static(only.as_bytes())));
    request.with_effect(Effect::ChangedIf(is_not_nil))
}

fn taken() -> Error {
    Error::new(Kind::Conflict, "a session with this id exists")
}
