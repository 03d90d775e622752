//! Caches the user of a token under the token's hash. The token itself is never stored.
//!
//! A load may return data from before a user was dropped. So two things are read before it starts, and its result is stored
//! only if neither has changed: an epoch of the load, in a key next to the token's, which is deleted when the token is dropped, and the count of
//! invalidations. The user is unknown before the load. If it turns out that the user's epoch already existed at a lower count,
//! the later invalidations were those of other users.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Merge, Reply, Request, Step,
    effect::is_one,
    error::{Error, Result},
    random, script,
};
use ring::digest::{SHA256, digest};

use super::{
    SessionKey, Sessions,
    contents::Contents,
    destroy::COUNTER_TTL_MS,
    group::{Count, Epoch, Group, GroupEpoch, group_states},
    metadata::{self, Metadata},
    near::{self, NearRead},
    read::ReadResult,
    update::damaged_epoch,
};
use crate::{
    features::{
        near::{Copy, NearAt},
        ttl,
    },
    keys,
};

script!(GET_OR_SET = "session/get_or_set.lua", keys: 1, args: 2);
script!(STORE_TOKEN = "session/store_token.lua", keys: 2, args: 4);
script!(RECORD_COUNT = "session/record_count.lua", keys: 1, args: 2);

/// How long a load may take for its result to be stored, in milliseconds.
const LOAD_TTL_MS: &[u8] = b"600000";

/// What is known about a token.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// SHA-256 of the token in hexadecimal.
    pub hash: String,
    /// The text of the user's JSON, or `None` if it has to be loaded.
    pub user: Option<Bytes>,
    /// The stamp of a load that starts now, for `fill`. Callers with equal stamps may share a load. Empty on a hit.
    pub stamp: String,
}

/// The outcomes of reads and validations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Found.
    pub hits: u64,
    /// Not found.
    pub misses: u64,
    /// Failed, or found what does not decrypt, which counts as a miss too.
    pub errors: u64,
    /// How many of those that were found were near.
    pub near_hits: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    errors: AtomicU64,
    near_hits: AtomicU64,
    /// Whether a value could not be decrypted.
    pub(super) has_unreadable: AtomicBool,
}

impl Counters {
    /// Counts a value that cannot be decrypted, which is then not found.
    pub(super) fn count_unreadable(&self) {
        self.errors.fetch_add(1, Relaxed);
        self.has_unreadable.store(true, Relaxed);
    }

    /// Counts a value that was found near.
    pub(super) fn count_near(&self) {
        self.near_hits.fetch_add(1, Relaxed);
    }

    /// Counts a read: found, not found, or failed.
    pub(super) fn count(&self, found: Option<bool>) {
        match found {
            Some(true) => self.hits.fetch_add(1, Relaxed),
            Some(false) => self.misses.fetch_add(1, Relaxed),
            None => self.errors.fetch_add(1, Relaxed),
        };
    }
}

/// The result of a load, about to be stored.
struct Fill {
    sessions: Sessions,
    key: SessionKey,
    /// The epoch of the load.
    load_epoch: Bytes,
    /// The count of invalidations when the load started.
    count: Bytes,
    user: Bytes,
    ttl: Duration,
}

/// Returns the hash of a token: SHA-256 in hexadecimal.
pub fn hash(token: &str) -> String {
    random::to_hex(digest(&SHA256, token.as_bytes()).as_ref())
}

impl Sessions {
    /// Looks a token up. `loading` says that a load for it is running in this process, which this caller will probably share:
    /// then everything is read in one round.
    pub fn lookup(&self, token: &str, loading: bool) -> Result<Call<Lookup>> {
        self.lookup_near(token, loading, None)
    }

    /// Does the same through a near tier, if there is one.
    pub fn lookup_near(&self, token: &str, loading: bool, near: Option<NearAt>) -> Result<Call<Lookup>> {
        keys::raw("token", token)?;
        let (sessions, hash) = (self.clone(), hash(token));
        let key = self.stored_key(&hash, Contents::Token)?;
        let call = if loading {
            self.read_during_load(key, hash)?
        } else {
            let near = near.map(|near| NearRead::new(self, near, &key));
            match near.as_ref().and_then(NearRead::find) {
                Some(entry) => Call::ready(Lookup { hash, user: Some(entry.json.clone()), stamp: String::new() }),
                None => self.read_then_begin(key, hash, near),
            }
        };
        Ok(call.inspect(move |found| {
            sessions.0.counters.count(found.map(|found| found.user.is_some()).ok());
        }))
    }

