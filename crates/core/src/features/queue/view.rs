//! Reading jobs.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Reply, Request, Step,
    error::{Error, Kind, Result},
};

use super::{
    Backoff, Queue,
    job::StoredOptions,
    scripts,
    take::{count, number, text, when},
};
use crate::keys::{self, QueueKey};

/// No queue has more jobs; scripts count exactly beyond this.
const FARTHEST: u64 = 1 << 50;
const MOST_LISTED: u64 = 1000;
/// The most jobs that one run of a script returns, and bytes of their data and results.
const STEP: u64 = 50;
const STEP_BYTES: usize = 1 << 20;

/// The keys, besides its own, that are needed to find a job in any state.
pub(super) const VIEWED: &[QueueKey] =
    &[QueueKey::Leased, QueueKey::Leases, QueueKey::Delayed, QueueKey::Done, QueueKey::Dead];
/// The keys that are counted.
const COUNTED: &[QueueKey] = &[
    QueueKey::Ready,
    QueueKey::Parked,
    QueueKey::Suspects,
    QueueKey::Delayed,
    QueueKey::Leased,
    QueueKey::Done,
    QueueKey::Dead,
];

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits for a worker.
    Ready,
    /// It waits until it is due.
    Delayed,
    /// A worker has it.
    Active,
    /// It is done.
    Done,
    /// It failed permanently.
    Dead,
}

/// A job, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// The name of the kind of job.
    pub name: String,
    /// Its data.
    pub data: Bytes,
    /// Its state.
    pub state: State,
    /// How many attempts have started.
    pub attempt: u32,
    /// The number of attempts.
    pub attempts: u32,
    /// How many times its worker crashed.
    pub crashes: u32,
    /// The backoff after a failed attempt.
    pub backoff: Backoff,
    /// Its priority.
    pub priority: i32,
    /// Its group.
    pub group: Option<String>,
    /// The timeout of an attempt.
    pub timeout: Duration,
    /// When it was added, in epoch milliseconds.
    pub added_ms: i64,
    /// When it is due, while it is delayed.
    pub due_ms: Option<i64>,
    /// When its last attempt started.
    pub started_ms: Option<i64>,
    /// When it finished.
    pub finished_ms: Option<i64>,
    /// Its progress, as JSON.
    pub progress: Option<Bytes>,
    /// Its result, as JSON.
    pub result: Option<Bytes>,
    /// The error of the last attempt that failed, as JSON.
    pub error: Option<Bytes>,
}

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting for a worker.
    pub ready: u64,
    /// Waiting until they are due.
    pub delayed: u64,
    /// With a worker.
    pub active: u64,
    /// Done, and retained.
    pub done: u64,
    /// Dead, and retained.
    pub dead: u64,
    /// Whether the queue is paused.
    pub paused: bool,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Delayed => "delayed",
            Self::Active => "active",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }

    fn read(word: &[u8]) -> Result<Self> {
        let all = [Self::Ready, Self::Delayed, Self::Active, Self::Done, Self::Dead];
        let found = all.into_iter().find(|state| state.word().as_bytes() == word);
        found.ok_or_else(|| Error::new(Kind::InvalidData, "a job is in an unknown state"))
    }

    pub(super) fn argument(self) -> Bytes {
        Bytes::from_static(self.word().as_bytes())
    }
}

impl Queue {
    /// Reads a job. `None` if no job has this id.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid id.
    pub fn get(&self, id: &str) -> Result<Call<Option<Job>>> {
        let id = keys::encoded_id("id", id)?;
        let used = [VIEWED, &[QueueKey::Job(id.as_bytes())]].concat();
        Ok(Call::new(self.using(&scripts::GET, &used, [Bytes::copy_from_slice(id.as_bytes())]).reads(), |reply| {
            match reply {
                Reply::Nil => Ok(None),
                view => Job::read(view).map(Some),
            }
        }))
    }

