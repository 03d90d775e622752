//! Sessions: plain JSON under `session:{id}`, found by id, by user and by tag.
//!
//! A session belongs to groups: those of its owner and of its tags. It records the epoch that each had when it was written, and
//! is valid while these are still the current epochs. Dropping a group gives it a new epoch. The session's metadata is stored
//! in its own value, after the JSON. So an ended session cannot become valid again because the store lost a key, and the metadata
//! has exactly the ttl of the session. The index of a group lists candidates; the session itself decides whether it belongs to the group.

mod admission;
mod bound;
mod contents;
mod cookie;
mod create;
mod destroy;
mod encryption;
mod ending;
mod freshness;
mod group;
mod index;
mod metadata;
mod names;
mod near;
mod open;
mod put;
mod read;
mod renew;
mod rotate;
mod token;
mod update;
mod validate;
mod write;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Request, Step,
    effect::is_not_nil,
    error::{Error, Kind, Result},
    random,
};

use self::{
    contents::Contents,
    group::Group,
    metadata::{Extra, Metadata},
    put::{Bound, put},
    read::EpochKeys,
    renew::STORE_SESSION_TTL,
    update::owner,
    write::SessionWrite,
};
use super::{Moment, hints::Hints, json::Object, ttl};
use crate::{
    key_ring::KeyRing,
    keys::{self, Prefix},
};

pub use ::cookie::SameSite;
pub use admission::{PerUser, WhenFull};
pub use bound::BoundSession;
pub use cookie::CookieAttributes;
pub use create::{Create, CreatedSession};
pub use ending::{Ending, Reason};
pub use index::{ListedSession, public_id};
pub use names::Names;
pub use open::OpenedSession;
pub use update::UpdateOptions;
pub use validate::{Lookup, Stats, hash};

/// The default ttl of a session: a day, in seconds.
pub const DEFAULT_TTL_SECONDS: f64 = 86_400.0;
/// How much longer index entries and epochs live than their session. Covers the time between two requests of one round.
const SLACK: Duration = Duration::from_secs(60);

/// Rounds after which a call gives up because others keep changing the same session, or the sessions of the same user. In each round, one
/// of them succeeds.
const MAX_ROUNDS: usize = 1000;

/// How many hints about sessions, and about groups, each half of a cache holds. A session's takes about 200 bytes.
const HINTS: usize = 16_384;

/// Options of sessions.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The prefix of the keys. Default `session:`.
    pub prefix: Option<String>,
    /// The ttl in seconds. Default 86,400, a day.
    pub ttl: Option<f64>,
    /// Whether reading a session renews its ttl, once a tenth of it has passed.
    pub rolling: bool,
    /// Whether new sessions are stored under the hash of a token, and sessions under their id are not found.
    pub hashed: bool,
    /// After how many seconds a session ends even if it is in use.
    pub absolute_ttl: Option<f64>,
    /// How many sessions a user has at most, not counting those of `store`.
    pub per_user: Option<PerUser>,
    /// Encrypts the data of sessions and validated users.
    pub encryption: Option<Arc<KeyRing>>,
    /// Whether new sessions are published.
    pub events: bool,
    /// The prefix of the keys of connections. Default `websocket:`.
    pub connections: Option<String>,
    /// The database number, which is part of the names of channels. Default 0.
    pub database: u8,
}

/// A session store. Clones are cheap and share their state.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    prefix: Prefix,
    ttl: Duration,
    rolling: bool,
    hashed: bool,
    absolute_ttl: Option<Duration>,
    per_user: Option<PerUser>,
    encryption: Option<Arc<KeyRing>>,
    events: bool,
    connections: Prefix,
    database: u8,
    counters: validate::Counters,
    /// The keys of the epochs that sessions needed when they were last read or written, by id.
    hints: Hints<EpochKeys>,
    /// The epochs that groups had when sessions were written.
    epochs: Hints<group::Epoch>,
    /// Until when rolling sessions need no renewal, by id.
    freshness: Hints<freshness::Freshness>,
}

/// The id of a session or the hash of a token, with its key and what is stored there.
#[derive(Debug, Clone)]
struct SessionKey {
    id: Bytes,
    redis_key: Bytes,
    of: Contents,
    /// The token of a session that is stored under its hash.
    token: Option<Arc<str>>,
}

impl SessionKey {
    /// Returns the public id of a new session here. One without a token has one that is derived from its id.
    fn new_public_id(&self) -> Result<Option<[u8; 16]>> {
        self.token.is_some().then(random::bytes).transpose()
    }

    /// Returns the key of the epoch of a token's load.
    fn load(&self, prefix: &Prefix) -> Result<Bytes> {
        keys::session_load(prefix, &String::from_utf8_lossy(&self.id))
    }
}

