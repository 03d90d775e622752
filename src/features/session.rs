//! Sessions: plain JSON under `session:{id}`, found by id, by user and by tag.
//!
//! Every session is listed in the index of its user and in those of its tags: sorted sets of ids by when they must have ended.
//! An index names at least the sessions that live. It is written before the session is, and an entry goes when its time
//! comes or when the session it stands for was deleted, so the indexes clean themselves. What only some sessions have, a life
//! of their own or tags, lies in a key beside the session, so that the session itself holds what its owner put there.

mod index;
mod own;
mod renew;
mod update;
mod validate;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use self::own::Own;
use super::{
    json::{self, Object},
    life,
};
use crate::{
    error::{Error, Kind, Result},
    random,
    store::{
        Call, Merge, Reply, Request, Step,
        keys::{self, Prefix},
        script,
    },
};

pub use validate::{Lookup, Stats};

script!(CREATE = "session/create.lua", keys: 2, args: 4);

/// How long a session lives unless something else is said: a day, in seconds.
const LIFE: f64 = 86_400.0;
/// How long what stands beside a session outlives it. Covers what lies between two requests of one round.
const SLACK: Duration = Duration::from_secs(60);

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
}

/// One session and where it lies.
#[derive(Debug, Clone)]
struct Place {
    id: Bytes,
    session: Bytes,
    own: Bytes,
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
        })))
    }

    /// Stores `{ userId, createdAt, ...data }` and answers its id. `created_at` is an ISO time, `data` the text of a JSON object.
    ///
    /// # Errors
    /// `E_CONFLICT` when a session with the chosen id exists.
    pub fn create(&self, user: &str, created_at: &str, data: &str, options: Create) -> Result<Call<String>> {
        keys::raw("userId", user)?;
        let (user_id, created_at) = (json::string(user)?, json::string(created_at)?);
        let mut first = Object::default();
        first.set("userId", &user_id);
        first.set("createdAt", &created_at);
        let object = first.spread(Object::argument("data", data.as_bytes())?);
        let value = Bytes::from(object.to_bytes()?);

        let life = options.ttl.map(|ttl| life::of_seconds("ttl", ttl)).transpose()?;
        let own = Own { life: Some(life.unwrap_or(self.0.life)), tags: options.tags };
        let indexes = self.indexes(object.name("userId").as_deref(), &own.tags).collect::<Result<_>>()?;
        let has_own = life.is_some() || !own.tags.is_empty();
        let life = life.unwrap_or(self.0.life);
        let written = if has_own { own.write()? } else { Bytes::new() };

        match options.id {
            None => self.create_random(indexes, value, life, written),
            Some(id) => self.create_chosen(id, indexes, value, life, written),
        }
    }

    /// Nobody else can have the id, so nothing has to be looked at first.
    fn create_random(&self, indexes: Vec<Bytes>, value: Bytes, life: Duration, own: Bytes) -> Result<Call<String>> {
        let id = random::hex::<24>()?;
        let place = self.place(&id)?;
        let mut requests = index::list_first(&indexes, &place.id, life);
        if !own.is_empty() {
            requests.push(set(place.own, own, life + SLACK, None));
        }
        requests.push(set(place.session, value, life, Some("NX")));
        Ok(Call::round(requests, move |replies| match replies.all()?.pop() {
            Some(Reply::Nil) | None => Err(taken()),
            Some(_) => Ok(Step::Done(id)),
        }))
    }

    /// Looks first: an id that is taken must not be listed as this user's, who could then drop another's session.
    fn create_chosen(
        &self,
        id: String,
        indexes: Vec<Bytes>,
        value: Bytes,
        life: Duration,
        own: Bytes,
    ) -> Result<Call<String>> {
        let place = self.place(&id)?;
        let look = Request::keyed("EXISTS", [place.session.clone()]).repeatable();
        Ok(Call::round([look], move |replies| {
            if replies.one()?.flag()? {
                return Err(taken());
            }
            let mut requests = index::list_new(&indexes, &place.id, life);
            let args = [place.session, place.own, value, life::millis(life), own, life::millis(life + SLACK)];
            requests.push(Request::script(&CREATE, args).merging(Merge::Script));
            Ok(Step::Next(Call::round(requests, move |replies| match replies.all()?.pop() {
                Some(Reply::Int(1)) => Ok(Step::Done(id)),
                _ => Err(taken()),
            })))
        }))
    }

    /// Stores a session under the caller's id, in place of any other, for so many seconds. `data` is the text of a JSON object;
    /// its `userId`, if it has one, is the user it belongs to.
    pub fn store(&self, id: &str, data: &str, ttl_seconds: f64) -> Result<Call<()>> {
        let life = life::of_seconds("ttl", ttl_seconds)?;
        let place = self.place(id)?;
        let object = Object::argument("data", data.as_bytes())?;
        let indexes = self.indexes(object.name("userId").as_deref(), &[]).collect::<Result<Vec<_>>>()?;
        let mut requests = index::list_new(&indexes, &place.id, life);
        requests.push(Request::keyed("DEL", [place.own]).repeatable());
        requests.push(set(place.session, Bytes::copy_from_slice(data.as_bytes()), life, None));
        Ok(Call::round(requests, |replies| replies.all().map(|_| Step::Done(()))))
    }

    /// The text of a session's JSON, or `None`.
    pub fn get(&self, id: &str) -> Result<Call<Option<Bytes>>> {
        let place = self.place(id)?;
        let call = if self.0.rolling { self.read(place) } else { Call::new(Request::get(place.session), Reply::bulk) };
        let sessions = self.clone();
        Ok(call.inspect(move |result| sessions.0.counters.count(result.map(Option::is_some).ok())))
    }

    fn place(&self, id: &str) -> Result<Place> {
        Ok(Place {
            id: Bytes::copy_from_slice(id.as_bytes()),
            session: keys::session(&self.0.prefix, id)?,
            own: keys::session_own(&self.0.prefix, id)?,
        })
    }
}

/// The user whom a session's JSON names.
fn user_of(session: &[u8]) -> Option<String> {
    Object::parse(session)?.name("userId")
}

fn set(key: Bytes, value: Bytes, life: Duration, only: Option<&'static str>) -> Request {
    let args = [key, value, Bytes::from_static(b"PX"), life::millis(life)];
    let mut request = Request::keyed("SET", args);
    request.args.extend(only.map(|only| Bytes::from_static(only.as_bytes())));
    request
}

fn taken() -> Error {
    Error::new(Kind::Conflict, "a session with this id exists")
}
