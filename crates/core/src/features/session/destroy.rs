//! Ends sessions: one, or all of a user or with a tag.

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Merge, Reply, Request, Step,
    error::{Error, Kind, Result},
    number::LONGEST_SECONDS,
    random, script,
};

use super::{
    MAX_ROUNDS, SLACK, SessionKey, Sessions,
    contents::Contents,
    ending::{Ending, Reason},
    group::{Epoch, Group, Kind as GroupKind},
    index::{Entries, ListedSession, ids, public_id_of},
    metadata::{self, Record},
};
use crate::keys;

script!(REMOVE = "session/index_remove.lua", keys: 1, args: 2, with: ["clock.lua"]);
script!(DROP_GROUP = "session/drop_group.lua", keys: 3, args: 2, with: ["clock.lua"]);
script!(COUNT_INVALIDATION = "session/count_invalidation.lua", keys: 1, args: 2);
script!(DESTROY = "session/destroy.lua", keys: 2, args: 4);

/// The minimum ttl of an epoch that was dropped, in milliseconds. It also holds the time of the drop.
const EPOCH_TTL_MS: &[u8] = b"600000";
/// The ttl of the counter of invalidations, in milliseconds.
pub const COUNTER_TTL_MS: &[u8] = b"86400000";
/// How many sessions are deleted in one round.
const DELETE_SIZE: usize = 256;
/// For a value without a ttl.
const NO_TTL_MS: i64 = LONGEST_SECONDS as i64 * 1000;

impl Sessions {
    /// Deletes a session. Returns the number of keys deleted, 0 or 1.
    pub fn destroy(&self, id: &str) -> Result<Call<i64>> {
        let key = self.key(id)?;
        let dropped = if key.token.is_none() { self.drop_at(key)? } else { self.destroy_rotated(key.clone(), key, 0)? };
        Ok(self.announce_destroyed(dropped))
    }

    /// Publishes which sessions were destroyed; returns how many.
    fn announce_destroyed(&self, dropped: Call<Dropped>) -> Call<i64> {
        let sessions = self.clone();
        dropped.then(move |Dropped { count, endings }| sessions.announce(endings, move || Ok(Step::Done(count))))
    }

    /// Deletes the session with a token, which may be rotated meanwhile: `at` is where it was found.
    fn destroy_rotated(&self, key: SessionKey, at: SessionKey, rounds: usize) -> Result<Call<Dropped>> {
        let sessions = self.clone();
        Ok(self.drop_at(at)?.then(move |dropped| {
            if dropped.count > 0 {
                return Ok(Step::Done(dropped));
            }
            if rounds == MAX_ROUNDS {
                return Err(Error::new(Kind::Conflict, "the session's token kept changing; it was not destroyed"));
            }
            Ok(Step::Next(sessions.read_for_destroy(key.clone()).then(move |found| {
                let Some(valid) = found.valid() else { return Ok(Step::Done(Dropped::default())) };
                let at = valid.successor.map_or_else(|| key.clone(), |key| *key);
                sessions.destroy_rotated(key, at, rounds + 1).map(Step::Next)
            })))
        }))
    }

    /// Deletes what was written at a key that no caller knows, so that nothing is published.
    pub(super) fn destroy_at(&self, key: SessionKey) -> Result<Call<i64>> {
        Ok(self.drop_at(key)?.map(|dropped| dropped.count))
    }

    fn drop_at(&self, key: SessionKey) -> Result<Call<Dropped>> {
        self.clone().delete_all(vec![(key, Bytes::new())], Vec::new(), Vec::new(), Dropped::default())
    }

    /// Deletes the session of this user with this public id. Returns the number of keys deleted, 0 or 1.
    pub fn destroy_of(&self, user: &str, wanted: String) -> Result<Call<i64>> {
        let ending = Ending::of_session(Reason::Destroyed, wanted.clone(), Some(user.to_owned()));
        let (sessions, destroyed) = (self.clone(), self.destroy_listed(user.to_owned(), wanted, 0)?);
        Ok(destroyed.then(move |count| sessions.announce((count > 0).then_some(ending), move || Ok(Step::Done(count)))))
    }

    fn destroy_listed(&self, user: String, wanted: String, rounds: usize) -> Result<Call<i64>> {
        let sessions = self.clone();
        Ok(self.entries(&user, false)?.then(move |Entries { listed, .. }| {
            // There are several while its token is being rotated.
            let found: Vec<_> = listed.into_iter().filter(|session| session.public_id == wanted).collect();
            if found.is_empty() {
                return Ok(Step::Done(i64::from(rounds > 0)));
            }
            if rounds == MAX_ROUNDS {
                return Err(Error::new(Kind::Conflict, "the session's token kept changing; it was not destroyed"));
            }
            let key = |session: ListedSession| Ok((sessions.listed_key(&session)?, Bytes::new()));
            let keys = found.into_iter().map(key).collect::<Result<Vec<_>>>()?;
            let is_final = keys.iter().all(|(key, _)| key.of == Contents::Session);
            let destroyed = sessions.clone().delete_all(keys, Vec::new(), Vec::new(), Dropped::default())?;
            Ok(Step::Next(destroyed.then(move |dropped| {
                if is_final {
                    return Ok(Step::Done(dropped.count));
                }
                sessions.destroy_listed(user, wanted, rounds + 1).map(Step::Next)
            })))
        }))
    }

