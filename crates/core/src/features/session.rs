//! Sessions: plain JSON under `session:{id}`, found by id, by user and by tag.
//!
//! A session belongs to groups: those of its owner and of its tags. It records the epoch that each had when it was written, and
//! is valid while these are still the current epochs. Dropping a group gives it a new epoch. The session's metadata is stored
//! in its own value, after the JSON. So an ended session cannot become valid again because the store lost a key, and the metadata
//! has exactly the ttl of the session. The index of a group lists candidates; the session itself decides whether it belongs to the group.

mod admission;
mod contents;
mod cookie;
mod encryption;
mod freshness;
mod group;
mod index;
mod metadata;
mod names;
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
    Call, Effect, Merge, Request, Step,
    effect::{is_not_nil, is_one},
    error::{Error, Kind, Result},
    random, script,
};

use self::{
    contents::Contents,
    group::Group,
    metadata::{Extra, Metadata},
    put::{Bound, put},
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

pub use ::cookie::SameSite;
pub use admission::{PerUser, WhenFull};
pub use cookie::CookieAttributes;
pub use encryption::Encryption;
pub use freshness::Moment;
pub use index::{ListedSession, public_id};
pub use names::Names;
pub use open::OpenedSession;
pub use update::UpdateOptions;
pub use validate::{Lookup, Stats, hash};

script!(CREATE = "session/create.lua", keys: 1, args: 3);

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
    pub encryption: Option<Arc<Encryption>>,
}

/// Options of one new session.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// Its ttl in seconds, for each renewal too.
    pub ttl: Option<f64>,
    /// Tags, by which it can be destroyed.
    pub tags: Vec<String>,
    /// Its id. Default: 192 random bits in hexadecimal.
    pub id: Option<String>,
    /// Whether it gets a token instead of an id, of which only the hash is stored.
    pub token: bool,
}

/// A new session.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatedSession {
    /// Its id or token.
    pub id: String,
    /// Other sessions of its user that ended for it, if their number is limited.
    pub ended: Vec<ListedSession>,
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
    encryption: Option<Arc<Encryption>>,
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
            absolute_ttl: options.absolute_ttl.map(|ttl| ttl::from_seconds("absoluteTtl", ttl)).transpose()?,
            counters: validate::Counters::default(),
            hints: Hints::new(HINTS),
            epochs: Hints::new(HINTS),
            freshness: Hints::new(HINTS),
        })))
    }

    /// Stores `{ userId, createdAt, ...data }` and returns its id or token. `created_at` is an ISO time, and `data` is the text of a
    /// JSON object, whose own `userId` and `createdAt` are ignored.
    ///
    /// # Errors
    /// `E_CONFLICT` if a session with the chosen id exists.
    pub fn create(&self, user: &str, created_at: &str, data: &str, options: Create) -> Result<Call<String>> {
        let created = self.create_and_end(user, created_at, data, options)?;
        Ok(created.then(|created| created.map(|created| Step::Done(created.id)).ok_or_else(displaced)))
    }

    /// The same; also returns which other sessions of the user ended for it. Returns `None` if other sign-ins of the user took its place:
    /// the session is gone, and those that ended for it have ended.
    pub fn create_and_end(
        &self,
        user: &str,
        created_at: &str,
        data: &str,
        options: Create,
    ) -> Result<Call<Option<CreatedSession>>> {
        keys::raw("userId", user)?;
        let json = document(Some(user), created_at, data)?;
        let ttl = options.ttl.map_or(Ok(self.0.ttl), |ttl| ttl::from_seconds("ttl", ttl))?;
        let mut groups = vec![Group::user(user.to_owned())];
        for tag in options.tags {
            let group = Group::tag(tag);
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        if let Some(limit) = self.0.per_user {
            let id = options.id.map_or_else(|| self.new_id(options.token), Ok)?;
            let write = self.session_write(self.key(&id)?, groups, json, ttl)?;
            let admitted = self.admit(limit, user.to_owned(), write)?;
            return Ok(admitted.map(|ended| Some(CreatedSession { id, ended: ended? })));
        }
        let created = match options.id {
            None => {
                let id = self.new_id(options.token)?;
                let key = self.key(&id)?;
                // The id is new, so there is nothing to check first.
                let written = self.session_write(key, groups, json, ttl)?.write_new()?;
                written.then(|stored| stored.then_some(Step::Done(id)).ok_or_else(taken))
            }
            Some(id) => self.create_chosen(id, groups, json, ttl)?,
        };
        Ok(created.map(|id| Some(CreatedSession { id, ended: Vec::new() })))
    }

    /// Stores `{ createdAt, ...data }` as a session without a user and returns its token. `createdAt` and `userId` in `data` are ignored.
    pub fn create_anonymous(&self, created_at: &str, data: &str, ttl: Option<f64>) -> Result<Call<String>> {
        let json = document(None, created_at, data)?;
        let ttl = ttl.map_or(Ok(self.0.ttl), |ttl| ttl::from_seconds("ttl", ttl))?;
        let token = token::random()?;
        let written = self.session_write(self.key(&token)?, Vec::new(), json, ttl)?.write_new()?;
        Ok(written.then(|stored| stored.then_some(Step::Done(token)).ok_or_else(taken)))
    }

    fn new_id(&self, token: bool) -> Result<String> {
        if self.0.hashed || token { token::random() } else { random::hex::<24>() }
    }

    fn create_chosen(&self, id: String, groups: Vec<Group>, json: Vec<u8>, ttl: Duration) -> Result<Call<String>> {
        let (sessions, key) = (self.clone(), self.key(&id)?);
        for group in &groups {
            group.epoch_key(&self.0.prefix)?;
        }
        Ok(self.read(key.clone(), false).then(move |found| {
            let ending = match found {
                ReadResult::Missing => Bytes::new(),
                // An invalid session can be overwritten.
                ReadResult::Invalid(value) => value,
                ReadResult::Valid(_) | ReadResult::OtherKind | ReadResult::Rotated => return Err(taken()),
            };
            let absolute = sessions.0.absolute_ttl;
            let write =
                sessions.session_write(key, groups, json, ttl)?.write(move |key, value, ttl| match absolute {
                    Some(absolute) => put(key.redis_key.clone(), value, ttl, Bound::After(absolute), Some(ending)),
                    None => Request::script(&CREATE, [key.redis_key.clone(), value, ttl::millis(ttl), ending])
                        .merging(Merge::Script)
                        .with_effect(Effect::ChangedIf(is_one)),
                })?;
            Ok(Step::Next(write.then(|stored| stored.then_some(Step::Done(id)).ok_or_else(taken))))
        }))
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

/// Returns the JSON of a new session. `userId` and `createdAt` in its data are ignored.
fn document(user: Option<&str>, created_at: &str, data: &str) -> Result<Vec<u8>> {
    let (user_id, created_at) = (user.map(json::string).transpose()?, json::string(created_at)?);
    let mut first = Object::default();
    if let Some(user_id) = &user_id {
        first.set("userId", user_id);
    }
    first.set("createdAt", &created_at);
    let mut data = Object::argument("data", data.as_bytes())?;
    data.remove("userId");
    data.remove("createdAt");
    first.spread(data).to_bytes()
}

fn displaced() -> Error {
    Error::new(Kind::Conflict, "another sign-in of this user took the place of this one")
}

fn taken() -> Error {
    Error::new(Kind::Conflict, "a session with this id exists")
}
