//! Managing a queue from outside its workers.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Reply, Request, Script, Step,
    effect::first_count,
    error::{Error, Result},
};

use super::{Queue, State, scripts, take::number};
use crate::{features::ttl, keys};

/// The sets of ready jobs: jobs whose group is full are parked, and suspects wait to run exclusively. Parked jobs come
/// first, because each ready job that is removed lets one of them become ready.
const READY: &[&str] = &["parked", "suspects", "ready"];
const READY_AND_DELAYED: &[&str] = &["parked", "suspects", "ready", "delayed"];

impl Queue {
    /// Pauses the queue: no worker takes jobs any more; active jobs continue.
    pub fn pause(&self) -> Call<()> {
        self.set_pause("pause")
    }

    /// Resumes the queue.
    pub fn resume(&self) -> Call<()> {
        self.set_pause("resume")
    }

    fn set_pause(&self, what: &'static str) -> Call<()> {
        let args = [Bytes::from_static(what.as_bytes())];
        Call::new(self.using(&scripts::PAUSE, &[], args).idempotent(), |_| Ok(()))
    }

    /// Removes a job in any state; returns whether there was one. Its worker, if any, finds it lost with the next
    /// renewal.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid id.
    pub fn remove(&self, id: &str) -> Result<Call<bool>> {
        let args = [keys::encoded_id("id", id)?.into()];
        Ok(Call::new(self.finding(&scripts::REMOVE, args), Reply::flag))
    }

    /// Restarts a dead job, with all its attempts, or makes a delayed one ready; returns whether it did. False if it
    /// is in another state, or another unfinished job has its deduplication key.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid id.
    pub fn retry(&self, id: &str) -> Result<Call<bool>> {
        let args = [keys::encoded_id("id", id)?.into()];
        Ok(Call::new(self.finding(&scripts::RETRY, args), Reply::flag))
    }

    /// Restarts at most `max` dead jobs, the oldest first, a hundred in a step; returns how many. A job stays dead
    /// while another unfinished job has its deduplication key, and so does one that dies meanwhile.
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
            let [restarted, stayed, more, until] = replies.last()?.tuple()?;
            let (restarted, stayed) = (natural(restarted)?, natural(stayed)?);
            let (left, skip, done) = (left.saturating_sub(restarted), skip + stayed, done + restarted);
            let until = until.bulk()?.unwrap_or_default();
            Ok(if more.flag()? { Step::Next(queue.redrive_on(left, skip, done, until)) } else { Step::Done(done) })
        })
    }

    /// Removes all ready jobs, and the delayed ones if asked for, a hundred in a step; returns how many. Jobs added
    /// meanwhile stay.
    pub fn drain(&self, delayed: bool) -> Call<u64> {
        let parts = if delayed { READY_AND_DELAYED } else { READY };
        self.sweep(Sweep { parts, age: number(0), left: u64::MAX, skip: 0, done: 0, now: Bytes::new() })
    }

    /// Removes at most `limit` jobs of a state that finished at least this long ago, or were added then if they have
    /// not finished, a hundred in a step; returns how many.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for active jobs: `remove` takes one from its worker.
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

    /// A step whose reply begins with the number of jobs that it has changed.
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

/// The state of a removal of many jobs.
struct Sweep {
    parts: &'static [&'static str],
    age: Bytes,
    left: u64,
    skip: u64,
    done: u64,
    /// The time of the first step, by the store's clock; empty before it.
    now: Bytes,
}

fn natural(reply: Reply) -> Result<u64> {
    Ok(u64::try_from(reply.int()?).unwrap_or(0))
}