    /// Deletes the cached user of a token, by its hash, and cancels loads for it. Returns the number of keys deleted, 0 or 1.
    pub fn invalidate_token(&self, hash: &str) -> Result<Call<i64>> {
        self.destroy_at(self.stored_key(hash, Contents::Token)?)
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
                    .extend(ids(reply)?.iter().map(|id| sessions.stored_key(id, of)).collect::<Result<Vec<_>>>()?);
            }
            let ending = match group.kind {
                GroupKind::User => Ending::of_user(group.name.clone()),
                GroupKind::Tag => Ending::of_tag(group.name.clone()),
            };
            // They have ended. Deleting them may take longer.
            let deleting = sessions.clone();
            sessions.announce([ending], move || {
                let deleted = deleting.delete_listed(group, epoch, keys_to_delete, Vec::new());
                Ok(Step::Next(deleted.map(|dropped| dropped.count)))
            })
        }))
    }

    /// Reads the listed values, and deletes those that belonged to the group before its new epoch. If some cannot be read, the others
    /// are deleted before this fails.
    fn delete_listed(
        self,
        group: Group,
        epoch: Epoch,
        mut keys_to_delete: Vec<SessionKey>,
        mut members: Vec<(SessionKey, Bytes)>,
    ) -> Call<Dropped> {
        let rest = keys_to_delete.split_off(keys_to_delete.len().min(DELETE_SIZE));
        let requests: Vec<_> = keys_to_delete.iter().map(|key| Request::get(key.redis_key.clone())).collect();
        Call::round(requests, move |replies| {
            let mut failed = None;
            for (key, reply) in keys_to_delete.into_iter().zip(replies.0) {
                let reply = match reply {
                    Ok(reply) => reply,
                    Err(error) => {
                        failed.get_or_insert(error);
                        continue;
                    }
                };
                let Some(record) = reply.bulk()?.and_then(|value| self.record(&key.id, &value).ok()) else { continue };
                let was_member =
                    record.group_epochs.iter().any(|recorded| recorded.group == group && recorded.epoch != epoch);
                if was_member && record.of().is_session() == key.of.is_session() {
                    members.push((SessionKey { of: record.of(), ..key }, record.tail));
                }
            }
            if let Some(error) = failed {
                let dropped = self.delete_all(members, Vec::new(), vec![group], Dropped::default())?;
                return Ok(Step::Next(dropped.then(move |_| Err(error))));
            }
            let next = if rest.is_empty() {
                self.delete_all(members, Vec::new(), vec![group], Dropped::default())?
            } else {
                self.delete_listed(group, epoch, rest, members)
            };
            Ok(Step::Next(next))
        })
    }

    /// Deletes the values with the given endings in several rounds. `index_removals` are the requests that remove those of the previous
    /// round from their indexes.
    pub(super) fn delete_all(
        self,
        mut keys_to_delete: Vec<(SessionKey, Bytes)>,
        index_removals: Vec<Request>,
        groups: Vec<Group>,
        dropped: Dropped,
    ) -> Result<Call<Dropped>> {
        let rest = keys_to_delete.split_off(keys_to_delete.len().min(DELETE_SIZE));
        let before = index_removals.len();
        let mut requests = index_removals;
        for (key, tail) in &keys_to_delete {
            // A session of another program has no ending.
            let wanted = if key.of == Contents::Session { Bytes::new() } else { metadata::ending(key.of) };
            let args = [
                key.redis_key.clone(),
                key.load(&self.0.prefix)?,
                metadata::ending(Contents::Token),
                metadata::endings(),
                wanted,
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
            for ((key, _), reply) in keys_to_delete.into_iter().zip(replies.0.into_iter().skip(before)) {
                let reply = reply?;
                if reply == Reply::Nil {
                    continue;
                }
                dropped.count += 1;
                let [value, left] = reply.tuple()?;
                let left = match left.int()? {
                    left if left < 0 => NO_TTL_MS,
                    left => left + SLACK.as_millis() as i64,
                };
                let Some(record) = value.bulk()?.and_then(|value| self.record(&key.id, &value).ok()) else { continue };
                // The endings of a group are published as one.
                if groups.is_empty() && record.of().is_session() {
                    dropped.endings.push(destroyed_ending(&record, &key));
                }
                let others = groups.iter().filter(|group| !record.groups().any(|other| other == *group));
                for index in record.groups().chain(others).flat_map(|group| group.index_key(&self.0.prefix, key.of)) {
                    index_removals.push(removal(index, key.id.clone(), left.to_string().into()));
                }
            }
            if index_removals.is_empty() && rest.is_empty() {
                return Ok(Step::Done(dropped));
            }
            self.delete_all(rest, index_removals, groups, dropped).map(Step::Next)
        }))
    }
}

/// Returns the request that removes an id, whose session had this many milliseconds to live, from an index.
fn removal(index: Bytes, id: Bytes, left_ms: Bytes) -> Request {
    Request::script(&REMOVE, [index, id, left_ms]).merging(Merge::Script).idempotent().without_effect()
}

/// Returns how many keys `DESTROY` deleted.
fn destroyed(reply: &Reply) -> Option<u64> {
    (*reply != Reply::Nil).then_some(1)
}

fn destroyed_ending(record: &Record, key: &SessionKey) -> Ending {
    let public_id = public_id_of(record, &String::from_utf8_lossy(&key.id));
    Ending::of_session(Reason::Destroyed, public_id, record.owner().map(|owner| owner.name.clone()))
}

/// What was deleted.
#[derive(Debug, Default)]
pub struct Dropped {
    /// How many values.
    pub count: i64,
    /// The sessions among them, unless they are those of a group.
    pub endings: Vec<Ending>,
}