    /// Lists jobs of a state: ready ones in the order in which they will be taken, followed by those whose group is
    /// full; delayed ones by when they are due; active ones by when their leases expire; finished ones newest first.
    /// At most 1000.
    ///
    /// They are read in steps, so a job that changes its state meanwhile may be missing or be listed twice.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a limit over 1000.
    pub fn list(&self, state: State, offset: u64, limit: u64) -> Result<Call<Vec<Job>>> {
        if limit > MOST_LISTED {
            return Err(Error::argument(format!("limit must be at most {MOST_LISTED}, got {limit}")));
        }
        Ok(self.list_on(state, offset.min(FARTHEST), limit, Vec::new()))
    }

    fn list_on(&self, state: State, offset: u64, left: u64, mut found: Vec<Job>) -> Call<Vec<Job>> {
        if left == 0 {
            return Call::ready(found);
        }
        let queue = self.clone();
        let most = number(left.min(STEP));
        let args = [state.argument(), number(offset), most, number(STEP_BYTES)];
        Call::round([self.finding(&scripts::LIST, args).reads()], move |replies| {
            let [examined, more, jobs] = replies.last()?.tuple()?;
            let examined = u64::try_from(examined.int()?).unwrap_or(0);
            for job in jobs.array()? {
                found.push(Job::read(job)?);
            }
            let left = left.saturating_sub(examined);
            if more.flag()? && examined > 0 && left > 0 {
                return Ok(Step::Next(queue.list_on(state, offset.saturating_add(examined), left, found)));
            }
            Ok(Step::Done(found))
        })
    }

    /// Lines of a job's log, oldest first.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid id.
    pub fn logs(&self, id: &str, offset: u64, limit: u64) -> Result<Call<Vec<Bytes>>> {
        if limit == 0 {
            return Ok(Call::ready(Vec::new()));
        }
        let key = QueueKey::Log(keys::encoded_id("id", id)?.as_bytes()).of(&self.0.key);
        let bound = |index: u64| number(i64::try_from(index).unwrap_or(i64::MAX));
        let last = offset.saturating_add(limit - 1);
        let request = Request::keyed("LRANGE", [key, bound(offset), bound(last)]).reads();
        Ok(Call::new(request, |reply| {
            reply.array()?.into_iter().map(|line| Ok(line.bulk()?.unwrap_or_default())).collect()
        }))
    }

    /// Counts the jobs of each state.
    pub fn counts(&self) -> Call<Counts> {
        let request = self.using(&scripts::COUNTS, COUNTED, []).reads();
        Call::new(request, |reply| {
            let [ready, parked, suspects, delayed, active, done, dead, paused] = reply.tuple()?;
            let number = |reply: Reply| Ok::<_, Error>(u64::try_from(reply.int()?).unwrap_or(0));
            Ok(Counts {
                ready: number(ready)? + number(parked)? + number(suspects)?,
                delayed: number(delayed)?,
                active: number(active)?,
                done: number(done)?,
                dead: number(dead)?,
                paused: paused.flag()?,
            })
        })
    }
}

impl Job {
    pub(super) fn read(view: Reply) -> Result<Self> {
        let [id, state, attempt, started, due, fields] = view.tuple()?;
        let [name, data, added, given, _, crashes, _, finished, progress, result, error] = fields.tuple()?;
        let StoredOptions { priority, group, attempts, backoff, timeout } =
            StoredOptions::read(given.bulk()?.as_deref());
        let something = |reply: Reply| Ok::<_, Error>(reply.bulk()?.filter(|value| !value.is_empty()));
        Ok(Self {
            id: keys::decoded_id(&id.bulk()?.unwrap_or_default()),
            name: text(name)?,
            data: data.bulk()?.unwrap_or_default(),
            state: State::read(&state.bulk()?.unwrap_or_default())?,
            attempt: count(attempt)?,
            attempts,
            crashes: count(crashes)?,
            backoff,
            priority,
            group,
            timeout,
            added_ms: when(added)?.unwrap_or(0),
            due_ms: when(due)?,
            started_ms: when(started)?,
            finished_ms: when(finished)?,
            progress: something(progress)?,
            result: something(result)?,
            error: something(error)?,
        })
    }
}
