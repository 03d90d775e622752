//! Jobs as they are added, and the options that travel with one.

use std::time::Duration;

use bytes::Bytes;

/// A job to add.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// The id, at most 512 bytes; without one it gets an id that nobody else has. Where a job of this id exists, in whatever
    /// state, nothing is added.
    pub id: Option<String>,
    /// What kind of job it is, at most 512 bytes.
    pub name: String,
    /// What it is about: JSON.
    pub data: Bytes,
    /// How long it is not to start, at most ten years.
    pub delay: Option<Duration>,
    /// How many times it is tried; 3, from 1.
    pub attempts: u32,
    /// How long it waits after an attempt that failed.
    pub backoff: Backoff,
    /// Lower goes first: from -500 to 500; 0.
    pub priority: i32,
    /// What it is the same as: while a job with this is not finished, nothing is added.
    pub dedup: Option<Dedup>,
    /// How long an attempt may take; 30 minutes.
    pub timeout: Duration,
    /// Whether it is kept once it is done, as the queue's options say; true. A dead job is kept in any case.
    pub keep: bool,
    /// The group whose limits it counts for, at most 512 bytes.
    pub group: Option<String>,
}

impl NewJob {
    /// A job with defaults for everything else.
    pub fn new(name: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Self {
            id: None,
            name: name.into(),
            data: data.into(),
            delay: None,
            attempts: 3,
            backoff: Backoff::default(),
            priority: 0,
            dedup: None,
            timeout: DEFAULT_TIMEOUT,
            keep: true,
            group: None,
        }
    }
}

/// How long an attempt may take where nothing is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What makes two jobs the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedup {
    /// Jobs with this are the same.
    pub id: String,
    /// How long, from adding; until it has finished where there is none.
    pub ttl: Option<Duration>,
}

/// How long a job waits after an attempt that failed. Nothing in the store computes with it: the worker does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// How it grows; exponential.
    pub kind: BackoffKind,
    /// After the first attempt; 1 s.
    pub delay: Duration,
    /// At most; an hour.
    pub longest: Duration,
    /// Which part of it is chance, from 0 to 1; 0.2.
    pub jitter: f64,
}

/// How the wait between attempts grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackoffKind {
    /// Not at all.
    Fixed,
    /// It doubles.
    Exponential,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            kind: BackoffKind::Exponential,
            delay: Duration::from_secs(1),
            longest: Duration::from_secs(3600),
            jitter: 0.2,
        }
    }
}

/// What became of a job that was to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its id, or that of the job that was there already.
    pub id: String,
    /// Whether it was added.
    pub is_new: bool,
}
