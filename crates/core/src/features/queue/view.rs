//! Looking at jobs.

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

/// Behind it nobody has a job; scripts count exactly up to here and further.
const FARTHEST: u64 = 1 << 50;
const MOST_LISTED: u64 = 1000;
/// Jobs that one run of a script answers at most, and bytes of their data and results.
const STEP: u64 = 50;
const STEP_BYTES: usize = 1 << 20;

/// The keys, besides its own, in which a job of unknown state is looked up.
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

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits for a worker.
    Ready,
    /// It waits for its time.
    Delayed,
    /// A worker has it.
    Active,
    /// It is done.
    Done,
    /// It failed permanently.
    Dead,
}

/// A job, as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// What kind of job it is.
    pub name: String,
    /// What it is about.
    pub data: Bytes,
    /// Where it is.
    pub state: State,
    /// How many attempts have begun.
    pub attempt: u32,
    /// How many there are.
    pub attempts: u32,
    /// How often a worker crashed with it.
    pub crashes: u32,
    /// How long it waits after an attempt that failed.
    pub backoff: Backoff,
    /// Its priority.
    pub priority: i32,
    /// Its group.
    pub group: Option<String>,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// When it was added, in epoch milliseconds.
    pub added_ms: i64,
    /// When it is to start at the earliest, while it is delayed.
    pub due_ms: Option<i64>,
    /// When its last attempt began.
    pub started_ms: Option<i64>,
    /// When it finished.
    pub finished_ms: Option<i64>,
    /// How far it is: JSON.
    pub progress: Option<Bytes>,
    /// What came of it: JSON.
    pub result: Option<Bytes>,
    /// What went wrong in the last attempt that failed: JSON.
    pub error: Option<Bytes>,
}

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting for a worker.
    pub ready: u64,
    /// Waiting for their time.
    pub delayed: u64,
    /// With a worker.
    pub active: u64,
    /// Done and kept.
    pub done: u64,
    /// Dead and kept.
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
        found.ok_or_else(|| Error::new(Kind::InvalidData, "a job is in a state that nobody knows"))
    }

    pub(super) fn argument(self) -> Bytes {
        Bytes::from_static(self.word().as_bytes())
    }
}

impl Queue {
    /// A job; `None` when there is none of this id.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for what cannot be an id.
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

    /// Jobs of a state: ready ones as they will be taken, with those behind whose group has no room; delayed ones by when
    /// they are due; active ones by when their leases end; finished ones newest first. At most 1000.
    ///
    /// They are read in steps, so one that moves meanwhile may be missing or there twice.
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
            let [looked, more, jobs] = replies.last()?.tuple()?;
            let looked = u64::try_from(looked.int()?).unwrap_or(0);
            for job in jobs.array()? {
                found.push(Job::read(job)?);
            }
            let left = left.saturating_sub(looked);
            if more.flag()? && looked > 0 && left > 0 {
                return Ok(Step::Next(queue.list_on(state, offset.saturating_add(looked), left, found)));
            }
            Ok(Step::Done(found))
        })
    }

    /// Lines of a job's log, oldest first.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for what cannot be an id.
    pub fn logs(&self, id: &str, offset: u64, limit: u64) -> Result<Call<Vec<Bytes>>> {
        if limit == 0 {
            return Ok(Call::ready(Vec::new()));
        }
        let key = QueueKey::Log(keys::encoded_id("id", id)?.as_bytes()).of(&self.0.key);
        let bound = |place: u64| number(i64::try_from(place).unwrap_or(i64::MAX));
        let last = offset.saturating_add(limit - 1);
        let request = Request::keyed("LRANGE", [key, bound(offset), bound(last)]).reads();
        Ok(Call::new(request, |reply| {
            reply.array()?.into_iter().map(|line| Ok(line.bulk()?.unwrap_or_default())).collect()
        }))
    }

    /// How many jobs are in each state.
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
