//! Options of queues, jobs and workers.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_core::{
    agents::worker::{self, Rules},
    features::queue::{self, Backoff, BackoffKind, Dedup, Limits, NewJob, Rate, Retention},
};
use cinnabar_port::{
    error::{Error, Result},
    number::to_js_string,
};
use napi::sys::ValueType;

use crate::js::{
    args::LONGEST_MS,
    group::Group,
    node_api::{Js, Value},
};

const LEASE: Duration = Duration::from_secs(10);
const SHORTEST_LEASE: u64 = 100;
const LONGEST_LEASE: u64 = 3_600_000;
const MOST_AT_ONCE: u64 = 10_000;

/// What a queue is made with.
pub struct QueueOptions {
    /// What the store has to know.
    pub queue: queue::Options,
    /// How long a worker's job is its own without a beat.
    pub lease: Duration,
    /// What its jobs have in common.
    pub defaults: JobDefaults,
}

/// What a job is where its own options say nothing.
pub struct JobDefaults(NewJob);

impl JobDefaults {
    /// A job with options of its own.
    pub fn job(&self, js: Js, name: String, data: Bytes, options: Value) -> Result<NewJob> {
        let job = NewJob { name, data, ..self.0.clone() };
        if js.kind(options) == ValueType::napi_undefined { Ok(job) } else { Group::of(js, options).job(job) }
    }
}

impl Js {
    /// `{ prefix, leaseMs, maxBytes, maxCrashes, keep: { done, dead }, defaults }`.
    pub fn queue_options(self, options: Value) -> Result<QueueOptions> {
        let group = Group::of(self, options);
        let usual = queue::Options::default();
        let keep = group.group(c"keep", "keep.", "an object")?;
        let keep = |name, within, usual| keep.map_or(Ok(usual), |keep| keep.keep(name, within, usual));
        let lease = group.whole(c"leaseMs", SHORTEST_LEASE..=LONGEST_LEASE)?;
        let defaults = group.group(c"defaults", "defaults.", "an object")?;
        let plain = NewJob::new("", Bytes::new());
        Ok(QueueOptions {
            queue: queue::Options {
                prefix: group.text(c"prefix")?,
                database: usual.database,
                max_bytes: group.whole(c"maxBytes", 1..=u64::from(u32::MAX))?.unwrap_or(usual.max_bytes),
                keep_done: keep(c"done", "keep.done.", usual.keep_done)?,
                keep_dead: keep(c"dead", "keep.dead.", usual.keep_dead)?,
                max_crashes: group.whole(c"maxCrashes", 1..=1_000_000)?.unwrap_or(usual.max_crashes),
            },
            lease: lease.map_or(LEASE, Duration::from_millis),
            defaults: JobDefaults(defaults.map_or(Ok(plain.clone()), |defaults| defaults.job(plain))?),
        })
    }

    /// `{ concurrency, limits: { concurrency, rate: { max, perMs }, group: { concurrency, rate } } }`.
    pub fn worker_options(
        self,
        options: Value,
        lease: Duration,
        timeout: Duration,
        max_bytes: usize,
    ) -> Result<worker::Options> {
        let group = Group::of(self, options);
        let concurrency = group.whole(c"concurrency", 1..=MOST_AT_ONCE)?.unwrap_or(1);
        let mut limits = Limits::default();
        if let Some(all) = group.group(c"limits", "limits.", "an object")? {
            limits.concurrency = all.whole(c"concurrency", 1..=u64::from(u32::MAX))?;
            limits.rate = all.starts(c"rate", "limits.rate.")?;
            if let Some(each) = all.group(c"group", "limits.group.", "an object")? {
                limits.group_concurrency = each.whole(c"concurrency", 1..=u64::from(u32::MAX))?;
                limits.group_rate = each.starts(c"rate", "limits.group.rate.")?;
            }
        }
        // What is taken ahead counts for a limit though it does not run.
        let rules = Rules { concurrency, lease, prefetch: !limits.is_some(), max_bytes };
        Ok(worker::Options { rules, limits, timeout })
    }
}

impl Group {
    /// The options themselves.
    pub(super) fn of(js: Js, object: Value) -> Self {
        Self { js, object, within: "" }
    }

    /// This job with these options.
    fn job(self, job: NewJob) -> Result<NewJob> {
        Ok(NewJob {
            id: self.text(c"id")?.or(job.id),
            delay: self.wait(c"delay")?.or(job.delay),
            attempts: self.whole(c"attempts", 1..=1_000_000)?.unwrap_or(job.attempts),
            backoff: self.backoff()?.unwrap_or(job.backoff),
            priority: self.read(c"priority", |value, said| self.priority(value, said))?.unwrap_or(job.priority),
            dedup: self.dedup()?.or(job.dedup),
            timeout: self.time(c"timeoutMs")?.unwrap_or(job.timeout),
            keep: self.strict_flag(c"keep")?.unwrap_or(job.keep),
            group: self.text(c"group")?.or(job.group),
            ..job
        })
    }

