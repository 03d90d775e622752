//! Looking at jobs.

use std::time::Duration;

use bytes::Bytes;

use super::{Backoff, Queue};
use crate::{
    error::{Error, Kind, Result},
    store::Call,
};

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
    /// It failed for good.
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

impl Queue {
    /// A job; `None` when there is none of this id.
    pub fn get(&self, id: &str) -> Result<Call<Option<Job>>> {
        let _ = id;
        Err(Error::new(Kind::Unsupported, "not yet"))
    }

    /// Jobs of a state: ready ones as they will be taken, those whose group has no room behind; delayed ones by when they
    /// are due; active ones by when their leases end; finished ones newest first.
    pub fn list(&self, state: State, offset: u64, limit: u64) -> Result<Call<Vec<Job>>> {
        let _ = (state, offset, limit);
        Err(Error::new(Kind::Unsupported, "not yet"))
    }

    /// Lines of a job's log, oldest first.
    pub fn logs(&self, id: &str, offset: u64, limit: u64) -> Result<Call<Vec<Bytes>>> {
        let _ = (id, offset, limit);
        Err(Error::new(Kind::Unsupported, "not yet"))
    }

    /// How many jobs are in each state.
    pub fn counts(&self) -> Call<Counts> {
        Call::ready(Counts::default())
    }
}
