//! Jobs as they are added, and their options.

use std::{ops::RangeInclusive, time::Duration};

use bytes::Bytes;
use cinnabar_port::error::{Error, Result};

use super::Published;
use crate::keys;

/// A job to add.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// The id, at most 512 bytes; if omitted, a unique id is generated. If a job with this id exists, in any
    /// state, nothing is added.
    pub id: Option<String>,
    /// The name of the kind of job, at most 512 bytes.
    pub name: String,
    /// The data, as JSON.
    pub data: Bytes,
    /// The delay before it may start, at most ten years.
    pub delay: Option<Duration>,
    /// The number of attempts, from 1; 3 by default.
    pub attempts: u32,
    /// The backoff after a failed attempt.
    pub backoff: Backoff,
    /// The priority, from -500 to 500, lower first; 0 by default.
    pub priority: i32,
    /// Deduplication: while an unfinished job has the same key, nothing is added.
    pub dedup: Option<Dedup>,
    /// The timeout of an attempt; 30 minutes by default.
    pub timeout: Duration,
    /// Whether it is retained once it is done, as the queue's options say; true by default. A dead job is retained in
    /// any case.
    pub keep: bool,
    /// The group whose limits apply, at most 512 bytes.
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

/// The default timeout of an attempt.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The deduplication of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedup {
    /// The deduplication key.
    pub id: String,
    /// How long the key counts, from when the job is added; without one, until it has finished.
    pub ttl: Option<Duration>,
}

/// The delay after a failed attempt. Computed by the worker; scripts do not read it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// How it grows; exponential by default.
    pub kind: BackoffKind,
    /// The delay after the first attempt; 1 s by default.
    pub delay: Duration,
    /// The longest delay; an hour by default.
    pub longest: Duration,
    /// The fraction that is random, from 0 to 1; 0.2 by default.
    pub jitter: f64,
}

/// How the delay between attempts grows.
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

/// The result of adding a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its id, or that of the existing job.
    pub id: String,
    /// Whether it was added.
    pub is_new: bool,
    /// What was published.
    pub published: Published,
}

const LONGEST_NAME: usize = 512;

impl NewJob {
    /// The longest delay or timeout: the due time with 11 more bits is exact in a script until 2099.
    pub const LONGEST_TIME: Duration = Duration::from_secs(3653 * 86_400);
    /// Lower ones run first.
    pub const PRIORITIES: RangeInclusive<i32> = -500..=500;

    pub(super) fn check(&self, max_bytes: usize) -> Result<()> {
        let refused = |message: String| Err(Error::argument(message));
        if self.name.is_empty() || self.name.len() > LONGEST_NAME {
            return refused(format!("name must have from 1 to {LONGEST_NAME} bytes, got {}", self.name.len()));
        }
        if self.data.len() > max_bytes {
            return refused(format!("data must have at most {max_bytes} bytes, got {}", self.data.len()));
        }
        if !Self::PRIORITIES.contains(&self.priority) {
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
            if span.is_some_and(|span| span > Self::LONGEST_TIME) {
                return refused(format!("{what} must be at most ten years"));
            }
        }
        Ok(())
    }

    /// The options as stored: lines that scripts read, and a last one that they do not. Empty if all have their
    /// defaults, as most jobs do, which saves memory.
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

/// The stored options of a job.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StoredOptions {
    pub priority: i32,
    pub group: Option<String>,
    pub attempts: u32,
    pub backoff: Backoff,
    pub timeout: Duration,
}

impl StoredOptions {
    /// Reads what `NewJob::options` has written; what cannot be read has its default.
    pub fn read(text: Option<&[u8]>) -> Self {
        let plain = NewJob::new("", Bytes::new());
        let text = String::from_utf8_lossy(text.unwrap_or_default());
        let mut lines = text.split('\n');
        let priority = lines.next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let group = lines.next().filter(|group| !group.is_empty()).map(|group| keys::decoded_id(group.as_bytes()));
        // The lines in between are read only by scripts.
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
