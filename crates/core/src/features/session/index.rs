//! Sessions by user and by tag: lists them, and drops them together.

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Merge, Reply, Request, Step, error::Result, number::LONGEST_SECONDS, random, script,
};
use ring::digest::{SHA256, digest};

use super::{
    SLACK, SessionKey, Sessions,
    contents::Contents,
    group::{Epoch, Group},
    metadata::{self, Record},
    read::{EpochKeys, ReadResult},
};
use crate::keys;

script!(REMOVE = "session/index_remove.lua", keys: 1, args: 2, with: ["clock.lua"]);
script!(READ = "session/index_read.lua", keys: 1, args: 0, with: ["clock.lua"]);
script!(DROP_GROUP = "session/drop_group.lua", keys: 3, args: 2, with: ["clock.lua"]);
script!(COUNT_INVALIDATION = "session/count_invalidation.lua", keys: 1, args: 2);
script!(DESTROY = "session/destroy.lua", keys: 2, args: 3);

/// The minimum ttl of an epoch that was dropped, in milliseconds. It also holds the time of the drop.
const EPOCH_TTL_MS: &[u8] = b"600000";
/// The ttl of the counter of invalidations, in milliseconds.
pub const COUNTER_TTL_MS: &[u8] = b"86400000";
/// How many sessions are deleted in one round.
const DELETE_SIZE: usize = 256;
/// For a value without a ttl.
const NO_TTL_MS: i64 = LONGEST_SECONDS as i64 * 1000;

/// A session of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedSession {
    /// Its id.
    pub id: String,
    /// Its JSON.
    pub json: Bytes,
    /// The remaining ttl in milliseconds, if requested.
    pub ttl_ms: i64,
}

impl Sessions {
    /// Returns a user's sessions, ordered by expiry. `with_ttl` also reads the remaining ttl of each.
    pub fn list(&self, user: &str, with_ttl: bool) -> Result<Call<Vec<ListedSession>>> {
        let sessions = self.clone();
        let group = Group::user(user.to_owned());
        let index = group.index_key(&self.0.prefix, Contents::Session)?;
        let epoch = EpochKeys::from_iter([group.epoch_key(&self.0.prefix)?]);
        let read = Request::script(&READ, [index]).merging(Merge::Script).reads();
        Ok(Call::round([read], move |replies| {
            let ids = ids(replies.last()?)?;
            let read =
                |id: &String| Ok(sessions.read_by(sessions.key(id)?, Contents::Session, with_ttl, epoch.clone()));
            let calls = ids.iter().map(read).collect::<Result<Vec<_>>>()?;
            Ok(Step::Next(Call::join_all(calls).map(move |found| {
                let valid =
                    found.into_iter().map(ReadResult::valid).zip(ids).filter_map(|(valid, id)| Some((valid?, id)));
                let own = valid.filter(|(valid, _)| valid.is_of(&group));
                own.map(|(valid, id)| ListedSession { id, json: valid.record.json, ttl_ms: valid.ttl_ms }).collect()
            })))
        }))
    }

    /// Deletes a session. Returns the number of keys deleted, 0 or 1.
    pub fn destroy(&self, id: &str) -> Result<Call<i64>> {
        self.clone().delete_all(vec![(self.key(id)?, Contents::Session, Bytes::new())], Vec::new(), Vec::new(), 0)
    }

    /// Deletes the session of this user with this public id. Returns the number of keys deleted, 0 or 1.
    pub fn destroy_of(&self, user: &str, wanted: String) -> Result<Call<i64>> {
        let sessions = self.clone();
        Ok(self.list(user, false)?.then(move |listed| {
            match listed.into_iter().find(|session| public_id(&session.id) == wanted) {
                Some(session) => sessions.destroy(&session.id).map(Step::Next),
                None => Ok(Step::Done(0)),
            }
        }))
    }

    /// Deletes the cached user of a token, by its hash, and cancels loads for it. Returns the number of keys deleted, 0 or 1.
    pub fn invalidate_token(&self, hash: &str) -> Result<Call<i64>> {
        self.clone().delete_all(vec![(self.key(hash)?, Contents::Token, Bytes::new())], Vec::new(), Vec::new(), 0)
    }

    /// Deletes every session with this tag. Returns how many.
    pub fn destroy_by_tag(&self, tag: &str) -> Result<Call<i64>> {
        self.drop_group(Group::tag(tag.to_owned()))
    }

    /// Deletes every session of this user, including cached validations, and prevents validations in flight from being cached. Returns
    /// how many were deleted.
    pub fn invalidate_user(&self, user: &str) -> Result<Call<i64>> {
        let dropped = self.drop_group(Group::user(user.to_owned()))?;
        let args =
            [keys::invalidations(&self.0.prefix), random::hex::<8>()?.into(), Bytes::from_static(COUNTER_TTL_MS)];
        let count = Request::script(&COUNT_INVALIDATION, args).merging(Merge::Script).idempotent().without_effect();
        // Counted before the epoch changes, so that a load that sees the new epoch can decide by the count whether it started
        // earlier.
        Ok(Call::round([count], move |replies| {
            replies.all()?;
            Ok(Step::Next(dropped))
        }))
    }

