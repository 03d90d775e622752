//! Sessions by user and by tag: listing them, and dropping them together.

use bytes::Bytes;
use cinnabar_port::{Call, Effect, Merge, Reply, Request, Step, error::Result, random, script};
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

/// How long the time of a user's last drop is kept, in milliseconds, unless the user's sessions may live longer.
const EPOCH_TTL_MS: &[u8] = b"600000";
/// How long the counter of invalidations is kept after the last one, in milliseconds.
pub const COUNTER_TTL_MS: &[u8] = b"86400000";
/// Sessions that are dropped in one round.
const CHUNK: usize = 256;
/// A hundred years in milliseconds, for what has no end.
const FOR_EVER: i64 = 3_155_760_000_000;

/// A session of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedSession {
    /// Its id.
    pub id: String,
    /// Its JSON.
    pub json: Bytes,
    /// The remaining ttl in milliseconds, if requested.
    pub left: i64,
}

impl Sessions {
    /// A user's sessions, ordered by expiry. `with_left` also reads the remaining ttl of each.
    pub fn list(&self, user: &str, with_left: bool) -> Result<Call<Vec<ListedSession>>> {
        let sessions = self.clone();
        let group = Group::user(user.to_owned());
        let index = group.index_key(&self.0.prefix, Contents::Session)?;
        let epoch = EpochKeys::from_iter([group.epoch_key(&self.0.prefix)?]);
        let read = Request::script(&READ, [index]).merging(Merge::Script).reads();
        Ok(Call::round([read], move |replies| {
            let ids = ids(replies.last()?)?;
            let read =
                |id: &String| Ok(sessions.read_by(sessions.key(id)?, Contents::Session, with_left, epoch.clone()));
            let calls = ids.iter().map(read).collect::<Result<Vec<_>>>()?;
            Ok(Step::Next(Call::join_all(calls).map(move |found| {
                let live = found.into_iter().map(ReadResult::live).zip(ids).filter_map(|(live, id)| Some((live?, id)));
                let mine = live.filter(|(live, _)| live.is_of(&group));
                mine.map(|(live, id)| ListedSession { id, json: live.record.json, left: live.left }).collect()
            })))
        }))
    }

    /// Deletes a session; answers how many keys of sessions went, 0 or 1.
    pub fn destroy(&self, id: &str) -> Result<Call<i64>> {
        self.clone().delete_all(vec![(self.key(id)?, Contents::Session, Bytes::new())], Vec::new(), Vec::new(), 0)
    }

    /// Deletes the session of this user with this public id; returns the number of keys deleted, 0 or 1.
    pub fn destroy_of(&self, user: &str, wanted: String) -> Result<Call<i64>> {
        let sessions = self.clone();
        Ok(self.list(user, false)?.then(move |listed| {
            match listed.into_iter().find(|session| public_id(&session.id) == wanted) {
                Some(session) => sessions.destroy(&session.id).map(Step::Next),
                None => Ok(Step::Done(0)),
            }
        }))
    }

    /// Deletes the cached user of a token, by its hash, and cancels loads for it; returns the number of keys deleted, 0 or 1.
    pub fn invalidate_token(&self, hash: &str) -> Result<Call<i64>> {
        self.clone().delete_all(vec![(self.key(hash)?, Contents::Token, Bytes::new())], Vec::new(), Vec::new(), 0)
    }

    /// Deletes every session with this tag; answers how many.
    pub fn destroy_by_tag(&self, tag: &str) -> Result<Call<i64>> {
        self.drop_group(Group::tag(tag.to_owned()))
    }

    /// Deletes every session of this user, cached validations included, and keeps validations that are under way from
    /// being cached; answers how many went.
    pub fn invalidate_user(&self, user: &str) -> Result<Call<i64>> {
        let dropped = self.drop_group(Group::user(user.to_owned()))?;
        let args =
            [keys::invalidations(&self.0.prefix), random::hex::<8>()?.into(), Bytes::from_static(COUNTER_TTL_MS)];
        let count = Request::script(&COUNT_INVALIDATION, args).merging(Merge::Script).idempotent().without_effect();
        // Counted before the epoch changes, so that a load that sees the new epoch can tell by the count whether it started
        // earlier.
        Ok(Call::round([count], move |replies| {
            replies.all()?;
            Ok(Step::Next(dropped))
        }))
    }

