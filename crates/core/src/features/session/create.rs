//! Creates sessions.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Merge, Request, Step,
    effect::is_one,
    error::{Error, Kind, Result},
    random, script,
};

use super::{
    Sessions,
    group::Group,
    index::ListedSession,
    put::{Bound, put},
    read::ReadResult,
    taken, token,
};
use crate::{
    features::{
        json::{self, Object},
        ttl,
    },
    keys,
};

script!(CREATE = "session/create.lua", keys: 1, args: 3);

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

impl Sessions {
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
            let (sessions, created) = (self.clone(), write.created());
            return Ok(self.admit(limit, user.to_owned(), write)?.then(move |ended| {
                let Some(ended) = ended else { return Ok(Step::Done(None)) };
                sessions.announce(created, move || Ok(Step::Done(Some(CreatedSession { id, ended }))))
            }));
        }
        let created = match options.id {
            None => {
                let id = self.new_id(options.token)?;
                let key = self.key(&id)?;
                // The id is new, so there is nothing to check first.
                self.write_new(self.session_write(key, groups, json, ttl)?, id)?
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
        self.write_new(self.session_write(self.key(&token)?, Vec::new(), json, ttl)?, token)
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
            let write = sessions.session_write(key, groups, json, ttl)?;
            let created = write.created();
            let written = write.write(move |key, value, ttl| match absolute {
                Some(absolute) => put(key.redis_key.clone(), value, ttl, Bound::After(absolute), Some(ending)),
                None => Request::script(&CREATE, [key.redis_key.clone(), value, ttl::millis(ttl), ending])
                    .merging(Merge::Script)
                    .with_effect(Effect::ChangedIf(is_one)),
            })?;
            Ok(Step::Next(written.then(move |stored| sessions.created(stored, created, id))))
        }))
    }
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