    /// Returns the user of a token for JavaScript, which checks from then on itself that it is right, if it is near.
    pub fn near_user(&self, token: &str, near: &NearAt) -> Option<Copy> {
        let key = self.stored_key(&hash(token), Contents::Token).ok()?;
        near.copy(&key.redis_key, near::kind(&key, false))
    }

    fn read_then_begin(&self, key: SessionKey, hash: String, near: Option<NearRead>) -> Call<Lookup> {
        let sessions = self.clone();
        let with_ttl = near.as_ref().is_some_and(NearRead::keeps);
        self.read(key.clone(), with_ttl).then(move |found| match found {
            ReadResult::Valid(valid) => {
                if let Some(near) = near {
                    near.keep(&valid, Duration::MAX);
                }
                Ok(Step::Done(Lookup { hash, user: Some(valid.record.json), stamp: String::new() }))
            }
            _ => sessions.begin(key, hash).map(Step::Next),
        })
    }

    fn read_during_load(&self, key: SessionKey, hash: String) -> Result<Call<Lookup>> {
        let sessions = self.clone();
        let keys = [key.redis_key.clone(), key.load(&self.0.prefix)?, keys::invalidations(&self.0.prefix)];
        Ok(Call::round(keys.map(Request::get), move |replies| {
            let mut replies = replies.all()?.into_iter().map(Reply::bulk);
            let mut next = || replies.next().transpose().map(Option::flatten);
            match (next()?, next()?, next()?) {
                (None, Some(load_epoch), Some(count)) => {
                    Ok(Step::Done(Lookup { hash, user: None, stamp: stamp(&load_epoch, &count) }))
                }
                _ => Ok(Step::Next(sessions.read_then_begin(key, hash, None))),
            }
        }))
    }

    /// Starts a load after a miss.
    fn begin(&self, key: SessionKey, hash: String) -> Result<Call<Lookup>> {
        let get_or_set = |key, value: String, ttl| {
            let args = [key, value.into(), Bytes::from_static(ttl)];
            Request::script(&GET_OR_SET, args).merging(Merge::Script).idempotent().without_effect()
        };
        let requests = [
            get_or_set(key.load(&self.0.prefix)?, random::hex::<8>()?, LOAD_TTL_MS),
            get_or_set(keys::invalidations(&self.0.prefix), format!("{}:0", random::hex::<8>()?), COUNTER_TTL_MS),
        ];
        Ok(Call::round(requests, move |replies| {
            let mut replies = replies.all()?.into_iter().map(|reply| Ok(reply.bulk()?.unwrap_or_default()));
            let mut next = || replies.next().unwrap_or(Ok(Bytes::new()));
            let (load_epoch, count): (Result<Bytes>, Result<Bytes>) = (next(), next());
            Ok(Step::Done(Lookup { hash, user: None, stamp: stamp(&load_epoch?, &count?) }))
        }))
    }

    /// Caches a loaded user, given as JSON with its possible ids `owners`, for `ttl_seconds`, using the result of `lookup`.
    /// Returns false and caches nothing if the token or one of these users was, or may have been, dropped after the lookup,
    /// since the loaded user may be older.
    pub fn fill(&self, hash: &str, stamp: &str, user: &str, owners: &[String], ttl_seconds: f64) -> Result<Call<bool>> {
        let ttl = ttl::from_seconds("ttl", ttl_seconds)?;
        if serde_json::from_str::<&serde_json::value::RawValue>(user).is_err() {
            return Err(Error::argument("user must be a value that JSON can hold"));
        }
        let key = self.stored_key(hash, Contents::Token)?;
        let groups: Vec<_> = owners.iter().cloned().map(Group::user).collect();
        let (load_epoch, count) = stamp.split_once(' ').unwrap_or_default();
        let requests = self.add_to_indexes(&groups, Contents::Token, &key.id, ttl)?;
        let fill = Fill {
            sessions: self.clone(),
            key,
            load_epoch: Bytes::copy_from_slice(load_epoch.as_bytes()),
            count: Bytes::copy_from_slice(count.as_bytes()),
            user: Bytes::copy_from_slice(user.as_bytes()),
            ttl,
        };
        Ok(Call::round(requests, move |replies| fill.group_states(groups, group_states(replies.all()?)?)))
    }

