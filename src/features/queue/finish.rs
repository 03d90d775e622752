//! What a worker says about the jobs that it holds.

use std::time::Duration;

use bytes::Bytes;

use super::Queue;
use crate::{
    error::{Error, Kind, Result},
    store::Call,
};

/// A job that a worker holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub id: String,
    /// The token of its lease.
    pub token: String,
}

/// How a job ended.
#[derive(Debug, Clone)]
pub struct Finish {
    /// Which.
    pub id: String,
    /// The token of its lease.
    pub token: String,
    /// How.
    pub outcome: Outcome,
}

/// What becomes of a job that is not active any more.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is done. The result is JSON, or empty where there is none.
    Done(Bytes),
    /// The attempt failed; it is tried again after a while.
    Retry {
        /// What went wrong: JSON.
        error: Bytes,
        /// How long it waits; at once when zero.
        delay: Duration,
    },
    /// It failed for good.
    Dead {
        /// What went wrong: JSON.
        error: Bytes,
    },
    /// It was not begun: it returns to its place, and nothing is counted.
    Release,
}

/// What a worker tells while a job runs.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which job.
    pub id: String,
    /// The token of its lease.
    pub token: String,
    /// What about it.
    pub note: Note,
}

/// One thing to tell.
#[derive(Debug, Clone)]
pub enum Note {
    /// How far it is: JSON. Replaces what was there.
    Progress(Bytes),
    /// A line for its log, of which the last 1000 are kept; at most 64 KiB.
    Log(Bytes),
}

impl Queue {
    /// Ends jobs; answers for each whether it was still ours. One that was not is left as it is. Saying it twice does no
    /// harm and is answered alike, save for a job of which nothing was kept.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` when a result or an error has more bytes than a job may.
    pub fn finish(&self, finishes: Vec<Finish>) -> Result<Call<Vec<bool>>> {
        let _ = finishes;
        Err(Error::new(Kind::Unsupported, "not yet"))
    }

    /// Renews leases from now on; answers for each job whether it is still ours.
    pub fn beat(&self, lease: Duration, held: Vec<Held>) -> Result<Call<Vec<bool>>> {
        let _ = (lease, held);
        Err(Error::new(Kind::Unsupported, "not yet"))
    }

    /// Tells progress and log lines; those of jobs that are not ours any more are dropped.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for progress with more bytes than a job may have, and for a line of over 64 KiB.
    pub fn report(&self, reports: Vec<Report>) -> Result<Call<()>> {
        let _ = reports;
        Err(Error::new(Kind::Unsupported, "not yet"))
    }
}
