//! Answers to "whose token is this", cached under the token's hash: the token itself is never stored.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use ring::digest::{SHA256, digest};

use super::{Sessions, index, set};
use crate::{
    error::{Error, Result},
    features::{json::Object, life},
    random,
    store::{Call, Merge, Reply, Request, Step, keys},
};

/// What is known about a token.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// SHA-256 of the token in hexadecimal.
    pub hash: String,
    /// The text of the user's JSON, or `None` when it has to be loaded.
    pub user: Option<Bytes>,
    /// When the store was asked, in microseconds of its clock: what `fill` needs.
    pub stamp: i64,
}

/// How often reads and validations were answered from the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Found.
    pub hits: u64,
    /// Not found.
    pub misses: u64,
    /// Could not be asked for.
    pub errors: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    errors: AtomicU64,
}

impl Counters {
    /// Counts a read: found, not found, or failed.
    pub(super) fn count(&self, found: Option<bool>) {
        match found {
            Some(true) => self.hits.fetch_add(1, Relaxed),
            Some(false) => self.misses.fetch_add(1, Relaxed),
            None => self.errors.fetch_add(1, Relaxed),
        };
    }
}

impl Sessions {
    /// Looks a token up.
    pub fn lookup(&self, token: &str) -> Result<Call<Lookup>> {
        keys::raw("token", token)?;
        let sessions = self.clone();
        let hash = random::to_hex(digest(&SHA256, token.as_bytes()).as_ref());
        let time = Request::command("TIME", []).merging(Merge::Same).repeatable();
        let requests = [Request::get(keys::session(&self.0.prefix, &hash)?), time];
        Ok(Call::round(requests, move |replies| {
            let counters = &sessions.0.counters;
            let found = replies.all().and_then(|replies| {
                let mut replies = replies.into_iter();
                let user = replies.next().unwrap_or(Reply::Nil).bulk()?;
                let [seconds, micros] = replies.next().unwrap_or(Reply::Nil).tuple()?;
                Ok(Lookup { hash, user, stamp: seconds.int()? * 1_000_000 + micros.int()? })
            });
            counters.count(found.as_ref().map(|found| found.user.is_some()).ok());
            found.map(Step::Done)
        }))
    }

    /// Caches a loaded user, the text of a JSON value, for so many seconds under what `lookup` answered. The user's id is its
    /// `userId` or else its `id`. False when that user was dropped after the look-up: then nothing is cached, because
    /// what was loaded may be older than that.
    pub fn fill(&self, hash: &str, stamp: i64, user: &str, ttl_seconds: f64) -> Result<Call<bool>> {
        let life = life::of_seconds("ttl", ttl_seconds)?;
        let place = self.place(hash)?;
        let object = Object::parse(user.as_bytes());
        if object.is_none() && serde_json::from_str::<&serde_json::value::RawValue>(user).is_err() {
            return Err(Error::argument("user must be a value that JSON can hold"));
        }
        let id = object.and_then(|user| user.name("userId").or_else(|| user.name("id")));
        let gone = id.as_deref().map(|id| keys::user_gone(&self.0.prefix, id)).transpose()?;

        let indexes = self.indexes(id.as_deref(), &[]).collect::<Result<Vec<_>>>()?;
        let mut requests = index::list_new(&indexes, &place.id, life);
        let value = Bytes::copy_from_slice(user.as_bytes());
        requests.push(set(place.session.clone(), value, life, None).repeatable());
        Ok(Call::round(requests, move |replies| {
            replies.all()?;
            let Some(gone) = gone else { return Ok(Step::Done(true)) };
            // Only after the value is there: who drops the user now finds it, who did before left the mark.
            let look = Request::keyed("GET", [gone]).repeatable();
            Ok(Step::Next(Call::round([look], move |replies| {
                let gone = replies.one()?;
                if gone == Reply::Nil || gone.int()? < stamp {
                    return Ok(Step::Done(true));
                }
                let drop = Request::keyed("DEL", [place.session]).repeatable();
                Ok(Step::Next(Call::new(drop, |_| Ok(false))))
            })))
        }))
    }

    /// What reads and validations found, since these sessions were made.
    pub fn stats(&self) -> Stats {
        let counters = &self.0.counters;
        Stats {
            hits: counters.hits.load(Relaxed),
            misses: counters.misses.load(Relaxed),
            errors: counters.errors.load(Relaxed),
        }
    }
}
