//! Sessions by user and by tag: listing them, and dropping them together.

use std::time::Duration;

use bytes::Bytes;

use super::{Own, SLACK, Sessions, user_of};
use crate::{
    error::Result,
    features::life,
    store::{Call, Merge, Reply, Request, Step, keys, script},
};

script!(ADD = "session/index_add.lua", keys: 1, args: 3);
script!(REMOVE = "session/index_remove.lua", keys: 1, args: 2);
script!(READ = "session/index_read.lua", keys: 1, args: 0);
script!(GONE = "session/gone.lua", keys: 2, args: 1);
script!(DESTROY = "session/destroy.lua", keys: 2, args: 0);

/// How long a load of a user may take that must not bring back what was dropped meanwhile, in milliseconds.
const GONE_LIFE: &[u8] = b"600000";
/// Sessions that are dropped in one round.
const CHUNK: usize = 256;
/// A hundred years in milliseconds, for what has no end.
const FOR_EVER: i64 = 3_155_760_000_000;

/// Lists a session that is about to be written under an id that nobody has.
pub fn list_first(indexes: &[Bytes], id: &Bytes, life: Duration) -> Vec<Request> {
    list(indexes, id, life + SLACK, Bytes::new())
}

/// Lists a session that is about to be written, perhaps in place of another.
pub fn list_new(indexes: &[Bytes], id: &Bytes, life: Duration) -> Vec<Request> {
    list(indexes, id, life + SLACK, life::millis(life + SLACK))
}

/// Lists a session whose life is about to be renewed. Where half the slack is left, that is enough: a session in
/// constant use is listed anew twice a minute, not each time.
pub fn list_again(indexes: &[Bytes], id: &Bytes, life: Duration) -> Vec<Request> {
    list(indexes, id, life + SLACK, life::millis(life + SLACK / 2))
}

fn list(indexes: &[Bytes], id: &Bytes, life: Duration, enough: Bytes) -> Vec<Request> {
    let request = |index: &Bytes| {
        let args = [index.clone(), id.clone(), life::millis(life), enough.clone()];
        Request::script(&ADD, args).merging(Merge::Script).repeatable()
    };
    indexes.iter().map(request).collect()
}

impl Sessions {
    /// The indexes that list a session of this user with these tags.
    pub(super) fn indexes(&self, user: Option<&str>, tags: &[String]) -> impl Iterator<Item = Result<Bytes>> {
        let prefix = &self.0.prefix;
        let user = user.map(|user| keys::session_index_user(prefix, user));
        user.into_iter().chain(tags.iter().map(|tag| keys::session_index_tag(prefix, tag)))
    }

    /// The same for a stored session. What no index can be named after, others wrote.
    pub(super) fn indexes_of(&self, session: &[u8], own: &Own) -> Vec<Bytes> {
        self.indexes(user_of(session).as_deref(), &own.tags).flatten().collect()
    }

    /// The ids of a user's sessions.
    pub fn list(&self, user: &str) -> Result<Call<Vec<String>>> {
        let sessions = self.clone();
        let index = keys::session_index_user(&self.0.prefix, user)?;
        let read = Request::script(&READ, [index]).merging(Merge::Script).repeatable();
        Ok(Call::round([read], move |replies| {
            let ids = ids(replies.one()?)?;
            let exists = |id: &String| Ok(Request::keyed("EXISTS", [sessions.place(id)?.session]).repeatable());
            let requests = ids.iter().map(exists).collect::<Result<Vec<_>>>()?;
            Ok(Step::Next(Call::round(requests, move |replies| {
                let mut listed = Vec::with_capacity(ids.len());
                for (id, exists) in ids.into_iter().zip(replies.all()?) {
                    if exists.flag()? {
                        listed.push(id);
                    }
                }
                Ok(Step::Done(listed))
            })))
        }))
    }

    /// Deletes a session; answers how many keys of sessions went, 0 or 1.
    pub fn destroy(&self, id: &str) -> Result<Call<i64>> {
        keys::raw("id", id)?;
        self.drop_all(vec![id.to_owned()].into_iter(), None, Vec::new(), 0)
    }

    /// Deletes every session with this tag; answers how many.
    pub fn destroy_by_tag(&self, tag: &str) -> Result<Call<i64>> {
        let index = keys::session_index_tag(&self.0.prefix, tag)?;
        let read = Request::script(&READ, [index.clone()]).merging(Merge::Script).repeatable();
        self.drop_listed(read, index)
    }

    /// Deletes every session of this user, cached validations included, and keeps validations that are under way from
    /// being cached; answers how many went.
    pub fn invalidate_user(&self, user: &str) -> Result<Call<i64>> {
        let index = keys::session_index_user(&self.0.prefix, user)?;
        let gone = keys::user_gone(&self.0.prefix, user)?;
        let mark = Request::script(&GONE, [index.clone(), gone, Bytes::from_static(GONE_LIFE)]);
        self.drop_listed(mark.merging(Merge::Script).repeatable(), index)
    }

    fn drop_listed(&self, read: Request, index: Bytes) -> Result<Call<i64>> {
        let sessions = self.clone();
        Ok(Call::round([read], move |replies| {
            let ids = ids(replies.one()?)?.into_iter();
            sessions.drop_all(ids, Some(index), Vec::new(), 0).map(Step::Next)
        }))
    }

    /// Deletes sessions round by round. `tidy` takes those of the last round out of their indexes.
    fn drop_all(
        &self,
        mut ids: std::vec::IntoIter<String>,
        index: Option<Bytes>,
        tidy: Vec<Request>,
        dropped: i64,
    ) -> Result<Call<i64>> {
        let sessions = self.clone();
        let chunk: Vec<_> = ids.by_ref().take(CHUNK).map(|id| self.place(&id)).collect::<Result<_>>()?;
        let before = tidy.len();
        let mut requests = tidy;
        requests.extend(
            chunk.iter().map(|place| {
                Request::script(&DESTROY, [place.session.clone(), place.own.clone()]).merging(Merge::Script)
            }),
        );
        if requests.is_empty() {
            return Ok(Call::ready(dropped));
        }
        Ok(Call::round(requests, move |replies| {
            let mut dropped = dropped;
            let mut tidy = Vec::new();
            // Tidying may fail: what stays in an index goes when its time comes.
            for (place, reply) in chunk.into_iter().zip(replies.0.into_iter().skip(before)) {
                let reply = reply?;
                if reply == Reply::Nil {
                    continue;
                }
                dropped += 1;
                let [value, own, left] = reply.tuple()?;
                let own = Own::read(own.bulk()?.as_deref());
                let left = match left.int()? {
                    left if left < 0 => FOR_EVER,
                    left => left + SLACK.as_millis() as i64,
                };
                let mut indexes = sessions.indexes_of(&value.bulk()?.unwrap_or_default(), &own);
                indexes.extend(index.clone().filter(|index| !indexes.contains(index)));
                tidy.extend(indexes.into_iter().map(|index| {
                    let args = [index, place.id.clone(), left.to_string().into()];
                    Request::script(&REMOVE, args).merging(Merge::Script).repeatable()
                }));
            }
            if tidy.is_empty() && ids.len() == 0 {
                return Ok(Step::Done(dropped));
            }
            sessions.drop_all(ids, index, tidy, dropped).map(Step::Next)
        }))
    }
}

/// Ids that an index lists. Only UTF-8 is ever written there.
fn ids(reply: Reply) -> Result<Vec<String>> {
    let text = |id: Reply| Ok(String::from_utf8_lossy(&id.bulk()?.unwrap_or_default()).into_owned());
    reply.array()?.into_iter().map(text).collect()
}
