//! Changing a session: the caller's patch replayed under compare-and-set until nobody else was faster.

use std::time::Duration;

use bytes::Bytes;

use super::{Own, Place, SLACK, Sessions, index};
use crate::{
    error::{Error, Kind, Result},
    features::{json::Object, life},
    store::{Call, Merge, Reply, Request, Step, script},
};

script!(CAS = "session/cas.lua", keys: 1, args: 4);

/// Rounds after which an update gives up. In each, one of those who write the same session succeeds.
const ROUNDS: usize = 1000;

/// An update under way.
struct Update {
    sessions: Sessions,
    place: Place,
    changes: Bytes,
    own: Own,
    has_own: bool,
    rounds: usize,
}

impl Sessions {
    /// Sets the fields in `changes`, the text of a JSON object, and renews the session's life: its own, or that of all sessions.
    /// Every other field keeps its bytes. False when the session is gone.
    ///
    /// # Errors
    /// `E_INVALID_DATA` when the stored session is no JSON object; `E_CONFLICT` after a thousand writers were faster.
    pub fn update(&self, id: &str, changes: &str) -> Result<Call<bool>> {
        Object::argument("changes", changes.as_bytes())?;
        let place = self.place(id)?;
        let (sessions, changes) = (self.clone(), Bytes::copy_from_slice(changes.as_bytes()));
        Ok(Call::round(place.look(), move |replies| {
            let mut replies = replies.all()?.into_iter().map(Reply::bulk);
            let Some(current) = replies.next().transpose()?.flatten() else { return Ok(Step::Done(false)) };
            let own = replies.next().transpose()?.flatten();
            let (has_own, own) = (own.is_some(), Own::read(own.as_deref()));
            Update { sessions, place, changes, own, has_own, rounds: 0 }.replay(current).map(Step::Next)
        }))
    }
}

impl Update {
    fn replay(mut self, current: Bytes) -> Result<Call<bool>> {
        self.rounds += 1;
        if self.rounds > ROUNDS {
            return Err(Error::new(Kind::Conflict, "others kept changing the session; nothing was written"));
        }
        let patched = patch(&current, &self.changes)?;
        Ok(self.store(current, patched.next, patched.moves))
    }

    /// Stores the patched session. A life that has hardly begun is not renewed, which spares the indexes; one that has is
    /// renewed only after the indexes know of it.
    fn store(self, current: Bytes, next: Bytes, renew: bool) -> Call<bool> {
        let life = self.own.life.unwrap_or(self.sessions.0.life);
        let mut requests = Vec::new();
        if renew {
            requests = index::list_again(&self.sessions.indexes_of(&next, &self.own), &self.place.id, life);
            if self.has_own {
                requests.push(expire(self.place.own.clone(), life + SLACK));
            }
        }
        let enough = if renew { Bytes::from_static(b"0") } else { life::millis(life - begun(life)) };
        let args = [self.place.session.clone(), current.clone(), next.clone(), life::millis(life), enough];
        requests.push(Request::script(&CAS, args).merging(Merge::Script));
        Call::round(requests, move |replies| match replies.all()?.pop() {
            Some(Reply::Int(1)) => Ok(Step::Done(true)),
            Some(Reply::Int(_)) => Ok(Step::Next(self.store(current, next, true))),
            Some(Reply::Bulk(fresh)) => self.replay(fresh).map(Step::Next),
            _ => Ok(Step::Done(false)),
        })
    }
}

/// How much of a life may be gone before a renewal is worth its cost: a hundredth, ten seconds at the most.
fn begun(life: Duration) -> Duration {
    (life / 100).min(Duration::from_secs(10))
}

impl Place {
    /// Reads a session and what it has of its own.
    pub(super) fn look(&self) -> [Request; 2] {
        [Request::get(self.session.clone()), Request::get(self.own.clone())]
    }
}

/// Sets a life without ever bringing a key back.
pub(super) fn expire(key: Bytes, life: std::time::Duration) -> Request {
    Request::keyed("PEXPIRE", [key, life::millis(life)]).repeatable()
}

/// A session with a patch applied.
struct Patched {
    next: Bytes,
    /// Whether it belongs to another user now.
    moves: bool,
}

fn patch(current: &[u8], changes: &[u8]) -> Result<Patched> {
    let stored = Object::parse(current)
        .ok_or_else(|| Error::new(Kind::InvalidData, "the stored session is no JSON object; it was left as it is"))?;
    let user = stored.name("userId");
    let patched = stored.spread(Object::argument("changes", changes)?);
    Ok(Patched { moves: patched.name("userId") != user, next: patched.to_bytes()?.into() })
}