    /// Milliseconds, of which none is no wait.
    fn wait(self, name: &'static std::ffi::CStr) -> Result<Option<Duration>> {
        self.read(name, |value, said| self.js.milliseconds_within(value, said, 0..=LONGEST_MS))
    }

    fn priority(self, value: Value, said: &str) -> Result<i32> {
        match self.js.any_number(value, said)? {
            number if (-500.0..=500.0).contains(&number) && number.fract() == 0.0 => Ok(number as i32),
            number => Err(Error::argument(format!(
                "{said} must be a whole number from -500 to 500, not {}",
                to_js_string(number)
            ))),
        }
    }

    /// A number of milliseconds between all attempts, or `{ type, delayMs, maxMs, jitter }`.
    fn backoff(self) -> Result<Option<Backoff>> {
        let usual = Backoff::default();
        if let Some(value) = self.js.option(self.object, c"backoff")?
            && self.js.as_number(value).is_some()
        {
            let delay = self.wait(c"backoff")?.unwrap_or_default();
            let longest = delay.max(usual.longest);
            return Ok(Some(Backoff { kind: BackoffKind::Fixed, delay, longest, jitter: 0.0 }));
        }
        let Some(backoff) = self.group(c"backoff", "backoff.", "a number of milliseconds or an object")? else {
            return Ok(None);
        };
        let kind = backoff.read(c"type", |value, said| match self.js.text(value, said)?.as_str() {
            "fixed" => Ok(BackoffKind::Fixed),
            "exponential" => Ok(BackoffKind::Exponential),
            _ => Err(Error::argument(format!("{said} must be 'fixed' or 'exponential'"))),
        });
        let delay = backoff.wait(c"delayMs")?.unwrap_or(usual.delay);
        let jitter = backoff.rate(c"jitter")?.unwrap_or(usual.jitter);
        if !(0.0..=1.0).contains(&jitter) {
            return Err(Error::argument(format!(
                "backoff.jitter must lie between 0 and 1, not {}",
                to_js_string(jitter)
            )));
        }
        let longest = backoff.time(c"maxMs")?.unwrap_or(usual.longest.max(delay));
        Ok(Some(Backoff { kind: kind?.unwrap_or(usual.kind), delay, longest, jitter }))
    }

    /// What makes two jobs the same: a text, or `{ id, ttlMs }`.
    fn dedup(self) -> Result<Option<Dedup>> {
        if let Some(value) = self.js.option(self.object, c"dedup")?
            && self.js.kind(value) == ValueType::napi_string
        {
            return Ok(Some(Dedup { id: self.js.text(value, "dedup")?, ttl: None }));
        }
        let Some(dedup) = self.group(c"dedup", "dedup.", "a string or an object")? else { return Ok(None) };
        let id = dedup.text(c"id")?.ok_or_else(|| Error::argument("dedup.id must be a string, not undefined"))?;
        Ok(Some(Dedup { id, ttl: dedup.time(c"ttlMs")? }))
    }

    fn strict_flag(self, name: &'static std::ffi::CStr) -> Result<Option<bool>> {
        self.read(name, |value, said| self.js.flag(value, said))
    }

    /// `false`, or `{ count, ageSeconds, bytes }` of which each has its usual value.
    fn keep(self, name: &'static std::ffi::CStr, within: &'static str, usual: Retention) -> Result<Retention> {
        if let Some(value) = self.js.option(self.object, name)?
            && self.js.as_boolean(value) == Some(false)
        {
            return Ok(Retention::NOTHING);
        }
        let Some(keep) = self.group(name, within, "false or an object")? else { return Ok(usual) };
        Ok(Retention {
            count: keep.whole(c"count", 0..=10_000_000)?.unwrap_or(usual.count),
            age: keep.read(c"ageSeconds", |value, said| self.js.seconds(value, said))?.unwrap_or(usual.age),
            bytes: keep.whole(c"bytes", 0..=1 << 40)?.unwrap_or(usual.bytes),
        })
    }

    /// `{ max, perMs }`.
    fn starts(self, name: &'static std::ffi::CStr, within: &'static str) -> Result<Option<Rate>> {
        let Some(rate) = self.group(name, within, "an object")? else { return Ok(None) };
        let missing = |what| Error::argument(format!("{within}{what} must be a number, not undefined"));
        let max = rate.whole(c"max", 1..=u64::from(u32::MAX))?.ok_or_else(|| missing("max"))?;
        let per = rate.time(c"perMs")?.ok_or_else(|| missing("perMs"))?;
        Ok(Some(Rate { max, per }))
    }
}
