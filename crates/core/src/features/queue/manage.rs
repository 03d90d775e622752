//! What is done to a queue from outside its workers.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Reply, Request, Script, Step,
    effect::first_count,
    error::{Error, Result},
};

use super::{Queue, State, scripts, take::number};
use crate::{features::ttl, keys};

/// The sets of ready jobs: jobs whose group is full are parked, and suspects run alone. Parked jobs come first, because each
/// ready job that is removed makes room for one of them.
const READY: &[&str] = &["parked", "suspects", "ready"];
const READY_AND_DELAYED: &[&str] = &["parked", "suspects", "ready", "delayed"];

impl Queue {
    /// Lets no job be taken any more, by any worker; those that are active go on.
    pub fn pause(&self) -> Call<()> {
        self.set_pause("pause")
    }

    /// Lets jobs be taken again.
    pub fn resume(&self) -> Call<()> {
        self.set_pause("resume")
    }

    fn set_pause(&self, what: &'static str) -> Call<()> {
        let args = [Bytes::from_static(what.as_bytes())];
        Call::new(self.using(&scripts::PAUSE, &[], args).idempotent(), |_| Ok(()))
    }

    /// Removes a job in whatever state; answers whether there was one. Its worker, if it has one, learns by its next beat
    /// that it lost it.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for what cannot be an id.
    pub fn remove(&self, id: &str) -> Result<Call<bool>> {
        let args = [keys::encoded_id("id", id)?.into()];
        Ok(Call::new(self.finding(&scripts::REMOVE, args), Reply::flag))
    }

    /// Has a dead job start anew, with all its attempts, or a delayed one at once; answers whether it did. False: it is in
    /// another state, or another job that is the same has not finished.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for what cannot be an id.
    pub fn retry(&self, id: &str) -> Result<Call<bool>> {
        let args = [keys::encoded_id("id", id)?.into()];
        Ok(Call::new(self.finding(&scripts::RETRY, args), Reply::flag))
    }

    /// Has dead jobs start anew, the oldest first and at most so many, a hundred in a step; answers how many. One stays
    /// dead while another that is the same has not finished, and so does one that dies meanwhile.
    pub fn redrive(&self, max: u64) -> Call<u64> {
        self.redrive_on(max, 0, 0, Bytes::new())
    }

    fn redrive_on(&self, left: u64, skip: u64, done: u64, until: Bytes) -> Call<u64> {
        if left == 0 {
            return Call::ready(done);
        }
        let queue = self.clone();
        let args = [number(left), number(skip), until];
        Call::round([self.counting(&scripts::REDRIVE, args)], move |replies| {
            let [revived, stayed, more, until] = replies.last()?.tuple()?;
            let (revived, stayed) = (natural(revived)?, natural(stayed)?);
            let (left, skip, done) = (left.saturating_sub(revived), skip + stayed, done + revived);
            let until = until.bulk()?.unwrap_or_default();
            Ok(if more.flag()? { Step::Next(queue.redrive_on(left, skip, done, until)) } else { Step::Done(done) })
        })
    }

    /// Removes every job that is ready, and the delayed ones too if asked for, a hundred in a step; answers how many. Those
    /// that are added meanwhile stay.
    pub fn drain(&self, delayed: bool) -> Call<u64> {
        let parts = if delayed { READY_AND_DELAYED } else { READY };
        self.sweep(Sweep { parts, age: number(0), left: u64::MAX, skip: 0, done: 0, now: Bytes::new() })
    }

    /// Removes jobs of a state that finished so long ago or longer, or were added where they have not finished: at most so
    /// many, a hundred in a step; answers how many.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for active ones: `remove` takes one from its worker.
    pub fn clean(&self, state: State, older_than: Duration, limit: u64) -> Result<Call<u64>> {
        let parts: &[&str] = match state {
            State::Ready => READY,
            State::Delayed => &["delayed"],
            State::Done => &["done"],
            State::Dead => &["dead"],
            State::Active => {
                return Err(Error::argument("active jobs cannot be cleaned; remove() takes one from its worker"));
            }
        };
        let age = ttl::millis(older_than);
        Ok(self.sweep(Sweep { parts, age, left: limit, skip: 0, done: 0, now: Bytes::new() }))
    }

    /// A step, whose answer begins with how many jobs it has done something to.
    fn counting(&self, script: &'static Script, args: impl IntoIterator<Item = Bytes>) -> Request {
        self.finding(script, args).with_effect(Effect::Count(first_count))
    }

    fn sweep(&self, at: Sweep) -> Call<u64> {
        let (Some(part), true) = (at.parts.first(), at.left > 0) else { return Call::ready(at.done) };
        let queue = self.clone();
        let Sweep { age, left, skip, now, .. } = &at;
        let state = Bytes::from_static(part.as_bytes());
        let args = [state, age.clone(), number(left), number(skip), now.clone()];
        Call::round([self.counting(&scripts::SWEEP, args)], move |replies| {
            let [removed, young, more, now] = replies.last()?.tuple()?;
            let (removed, young) = (natural(removed)?, natural(young)?);
            let mut next = Sweep { left: at.left - removed.min(at.left), done: at.done + removed, ..at };
            next.now = now.bulk()?.unwrap_or_default();
            next.skip += young;
            if !more.flag()? {
                (next.parts, next.skip) = (next.parts.get(1..).unwrap_or_default(), 0);
            }
            Ok(Step::Next(queue.sweep(next)))
        })
    }
}

/// How far a removal of many jobs is.
struct Sweep {
    parts: &'static [&'static str],
    age: Bytes,
    left: u64,
    skip: u64,
    done: u64,
    /// When it began, by the store's clock; empty before.
    now: Bytes,
}

fn natural(reply: Reply) -> Result<u64> {
    Ok(u64::try_from(reply.int()?).unwrap_or(0))
}
