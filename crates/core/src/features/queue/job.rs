//! Jobs as they are added, and the options that travel with one.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::error::{Error, Result};

use super::Published;
use crate::keys;

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
    /// What was published of it.
    pub published: Published,
}

/// The longest delay: its time, and 11 bits behind it, are exact in a script until 2099.
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(3653 * 86_400);
const LONGEST_NAME: usize = 512;
const PRIORITIES: std::ops::RangeInclusive<i32> = -500..=500;

impl NewJob {
    pub(super) fn check(&self, max_bytes: usize) -> Result<()> {
        let refused = |message: String| Err(Error::argument(message));
        if self.name.is_empty() || self.name.len() > LONGEST_NAME {
            return refused(format!("name must have from 1 to {LONGEST_NAME} bytes, got {}", self.name.len()));
        }
        if self.data.len() > max_bytes {
            return refused(format!("data must have at most {max_bytes} bytes, got {}", self.data.len()));
        }
        if !PRIORITIES.contains(&self.priority) {
            return refused(format!("priority must be from -500 to 500, got {}", self.priority));
        }
        if self.attempts == 0 {
            return refused("attempts must be at least 1".into());
        }
        if !(0.0..=1.0).contains(&self.backoff.jitter) {
            return refused(format!("backoff.jitter must be from 0 to 1, got {}", self.backoff.jitter));
        }
        if self.dedup.as_ref().is_some_and(|dedup| dedup.ttl.is_some_and(|ttl| ttl < Duration::from_millis(1))) {
            return refused("dedup.ttlMs must be at least 1".into());
        }
        if self.timeout < Duration::from_millis(1) {
            return refused("timeoutMs must be at least 1".into());
        }
        let spans = [
            ("delay", self.delay),
            ("backoff.delayMs", Some(self.backoff.delay)),
            ("backoff.maxMs", Some(self.backoff.longest)),
            ("timeoutMs", Some(self.timeout)),
            ("dedup.ttlMs", self.dedup.as_ref().and_then(|dedup| dedup.ttl)),
        ];
        for (what, span) in spans {
            if span.is_some_and(|span| span > LONGEST_DELAY) {
                return refused(format!("{what} must be at most ten years"));
            }
        }
        Ok(())
    }

    /// What the store keeps of its options: lines that scripts read, and a last one that they do not. Empty when all are as
    /// they are by default, which is what most jobs have and costs nothing.
    pub(super) fn options(&self) -> Result<String> {
        let Self { attempts, backoff, priority, dedup, timeout, keep, group, .. } = self;
        let plain = Self::new("", Bytes::new());
        let rest = if (*attempts, *backoff, *timeout) == (plain.attempts, plain.backoff, plain.timeout) {
            String::new()
        } else {
            let kind = if backoff.kind == BackoffKind::Fixed { 'f' } else { 'e' };
            let (delay, longest, timeout) =
                (backoff.delay.as_millis(), backoff.longest.as_millis(), timeout.as_millis());
            format!("{attempts};{kind};{delay};{longest};{};{timeout}", backoff.jitter)
        };
        if rest.is_empty() && *priority == 0 && *keep && dedup.is_none() && group.is_none() {
            return Ok(String::new());
        }
        let group = group.as_deref().map(|group| keys::encoded_id("group", group)).transpose()?.unwrap_or_default();
        let same = dedup.as_ref().map(|dedup| keys::identifier("dedup", &dedup.id)).transpose()?.unwrap_or_default();
        let ttl = dedup.as_ref().and_then(|dedup| dedup.ttl).map(|ttl| ttl.as_millis().to_string()).unwrap_or_default();
        let keep = if *keep { "" } else { "n" };
        Ok(format!("{priority}\n{group}\n{same}\n{ttl}\n{keep}\n{rest}"))
    }
}

/// What a job was given, as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StoredOptions {
    pub priority: i32,
    pub group: Option<String>,
    pub attempts: u32,
    pub backoff: Backoff,
    pub timeout: Duration,
}

impl StoredOptions {
    /// Reads what `NewJob::options` wrote; what cannot be read is as by default.
    pub fn read(text: Option<&[u8]>) -> Self {
        let plain = NewJob::new("", Bytes::new());
        let text = String::from_utf8_lossy(text.unwrap_or_default());
        let mut lines = text.split('\n');
        let priority = lines.next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let group = lines.next().filter(|group| !group.is_empty()).map(|group| keys::decoded_id(group.as_bytes()));
        // Between them is what scripts alone read.
        let (attempts, backoff, timeout) =
            lines.nth(3).and_then(for_workers).unwrap_or((plain.attempts, plain.backoff, plain.timeout));
        Self { priority, group, attempts, backoff, timeout }
    }
}

fn for_workers(text: &str) -> Option<(u32, Backoff, Duration)> {
    let mut parts = text.split(';');
    let attempts = parts.next()?.parse().ok()?;
    let kind = if parts.next()? == "f" { BackoffKind::Fixed } else { BackoffKind::Exponential };
    let mut millis = || Some(Duration::from_millis(parts.next()?.parse().ok()?));
    let (delay, longest) = (millis()?, millis()?);
    let jitter = parts.next()?.parse().ok().filter(|jitter| (0.0..=1.0).contains(jitter))?;
    let timeout = Duration::from_millis(parts.next()?.parse().ok()?);
    Some((attempts, Backoff { kind, delay, longest, jitter }, timeout))
}
