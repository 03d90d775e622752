//! Taking jobs: each comes with a lease.

use std::time::Duration;

use bytes::Bytes;

use super::{Backoff, Limits, Queue};
use crate::{
    error::{Error, Kind, Result},
    store::Call,
};

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct Take {
    /// How many jobs at most; from 1 to 100.
    pub count: usize,
    /// How long they are its own without a beat; from 100 ms.
    pub lease: Duration,
    /// What it shows later to prove that they are: unlike any it took with before. ASCII letters, digits, `.`, `-` and `_`,
    /// at most 64.
    pub token: String,
    /// How many may run.
    pub limits: Limits,
}

/// What a worker got.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// The jobs, in the order in which they are to start.
    pub jobs: Vec<Leased>,
    /// When to ask again if nobody wakes it before: zero when there is, or may be, more now. `None`: nothing is due.
    pub next_in: Option<Duration>,
    /// Whether the queue is paused.
    pub paused: bool,
    /// Repeats whose time has come.
    pub due: Vec<DueRepeat>,
}

/// A repeat whose time has come: the one who is told adds its job and sets its next time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRepeat {
    /// Which one.
    pub id: String,
    /// The time that has come, in epoch milliseconds.
    pub slot_ms: i64,
}

/// A job with a lease on it.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Its id.
    pub id: String,
    /// What kind of job it is.
    pub name: String,
    /// What it is about, as it was added.
    pub data: Bytes,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many there are.
    pub attempts: u32,
    /// How often a worker crashed with it.
    pub crashes: u32,
    /// How long it waits when this attempt fails.
    pub backoff: Backoff,
    /// Its priority.
    pub priority: i32,
    /// Its group.
    pub group: Option<String>,
    /// How long this attempt may take.
    pub timeout: Duration,
    /// When it was added, in epoch milliseconds.
    pub added_ms: i64,
    /// The token of the lease.
    pub token: String,
}

impl Queue {
    /// Takes jobs: puts back those whose leases ran out and those whose delay is over first.
    ///
    /// Never sent twice: where its answer is lost, `recover` finds what it took.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for what is out of its bounds.
    pub fn take(&self, ask: &Take) -> Result<Call<Taken>> {
        ask.limits.check()?;
        Err(Error::new(Kind::Unsupported, "not yet"))
    }

    /// The jobs that the take with this token got, if its answer never came. They are its own still; `due` and
    /// `next_in` say nothing here.
    pub fn recover(&self, ask: &Take) -> Result<Call<Taken>> {
        ask.limits.check()?;
        Err(Error::new(Kind::Unsupported, "not yet"))
    }
}
