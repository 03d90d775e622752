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
    node_api::{Js, Value},
    option_reader::OptionReader,
};

const DEFAULT_LEASE: Duration = Duration::from_secs(10);
const MIN_LEASE_MS: u64 = 100;
const MAX_LEASE_MS: u64 = 3_600_000;
const MAX_CONCURRENCY: u64 = 10_000;

/// The options of a queue.
pub struct QueueOptions {
    /// The options of the feature.
    pub queue: queue::Options,
    /// The lease of a worker on its jobs, which it renews.
    pub lease: Duration,
    /// The default options of its jobs.
    pub defaults: JobDefaults,
}

/// The default options of jobs.
pub struct JobDefaults(NewJob);

impl JobDefaults {
    /// Returns a job with these options and the defaults.
    pub fn job(&self, js: Js, name: String, data: Bytes, options: Value) -> Result<NewJob> {
        let job = NewJob { name, data, ..self.0.clone() };
        if js.kind(options) == ValueType::napi_undefined { Ok(job) } else { OptionReader::of(js, options).job(job) }
    }
}

impl Js {
    /// `{ prefix, leaseMs, maxBytes, maxCrashes, keep: { done, dead }, defaults }`.
    pub fn queue_options(self, options: Value) -> Result<QueueOptions> {
        let group = OptionReader::of(self, options);
        let default = queue::Options::default();
        let keep = group.group(c"keep", "keep.", "an object")?;
        let keep = |name, within, default| keep.map_or(Ok(default), |keep| keep.keep(name, within, default));
        let lease = group.whole(c"leaseMs", MIN_LEASE_MS..=MAX_LEASE_MS)?;
        let defaults = group.group(c"defaults", "defaults.", "an object")?;
        let plain = NewJob::new("", Bytes::new());
        Ok(QueueOptions {
            queue: queue::Options {
                prefix: group.text(c"prefix")?,
                database: default.database,
                max_bytes: group.whole(c"maxBytes", 1..=u64::from(u32::MAX))?.unwrap_or(default.max_bytes),
                keep_done: keep(c"done", "keep.done.", default.keep_done)?,
                keep_dead: keep(c"dead", "keep.dead.", default.keep_dead)?,
                max_crashes: group.whole(c"maxCrashes", 1..=1_000_000)?.unwrap_or(default.max_crashes),
            },
            lease: lease.map_or(DEFAULT_LEASE, Duration::from_millis),
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
        let group = OptionReader::of(self, options);
        let concurrency = group.whole(c"concurrency", 1..=MAX_CONCURRENCY)?.unwrap_or(1);
        let mut limits = Limits::default();
        if let Some(all) = group.group(c"limits", "limits.", "an object")? {
            limits.concurrency = all.whole(c"concurrency", 1..=u64::from(u32::MAX))?;
            limits.rate = all.starts(c"rate", "limits.rate.")?;
            if let Some(each) = all.group(c"group", "limits.group.", "an object")? {
                limits.group_concurrency = each.whole(c"concurrency", 1..=u64::from(u32::MAX))?;
                limits.group_rate = each.starts(c"rate", "limits.group.rate.")?;
            }
        }
        // Prefetched jobs count towards limits although they do not run yet.
        let rules = Rules { concurrency, lease, prefetch: !limits.is_some(), max_bytes };
        Ok(worker::Options { rules, limits, timeout })
    }
}

impl OptionReader {
    /// Returns a reader for the top level of options.
    pub(super) fn of(js: Js, object: Value) -> Self {
        Self { js, object, prefix: "" }
    }

    /// Returns the job with these options.
    fn job(self, job: NewJob) -> Result<NewJob> {
        Ok(NewJob {
            id: self.text(c"id")?.or(job.id),
            delay: self.wait(c"delay")?.or(job.delay),
            attempts: self.whole(c"attempts", 1..=1_000_000)?.unwrap_or(job.attempts),
            backoff: self.backoff()?.unwrap_or(job.backoff),
            priority: self.read(c"priority", |value, label| self.priority(value, label))?.unwrap_or(job.priority),
            dedup: self.dedup()?.or(job.dedup),
            timeout: self.time(c"timeoutMs")?.unwrap_or(job.timeout),
            keep: self.strict_flag(c"keep")?.unwrap_or(job.keep),
            group: self.text(c"group")?.or(job.group),
            ..job
        })
    }

    /// Returns an option in milliseconds, which may be 0.
    fn wait(self, name: &'static std::ffi::CStr) -> Result<Option<Duration>> {
        self.read(name, |value, label| self.js.milliseconds_within(value, label, 0..=LONGEST_MS))
    }

    fn priority(self, value: Value, label: &str) -> Result<i32> {
        match self.js.any_number(value, label)? {
            number if (-500.0..=500.0).contains(&number) && number.fract() == 0.0 => Ok(number as i32),
            number => Err(Error::argument(format!(
                "{label} must be a whole number from -500 to 500, not {}",
                to_js_string(number)
            ))),
        }
    }

    /// Returns the backoff: a constant number of milliseconds, or `{ type, delayMs, maxMs, jitter }`.
    fn backoff(self) -> Result<Option<Backoff>> {
        let default = Backoff::default();
        if let Some(value) = self.js.option(self.object, c"backoff")?
            && self.js.as_number(value).is_some()
        {
            let delay = self.wait(c"backoff")?.unwrap_or_default();
            let longest = delay.max(default.longest);
            return Ok(Some(Backoff { kind: BackoffKind::Fixed, delay, longest, jitter: 0.0 }));
        }
        let Some(backoff) = self.group(c"backoff", "backoff.", "a number of milliseconds or an object")? else {
            return Ok(None);
        };
        let kind = backoff.read(c"type", |value, label| match self.js.text(value, label)?.as_str() {
            "fixed" => Ok(BackoffKind::Fixed),
            "exponential" => Ok(BackoffKind::Exponential),
            _ => Err(Error::argument(format!("{label} must be 'fixed' or 'exponential'"))),
        });
        let delay = backoff.wait(c"delayMs")?.unwrap_or(default.delay);
        let jitter = backoff.rate(c"jitter")?.unwrap_or(default.jitter);
        if !(0.0..=1.0).contains(&jitter) {
            return Err(Error::argument(format!(
                "backoff.jitter must lie between 0 and 1, not {}",
                to_js_string(jitter)
            )));
        }
        let longest = backoff.time(c"maxMs")?.unwrap_or(default.longest.max(delay));
        Ok(Some(Backoff { kind: kind?.unwrap_or(default.kind), delay, longest, jitter }))
    }

    /// Returns the deduplication: an id, or `{ id, ttlMs }`.
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
        self.read(name, |value, label| self.js.flag(value, label))
    }

    /// `false`, or `{ count, ageSeconds, bytes }` of which each has its default value.
    fn keep(self, name: &'static std::ffi::CStr, within: &'static str, default: Retention) -> Result<Retention> {
        if let Some(value) = self.js.option(self.object, name)?
            && self.js.as_boolean(value) == Some(false)
        {
            return Ok(Retention::NOTHING);
        }
        let Some(keep) = self.group(name, within, "false or an object")? else { return Ok(default) };
        Ok(Retention {
            count: keep.whole(c"count", 0..=10_000_000)?.unwrap_or(default.count),
            age: keep.read(c"ageSeconds", |value, label| self.js.seconds(value, label))?.unwrap_or(default.age),
            bytes: keep.whole(c"bytes", 0..=1 << 40)?.unwrap_or(default.bytes),
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