impl Sessions {
    /// Creates a session store with these options.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for an invalid prefix, `E_INVALID_ARGUMENT` for an invalid ttl.
    pub fn new(options: Options) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            prefix: Prefix::new(options.prefix.as_deref().unwrap_or(keys::SESSIONS))?,
            ttl: ttl::from_seconds("ttl", options.ttl.unwrap_or(DEFAULT_TTL_SECONDS))?,
            rolling: options.rolling,
            hashed: options.hashed,
            per_user: options.per_user,
            encryption: options.encryption,
            events: options.events,
            connections: Prefix::new(options.connections.as_deref().unwrap_or(keys::CONNECTIONS))?,
            database: options.database,
            absolute_ttl: options.absolute_ttl.map(|ttl| ttl::from_seconds("absoluteTtl", ttl)).transpose()?,
            counters: validate::Counters::default(),
            hints: Hints::new(HINTS),
            epochs: Hints::new(HINTS),
            freshness: Hints::new(HINTS),
        })))
    }

    /// Stores a session under the caller's id for so many seconds, replacing any other. `data` is the text of a JSON object, whose
    /// `userId`, if any, is its owner.
    pub fn store(&self, id: &str, data: &str, ttl_seconds: f64) -> Result<Call<()>> {
        let ttl = ttl::from_seconds("ttl", ttl_seconds)?;
        let key = self.key(id)?;
        let owner = owner("data", &Object::argument("data", data.as_bytes())?)?.map(Group::user);
        if owner.is_none() {
            // Metadata that equals the defaults is not stored.
            let extra = self.extra(&key)?;
            let is_default = ttl == STORE_SESSION_TTL && key.of == Contents::Session && extra.is_none();
            let metadata = Metadata { of: key.of, ttl, owner: None, group_epochs: Vec::new(), extra };
            let tail = if is_default { Vec::new() } else { metadata.encode() };
            let value = self.stored_value(&key.id, data.as_bytes(), &tail)?;
            let request = match self.0.absolute_ttl {
                None => set(key.redis_key, value, ttl, None),
                Some(absolute) => put(key.redis_key, value, ttl, Bound::After(absolute), None),
            };
            return Ok(Call::new(request, |_| Ok(())));
        }
        let write = self.session_write(key, owner.into_iter().collect(), data.into(), ttl)?;
        let put = write.put(false);
        Ok(write.write(put)?.map(drop))
    }

    /// Returns the text of a session's JSON, or `None`.
    pub fn get(&self, id: &str) -> Result<Call<Option<Bytes>>> {
        self.get_as(id, None, |json| json)
    }

    /// The same, with the result converted by `convert`. With the time, which only rolling sessions need, most reads of them are a plain
    /// `GET`. It is left out where the time of the store is not that of the caller's clocks.
    pub fn get_as<T: Send + 'static>(
        &self,
        id: &str,
        now: Option<Moment>,
        convert: impl FnOnce(Option<Bytes>) -> T + Send + 'static,
    ) -> Result<Call<T>> {
        let key = self.key(id)?;
        let sessions = self.clone();
        let count = move |found: Option<bool>| sessions.0.counters.count(found);
        if self.0.rolling {
            let call = self.read_rolling(key, now).inspect(move |opened| count(opened.map(Option::is_some).ok()));
            return Ok(call.map(|opened| convert(opened.map(|opened| opened.json))));
        }
        Ok(self.read_then(key, move |found| {
            let json = found.map(|found| found.valid().map(|valid| valid.record.json));
            count(json.as_ref().map(Option::is_some).ok());
            json.map(|json| Step::Done(convert(json)))
        }))
    }

    fn session_write(&self, key: SessionKey, groups: Vec<Group>, json: Vec<u8>, ttl: Duration) -> Result<SessionWrite> {
        let extra = self.extra(&key)?;
        Ok(SessionWrite { sessions: self.clone(), key, groups, json, ttl, extra })
    }

    /// Returns what the metadata of a new session here has beside the rest. The time of its end is filled in as it is written.
    fn extra(&self, key: &SessionKey) -> Result<Option<Box<Extra>>> {
        let extra = Extra { public_id: key.new_public_id()?, until: self.0.absolute_ttl.map(|_| 0) };
        Ok((extra != Extra::default()).then(|| Box::new(extra)))
    }

    /// Remembers which epochs a session needs, so that these are read with it in one round. A hint may be wrong or missing: the
    /// session itself records what it needs, and a second round is made then.
    fn hint(&self, id: &Bytes, needed: &EpochKeys) {
        if !needed.is_empty() {
            self.0.hints.insert(id, needed.clone());
        }
    }

    /// Returns the key of a session by what its caller holds: an id, or a token of which only the hash is stored.
    fn key(&self, id: &str) -> Result<SessionKey> {
        if !self.0.hashed && !token::is_token(id) {
            return self.stored_key(id, Contents::Session);
        }
        keys::raw("id", id)?;
        Ok(SessionKey { token: Some(id.into()), ..self.stored_key(&hash(id), Contents::Hashed)? })
    }

    /// Returns the key of a session or a validated token by its id as it is stored.
    fn stored_key(&self, id: &str, of: Contents) -> Result<SessionKey> {
        let redis_key = keys::session(&self.0.prefix, id)?;
        Ok(SessionKey { id: Bytes::copy_from_slice(id.as_bytes()), redis_key, of, token: None })
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
