//! Giving a session a new life. Its indexes follow, or they would lose it.

use std::time::Duration;

use bytes::Bytes;

use super::{Own, Place, SLACK, Sessions, index, update::expire};
use crate::{
    error::Result,
    features::life,
    store::{Call, Merge, Reply, Request, Step, script},
};

script!(READ = "session/read.lua", keys: 2, args: 2);

impl Sessions {
    /// Gives a session so many seconds from now; false when it is gone.
    pub fn extend(&self, id: &str, seconds: f64) -> Result<Call<bool>> {
        let life = life::of_seconds("seconds", seconds)?;
        self.renew(self.place(id)?, Some(life))
    }

    /// Gives a session its life once more: its own, or that of all sessions; false when it is gone.
    pub fn touch(&self, id: &str) -> Result<Call<bool>> {
        self.renew(self.place(id)?, None)
    }

    fn renew(&self, place: Place, life: Option<Duration>) -> Result<Call<bool>> {
        let sessions = self.clone();
        Ok(Call::round(place.look(), move |replies| {
            let mut replies = replies.all()?.into_iter().map(Reply::bulk);
            let Some(value) = replies.next().transpose()?.flatten() else { return Ok(Step::Done(false)) };
            let own = Own::read(replies.next().transpose()?.flatten().as_deref());
            let life = life.or(own.life).unwrap_or(sessions.0.life);
            let mut requests = index::list_again(&sessions.indexes_of(&value, &own), &place.id, life);
            if own != Own::default() {
                requests.push(expire(place.own, life + SLACK));
            }
            requests.push(expire(place.session, life));
            Ok(Step::Next(Call::round(requests, |replies| {
                let renewed = replies.all()?.pop().unwrap_or(Reply::Nil).flag()?;
                Ok(Step::Done(renewed))
            })))
        }))
    }

    /// Reads a rolling session.
    pub(super) fn read(&self, place: Place) -> Call<Option<Bytes>> {
        let sessions = self.clone();
        let args = [place.session, place.own, life::millis(self.0.life), life::millis(SLACK)];
        let request = Request::script(&READ, args).merging(Merge::Script).repeatable();
        Call::round([request], move |replies| {
            let mut parts = replies.one()?.array()?.into_iter();
            let Some(value) = parts.next().map(Reply::bulk).transpose()?.flatten() else {
                return Ok(Step::Done(None));
            };
            let own = parts.next().map(Reply::bulk).transpose()?.flatten();
            let Some(life) = parts.next() else { return Ok(Step::Done(Some(value))) };
            let life = Duration::from_millis(life.int()?.max(1) as u64);
            let indexes = sessions.indexes_of(&value, &Own::read(own.as_deref()));
            let requests = index::list_again(&indexes, &place.id, life);
            Ok(if requests.is_empty() {
                Step::Done(Some(value))
            } else {
                Step::Next(Call::round(requests, |replies| replies.all().map(|_| Step::Done(Some(value)))))
            })
        })
    }
}