    /// The new epoch ends all sessions of the group. They are also deleted, for programs that read them without this library.
    fn drop_group(&self, group: Group) -> Result<Call<i64>> {
        let sessions = self.clone();
        let (prefix, epoch) = (&self.0.prefix, Epoch::fresh()?);
        let (listed, tokens) = (group.index_key(prefix, Contents::Session)?, group.index_key(prefix, Contents::Token)?);
        let args = [listed, tokens, group.epoch_key(prefix)?, epoch.text(), Bytes::from_static(EPOCH_TTL_MS)];
        // This ends all of them, however many are deleted afterwards.
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

    /// Reads what was listed, and finds those that are of the group as it was. Where some cannot be read, those that can are
    /// deleted before it fails.
    fn delete_listed(
        self,
        group: Group,
        epoch: Epoch,
        mut keys_to_delete: Vec<(SessionKey, Contents)>,
        mut over: Vec<(SessionKey, Contents, Bytes)>,
    ) -> Call<i64> {
        let rest = keys_to_delete.split_off(keys_to_delete.len().min(CHUNK));
        let requests: Vec<_> = keys_to_delete.iter().map(|(key, _)| Request::get(key.session.clone())).collect();
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
                let was = record.group_epochs.iter().any(|mark| mark.group == group && mark.epoch != epoch);
                if was && record.of() == of {
                    over.push((key, of, record.tail));
                }
            }
            if let Some(error) = failed {
                let dropped = self.delete_all(over, Vec::new(), vec![group], 0)?;
                return Ok(Step::Next(dropped.then(move |_| Err(error))));
            }
            let next = if rest.is_empty() {
                self.delete_all(over, Vec::new(), vec![group], 0)?
            } else {
                self.delete_listed(group, epoch, rest, over)
            };
            Ok(Step::Next(next))
        })
    }

    /// Deletes the values with the given endings in several rounds. `tidy` removes those of the last round from their indexes.
    fn delete_all(
        self,
        mut keys_to_delete: Vec<(SessionKey, Contents, Bytes)>,
        tidy: Vec<Request>,
        groups: Vec<Group>,
        dropped: i64,
    ) -> Result<Call<i64>> {
        let rest = keys_to_delete.split_off(keys_to_delete.len().min(CHUNK));
        let before = tidy.len();
        let mut requests = tidy;
        for (key, of, tail) in &keys_to_delete {
            let token = if *of == Contents::Token { b"1" } else { b"0" };
            let args = [
                key.session.clone(),
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
            let mut tidy = Vec::new();
            // Tidying may fail: what stays in an index goes when its time comes.
            for ((key, of, _), reply) in keys_to_delete.into_iter().zip(replies.0.into_iter().skip(before)) {
                let reply = reply?;
                if reply == Reply::Nil {
                    continue;
                }
                dropped += 1;
                let [value, left] = reply.tuple()?;
                let left = match left.int()? {
                    left if left < 0 => FOR_EVER,
                    left => left + SLACK.as_millis() as i64,
                };
                let Some(record) = value.bulk()?.and_then(|value| Record::read(&value)) else { continue };
                let others = groups.iter().filter(|group| !record.groups().any(|other| other == *group));
                for index in record.groups().chain(others).flat_map(|group| group.index_key(&self.0.prefix, of)) {
                    let args = [index, key.id.clone(), left.to_string().into()];
                    tidy.push(Request::script(&REMOVE, args).merging(Merge::Script).idempotent().without_effect());
                }
            }
            if tidy.is_empty() && rest.is_empty() {
                return Ok(Step::Done(dropped));
            }
            self.delete_all(rest, tidy, groups, dropped).map(Step::Next)
        }))
    }
}

/// The number of keys that a run of `DESTROY` deleted.
fn destroyed(reply: &Reply) -> Option<u64> {
    (*reply != Reply::Nil).then_some(1)
}

/// A public id for a session, which identifies it but gives no access to it. 128 bits in hexadecimal.
pub fn public_id(id: &str) -> String {
    let text = ["the public id of session ", id].concat();
    random::to_hex(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

/// Ids that an index lists. Only UTF-8 is ever written there.
fn ids(reply: Reply) -> Result<Vec<String>> {
    let text = |id: Reply| Ok(String::from_utf8_lossy(&id.bulk()?.unwrap_or_default()).into_owned());
    reply.array()?.into_iter().map(text).collect()
}