    /// Returns the outcomes of reads and validations since this session store was created.
    pub fn stats(&self) -> Stats {
        let counters = &self.0.counters;
        Stats {
            hits: counters.hits.load(Relaxed),
            misses: counters.misses.load(Relaxed),
            errors: counters.errors.load(Relaxed),
            near_hits: counters.near_hits.load(Relaxed),
        }
    }
}

impl Fill {
    fn group_states(self, groups: Vec<Group>, known: Vec<Option<super::group::GroupState>>) -> Result<Step<bool>> {
        let known = known.into_iter().collect::<Option<Vec<_>>>().ok_or_else(damaged_epoch)?;
        let began = Count::read(&String::from_utf8_lossy(&self.count));
        let old =
            |since: &Option<Count>| began.as_ref().zip(since.as_ref()).is_some_and(|(began, since)| since.is_by(began));
        let fresh: Vec<_> = known.iter().filter(|known| !old(&known.since)).map(|known| known.epoch).collect();
        let group_epochs: Vec<_> =
            groups.into_iter().zip(known).map(|(group, known)| GroupEpoch { group, epoch: known.epoch }).collect();
        if fresh.is_empty() {
            return self.store(group_epochs, Vec::new()).map(Step::Next);
        }
        // Read after the epochs exist: dropping one of these users from now on changes an epoch that was read.
        let read_count = Request::get(keys::invalidations(&self.sessions.0.prefix));
        Ok(Step::Next(Call::round([read_count], move |replies| {
            let count = replies.last()?.bulk()?.unwrap_or_default();
            let notes = self.notes(&group_epochs, &fresh, &count)?;
            if count == self.count && !count.is_empty() {
                return self.store(group_epochs, notes).map(Step::Next);
            }
            Ok(Step::Next(Call::round(notes, |replies| replies.all().map(|_| Step::Done(false)))))
        })))
    }

    /// Records that these epochs existed at this count, which saves the next load a round.
    fn notes(&self, group_epochs: &[GroupEpoch], fresh: &[Epoch], count: &Bytes) -> Result<Vec<Request>> {
        if count.is_empty() {
            return Ok(Vec::new());
        }
        let fresh = group_epochs.iter().filter(|recorded| fresh.contains(&recorded.epoch));
        let note = |recorded: &GroupEpoch| {
            let args = [recorded.group.epoch_key(&self.sessions.0.prefix)?, recorded.epoch.text(), count.clone()];
            Ok(Request::script(&RECORD_COUNT, args).merging(Merge::Script).idempotent().without_effect())
        };
        fresh.map(note).collect()
    }

    fn store(self, group_epochs: Vec<GroupEpoch>, notes: Vec<Request>) -> Result<Call<bool>> {
        let tail = Metadata { of: Contents::Token, ttl: self.ttl, owner: None, group_epochs, extra: None }.encode();
        let value = self.sessions.stored_value(&self.key.id, &self.user, &tail)?;
        let load = self.key.load(&self.sessions.0.prefix)?;
        let args = [
            self.key.redis_key,
            load,
            self.load_epoch,
            value,
            ttl::millis(self.ttl),
            metadata::ending(Contents::Token),
        ];
        let fill = Request::script(&STORE_TOKEN, args)
            .merging(Merge::Script)
            .idempotent()
            .with_effect(Effect::ChangedIf(is_one));
        Ok(Call::round(notes.into_iter().chain([fill]), |replies| {
            Ok(Step::Done(replies.all()?.pop() == Some(Reply::Int(1))))
        }))
    }
}

fn stamp(load_epoch: &[u8], count: &[u8]) -> String {
    format!("{} {}", String::from_utf8_lossy(load_epoch), String::from_utf8_lossy(count))
}
