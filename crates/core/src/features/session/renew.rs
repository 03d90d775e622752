//! Renews the ttl of a session, and those of its index entries and epochs, which must not expire before it.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{Call, Effect, Reply, Request, Step, effect::is_one, error::Result};

use super::{Place, Sessions, contents::Contents, read::Live, seal::Record, update::begun};
use crate::features::life;

/// The default ttl of `storeSession`.
pub const STORED: Duration = Duration::from_secs(3600);

impl Sessions {
    /// Gives a session so many seconds from now; false when it is gone.
    pub fn extend(&self, id: &str, seconds: f64) -> Result<Call<bool>> {
        let life = life::of_seconds("seconds", seconds)?;
        let sessions = self.clone();
        let place = self.place(id)?;
        Ok(self.read(place.clone(), Contents::Session, false).then(move |found| match found.live() {
            Some(live) => sessions.renew(&place, &live, life, Effect::ChangedIf(is_one)).map(Step::Next),
            None => Ok(Step::Done(false)),
        }))
    }

    /// Renews a session with its own ttl; false if it is gone.
    pub fn touch(&self, id: &str) -> Result<Call<bool>> {
        let sessions = self.clone();
        let place = self.place(id)?;
        Ok(self.read(place.clone(), Contents::Session, true).then(move |found| {
            let Some(live) = found.live() else { return Ok(Step::Done(false)) };
            let life = sessions.life_of(&live.record);
            // Another program's session that lives longer keeps its ttl; one without a ttl, which is below 0 here, gets the default.
            if live.record.seal.is_none() && live.left > life.as_millis() as i64 {
                return Ok(Step::Done(true));
            }
            sessions.renew(&place, &live, life, Effect::ChangedIf(is_one)).map(Step::Next)
        }))
    }

    /// The ttl for renewals: the one the session was given. A session of another program gets the default of the manager; one
    /// without an owner gets that of `storeSession`.
    pub(super) fn life_of(&self, record: &Record) -> Duration {
        match &record.seal {
            Some(seal) => seal.life,
            None if record.named.is_some() => self.0.life,
            None => STORED,
        }
    }

    fn renew(&self, place: &Place, live: &Live, life: Duration, effect: Effect) -> Result<Call<bool>> {
        let mut requests = self.stay(&live.record.marks, Contents::Session, &place.id, life)?;
        let expire = Request::keyed("PEXPIRE", [place.session.clone(), life::millis(life)]).idempotent();
        requests.push(expire.with_effect(effect));
        Ok(Call::round(requests, |replies| {
            let mut replies = replies.all()?;
            let renewed = replies.pop().unwrap_or(Reply::Nil).flag()?;
            Ok(Step::Done(renewed && !replies.contains(&Reply::Nil)))
        }))
    }

    /// Reads a rolling session.
    pub(super) fn roll(&self, place: Place) -> Call<Option<Bytes>> {
        let sessions = self.clone();
        self.read(place.clone(), Contents::Session, true).then(move |found| {
            let Some(live) = found.live() else { return Ok(Step::Done(None)) };
            let life = sessions.life_of(&live.record);
            // Renewing soon after the last renewal is pointless, and a ttl that was extended must not be shortened.
            if live.outlasts(life - begun(life)) {
                return Ok(Step::Done(Some(live.record.json)));
            }
            // Who reads has asked for no change.
            let renewed = sessions.renew(&place, &live, life, Effect::None)?;
            Ok(Step::Next(renewed.map(move |renewed| renewed.then_some(live.record.json))))
        })
    }
}
