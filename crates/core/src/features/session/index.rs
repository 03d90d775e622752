//! Sessions by user and by tag: listing them, and dropping them together.

use bytes::Bytes;
use cinnabar_port::{Call, Effect, Merge, Reply, Request, Step, error::Result, random, script};
use ring::digest::{SHA256, digest};

use super::{
    Place, SLACK, Sessions,
    contents::Contents,
    group::{Epoch, Group},
    read::{Found, Needed},
    seal::{self, Record},
};
use crate::keys;

script!(REMOVE = "session/index_remove.lua", keys: 1, args: 2, with: ["session/now.lua"]);
script!(READ = "session/index_read.lua", keys: 1, args: 0);
script!(DROP = "session/drop.lua", keys: 3, args: 2);
script!(COUNT = "session/count.lua", keys: 1, args: 2);
script!(DESTROY = "session/destroy.lua", keys: 2, args: 3);

/// How long the time of a user's last drop is kept, in milliseconds, unless the user's sessions may live longer.
const DROPPED_LIFE: &[u8] = b"600000";
/// How long the counter of invalidations is kept after the last one, in milliseconds.
pub const COUNT_LIFE: &[u8] = b"86400000";
/// Sessions that are dropped in one round.
const CHUNK: usize = 256;
/// A hundred years in milliseconds, for what has no end.
const FOR_EVER: i64 = 3_155_760_000_000;

/// A session of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its JSON.
    pub json: Bytes,
    /// The remaining ttl in milliseconds, if requested.
    pub left: i64,
}

impl Sessions {
    /// A user's sessions, ordered by expiry. `with_left` also reads the remaining ttl of each.
    pub fn list(&self, user: &str, with_left: bool) -> Result<Call<Vec<Listed>>> {
        let sessions = self.clone();
        let group = Group::user(user.to_owned());
        let index = group.index_key(&self.0.prefix, Contents::Session)?;
        let epoch = Needed::from_iter([group.epoch_key(&self.0.prefix)?]);
        let read = Request::script(&READ, [index]).merging(Merge::Script).reads();
        Ok(Call::round([read], move |replies| {
            let ids = ids(replies.last()?)?;
            let read =
                |id: &String| Ok(sessions.read_by(sessions.place(id)?, Contents::Session, with_left, epoch.clone()));
            let calls = ids.iter().map(read).collect::<Result<Vec<_>>>()?;
            Ok(Step::Next(Call::join_all(calls).map(move |found| {
                let live = found.into_iter().map(Found::live).zip(ids).filter_map(|(live, id)| Some((live?, id)));
                let mine = live.filter(|(live, _)| live.is_of(&group));
                mine.map(|(live, id)| Listed { id, json: live.record.json, left: live.left }).collect()
            })))
        }))
    }

    /// Deletes a session; answers how many keys of sessions went, 0 or 1.
    pub fn destroy(&self, id: &str) -> Result<Call<i64>> {
        self.clone().drop_all(vec![(self.place(id)?, Contents::Session, Bytes::new())], Vec::new(), Vec::new(), 0)
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
        self.clone().drop_all(vec![(self.place(hash)?, Contents::Token, Bytes::new())], Vec::new(), Vec::new(), 0)
    }

    /// Deletes every session with this tag; answers how many.
    pub fn destroy_by_tag(&self, tag: &str) -> Result<Call<i64>> {
        self.drop_group(Group::tag(tag.to_owned()))
    }

    /// Deletes every session of this user, cached validations included, and keeps validations that are under way from
    /// being cached; answers how many went.
    pub fn invalidate_user(&self, user: &str) -> Result<Call<i64>> {
        let dropped = self.drop_group(Group::user(user.to_owned()))?;
        let args = [keys::invalidations(&self.0.prefix), random::hex::<8>()?.into(), Bytes::from_static(COUNT_LIFE)];
        let count = Request::script(&COUNT, args).merging(Merge::Script).idempotent().without_effect();
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
        let args = [listed, tokens, group.epoch_key(prefix)?, epoch.text(), Bytes::from_static(DROPPED_LIFE)];
        // This ends all of them, however many are deleted afterwards.
        let request = Request::script(&DROP, args).merging(Merge::Script).idempotent();
        let request = request.with_effect(Effect::Count(|_| Some(0)));
        Ok(Call::round([request], move |replies| {
            let [listed, tokens] = replies.last()?.tuple()?;
            let mut places = Vec::new();
            for (reply, of) in [(listed, Contents::Session), (tokens, Contents::Token)] {
                places.extend(ids(reply)?.iter().map(|id| Ok((sessions.place(id)?, of))).collect::<Result<Vec<_>>>()?);
            }
            Ok(Step::Next(sessions.sort_out(group, epoch, places, Vec::new())))
        }))
    }

    /// Reads what was listed, and finds those that are of the group as it was. Where some cannot be read, those that can are
    /// deleted before it fails.
    fn sort_out(
        self,
        group: Group,
        epoch: Epoch,
        mut places: Vec<(Place, Contents)>,
        mut over: Vec<(Place, Contents, Bytes)>,
    ) -> Call<i64> {
        let rest = places.split_off(places.len().min(CHUNK));
        let requests: Vec<_> = places.iter().map(|(place, _)| Request::get(place.session.clone())).collect();
        Call::round(requests, move |replies| {
            let mut failed = None;
            for ((place, of), reply) in places.into_iter().zip(replies.0) {
                let reply = match reply {
                    Ok(reply) => reply,
                    Err(error) => {
                        failed.get_or_insert(error);
                        continue;
                    }
                };
                let Some(record) = reply.bulk()?.and_then(|value| Record::read(&value)) else { continue };
                let was = record.marks.iter().any(|mark| mark.group == group && mark.epoch != epoch);
                if was && record.of() == of {
                    over.push((place, of, record.tail));
                }
            }
            if let Some(error) = failed {
                let dropped = self.drop_all(over, Vec::new(), vec![group], 0)?;
                return Ok(Step::Next(dropped.then(move |_| Err(error))));
            }
            let next = if rest.is_empty() {
                self.drop_all(over, Vec::new(), vec![group], 0)?
            } else {
                self.sort_out(group, epoch, rest, over)
            };
            Ok(Step::Next(next))
        })
    }

    /// Deletes the values with the given endings in several rounds. `tidy` removes those of the last round from their indexes.
    fn drop_all(
        self,
        mut places: Vec<(Place, Contents, Bytes)>,
        tidy: Vec<Request>,
        groups: Vec<Group>,
        dropped: i64,
    ) -> Result<Call<i64>> {
        let rest = places.split_off(places.len().min(CHUNK));
        let before = tidy.len();
        let mut requests = tidy;
        for (place, of, tail) in &places {
            let token = if *of == Contents::Token { b"1" } else { b"0" };
            let args = [
                place.session.clone(),
                place.load(&self.0.prefix)?,
                seal::ending(Contents::Token),
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
            for ((place, of, _), reply) in places.into_iter().zip(replies.0.into_iter().skip(before)) {
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
                    let args = [index, place.id.clone(), left.to_string().into()];
                    tidy.push(Request::script(&REMOVE, args).merging(Merge::Script).idempotent().without_effect());
                }
            }
            if tidy.is_empty() && rest.is_empty() {
                return Ok(Step::Done(dropped));
            }
            self.drop_all(rest, tidy, groups, dropped).map(Step::Next)
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