    /// Gives the group a new epoch, which ends all its sessions. They are also deleted, for programs that read them without this library.
    fn drop_group(&self, group: Group) -> Result<Call<i64>> {
        let sessions = self.clone();
        let (prefix, epoch) = (&self.0.prefix, Epoch::random()?);
        let (listed, tokens) = (group.index_key(prefix, Contents::Session)?, group.index_key(prefix, Contents::Token)?);
        let args = [listed, tokens, group.epoch_key(prefix)?, epoch.text(), Bytes::from_static(EPOCH_TTL_MS)];
        // The new epoch ends them all, however many are deleted afterwards.
        let request = Request::script(&DROP_GROUP, args).merging(Merge::Script).idempotent();
        let request = request.with_effect(Effect::Count(|_| Some(0)));
        Ok(Call::round([request], move |replies| {
            let [listed, tokens] = replies.last()?.tuple()?;
            let mut keys_to_delete = Vec::new();
            for (reply, of) in [(listed, Contents::Session), (tokens, Contents::Token)] {
                keys_to_delete
                    .extend(ids(reply)?.iter().map(|id| Ok((sessions.key(id)?, of))).collect::<Result<Vec<_>>>()?);
            }
            Ok(Step::Next(sessions.delete_listed(group, epoch, keys_to_delete, Vec::new())))
        }))
    }

    /// Reads the listed values, and deletes those that belonged to the group before its new epoch. If some cannot be read, the others
    /// are deleted before this fails.
    fn delete_listed(
        self,
        group: Group,
        epoch: Epoch,
        mut keys_to_delete: Vec<(SessionKey, Contents)>,
        mut members: Vec<(SessionKey, Contents, Bytes)>,
    ) -> Call<i64> {
        let rest = keys_to_delete.split_off(keys_to_delete.len().min(DELETE_SIZE));
        let requests: Vec<_> = keys_to_delete.iter().map(|(key, _)| Request::get(key.redis_key.clone())).collect();
        Call::round(requests, move |replies| {
            let mut failed = None;
            for ((key, of), reply) in keys_to_delete.into_iter().zip(replies.0) {
                let reply = match reply {
                    Ok(reply) => reply,
                    Err(error) => {
                        failed.get_or_insert(error);
                        continue;
                    }
                };
                let Some(record) = reply.bulk()?.and_then(|value| Record::read(&value)) else { continue };
                let was_member =
                    record.group_epochs.iter().any(|recorded| recorded.group == group && recorded.epoch != epoch);
                if was_member && record.of() == of {
                    members.push((key, of, record.tail));
                }
            }
            if let Some(error) = failed {
                let dropped = self.delete_all(members, Vec::new(), vec![group], 0)?;
                return Ok(Step::Next(dropped.then(move |_| Err(error))));
            }
            let next = if rest.is_empty() {
                self.delete_all(members, Vec::new(), vec![group], 0)?
            } else {
                self.delete_listed(group, epoch, rest, members)
            };
            Ok(Step::Next(next))
        })
    }

    /// Deletes the values with the given endings in several rounds. `index_removals` are the requests that remove those of the previous
    /// round from their indexes.
    fn delete_all(
        self,
        mut keys_to_delete: Vec<(SessionKey, Contents, Bytes)>,
        index_removals: Vec<Request>,
        groups: Vec<Group>,
        dropped: i64,
    ) -> Result<Call<i64>> {
        let rest = keys_to_delete.split_off(keys_to_delete.len().min(DELETE_SIZE));
        let before = index_removals.len();
        let mut requests = index_removals;
        for (key, of, tail) in &keys_to_delete {
            let token = if *of == Contents::Token { b"1" } else { b"0" };
            let args = [
                key.redis_key.clone(),
                key.load(&self.0.prefix)?,
                metadata::ending(Contents::Token),
                Bytes::from_static(token),
                tail.clone(),
            ];
            requests.push(Request::script(&DESTROY, args).merging(Merge::Script).with_effect(Effect::Count(destroyed)));
        }
        if requests.is_empty() {
            return Ok(Call::ready(dropped));
        }
        Ok(Call::round(requests, move |replies| {
            let mut dropped = dropped;
            let mut index_removals = Vec::new();
            // Removals from an index may fail: the entries expire.
            for ((key, of, _), reply) in keys_to_delete.into_iter().zip(replies.0.into_iter().skip(before)) {
                let reply = reply?;
                if reply == Reply::Nil {
                    continue;
                }
                dropped += 1;
                let [value, left] = reply.tuple()?;
                let left = match left.int()? {
                    left if left < 0 => NO_TTL_MS,
                    left => left + SLACK.as_millis() as i64,
                };
                let Some(record) = value.bulk()?.and_then(|value| Record::read(&value)) else { continue };
                let others = groups.iter().filter(|group| !record.groups().any(|other| other == *group));
                for index in record.groups().chain(others).flat_map(|group| group.index_key(&self.0.prefix, of)) {
                    let args = [index, key.id.clone(), left.to_string().into()];
                    index_removals
                        .push(Request::script(&REMOVE, args).merging(Merge::Script).idempotent().without_effect());
                }
            }
            if index_removals.is_empty() && rest.is_empty() {
                return Ok(Step::Done(dropped));
            }
            self.delete_all(rest, index_removals, groups, dropped).map(Step::Next)
        }))
    }
}

/// Returns how many keys `DESTROY` deleted.
fn destroyed(reply: &Reply) -> Option<u64> {
    (*reply != Reply::Nil).then_some(1)
}

/// Returns a public id for a session, which identifies it but gives no access to it. 128 bits in hexadecimal.
pub fn public_id(id: &str) -> String {
    let text = ["the public id of session ", id].concat();
    random::to_hex(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

/// Reads the ids of an index. Only UTF-8 is ever written there.
fn ids(reply: Reply) -> Result<Vec<String>> {
    let text = |id: Reply| Ok(String::from_utf8_lossy(&id.bulk()?.unwrap_or_default()).into_owned());
    reply.array()?.into_iter().map(text).collect()
}
