//! Options of queues, jobs and workers.

use std::{ffi::CStr, ops::RangeInclusive, time::Duration};

use bytes::Bytes;
use cinnabar_core::{
    features::queue::{self, Backoff, BackoffKind, Dedup, Limits, NewJob, Rate, Retention},
    keys,
};
use cinnabar_port::{
    error::{Error, Result},
    number::to_js_string,
};
use napi::sys::ValueType;

use crate::js::{
    node_api::{Js, Value},
    option_reader::{Given, Least, Literal, OptionReader, Takes},
    options::off,
};

const LEASE_MS: u64 = 10_000;
const LEASES_MS: RangeInclusive<u64> = 100..=3_600_000;
const MAX_CONCURRENCY: u64 = 10_000;
const COUNTS: RangeInclusive<u64> = 1..=u32::MAX as u64;

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

impl OptionReader<'_> {
    /// `{ prefix, leaseMs, maxBytes, maxCrashes, keep: { done, dead }, defaults }`.
    pub fn queue(self) -> Result<QueueOptions> {
        let mut queue = queue::Options { prefix: self.text(c"prefix", Some(keys::QUEUES))?, ..Default::default() };
        let lease = Duration::from_millis(self.whole_or(c"leaseMs", LEASES_MS, LEASE_MS)?);
        queue.max_bytes = self.whole_or(c"maxBytes", 1..=queue::Options::MOST_BYTES as u64, queue.max_bytes)?;
        queue.max_crashes = self.whole_or(c"maxCrashes", 1..=1_000_000, queue.max_crashes)?;
        if let Some(keep) = self.group(c"keep")? {
            queue.keep_done = keep.keep(c"done", queue.keep_done)?;
            queue.keep_dead = keep.keep(c"dead", queue.keep_dead)?;
        }
        let job = NewJob::new("", Bytes::new());
        let defaults = match self.group(c"defaults")? {
            Some(defaults) => defaults.any_job(job)?,
            None => job,
        };
        Ok(QueueOptions { queue, lease, defaults: JobDefaults(defaults) })
    }

    /// `{ concurrency, limits: { concurrency, rate: { max, perMs }, group: { concurrency, rate } } }`: how many jobs run at a time in
    /// a worker, and in all.
    pub fn worker(self) -> Result<(usize, Limits)> {
        let concurrency = self.whole_or(c"concurrency", 1..=MAX_CONCURRENCY, 1)?;
        let mut limits = Limits::default();
        if let Some(all) = self.group(c"limits")? {
            limits.concurrency = all.whole(c"concurrency", COUNTS, None)?;
            // It has required options, so its error comes after the others are read.
            let rate = all.starts(c"rate");
            if let Some(each) = all.group(c"group")? {
                limits.group_concurrency = each.whole(c"concurrency", COUNTS, None)?;
                limits.group_rate = each.starts(c"rate")?;
            }
            limits.rate = rate?;
        }
        Ok((concurrency, limits))
    }

    /// Returns the job with these options.
    pub fn job(self, job: NewJob) -> Result<NewJob> {
        let job = self.any_job(job)?;
        Ok(NewJob { id: self.text(c"id", None)?.or(job.id), dedup: self.dedup()?.or(job.dedup), ..job })
    }

    /// Returns the job with the options that any number of jobs may share.
    fn any_job(self, job: NewJob) -> Result<NewJob> {
        Ok(NewJob {
            delay: self.time(c"delay", Self::waits(), Some(Duration::ZERO))?.or(job.delay),
            attempts: self.whole_or(c"attempts", 1..=1_000_000, job.attempts)?,
            backoff: self.backoff()?.unwrap_or(job.backoff),
            priority: self.priority(job.priority)?,
            timeout: self.time_or(c"timeoutMs", Self::times(), job.timeout)?,
            keep: self.flag(c"keep", job.keep)?,
            group: self.text(c"group", None)?.or(job.group),
            ..job
        })
    }

    fn times() -> RangeInclusive<u64> {
        1..=NewJob::LONGEST_TIME.as_millis() as u64
    }

    fn waits() -> RangeInclusive<u64> {
        0..=*Self::times().end()
    }

    fn priority(self, default: i32) -> Result<i32> {
        let (least, most) = (f64::from(*NewJob::PRIORITIES.start()), f64::from(*NewJob::PRIORITIES.end()));
        let takes = Takes { bounds: Some((Least::From(least), most)), ..Takes::a("a whole number") };
        let takes = takes.or(Some(Literal::Number(default.into())));
        let read = self.read(c"priority", takes, |js, value, label| match js.any_number(value, label)? {
            number if (least..=most).contains(&number) && number.fract() == 0.0 => Ok(number as i32),
            number => Err(Error::argument(format!(
                "{label} must be a whole number from {least} to {most}, not {}",
                to_js_string(number)
            ))),
        });
        Ok(read?.unwrap_or(default))
    }

    /// Returns the backoff: a constant number of milliseconds, or `{ type, delayMs, maxMs, jitter }`.
    fn backoff(self) -> Result<Option<Backoff>> {
        let default = Backoff::default();
        let wait = |js: Js, value, label: &str| match js.as_number(value) {
            Some(_) => js.milliseconds_within(value, label, Self::waits()).map(Some),
            None => Ok(None),
        };
        let backoff = match self.group_or(c"backoff", "a number of milliseconds or an object", wait)? {
            None => return Ok(None),
            Some(Given::Short(delay)) => {
                let longest = delay.max(default.longest);
                return Ok(Some(Backoff { kind: BackoffKind::Fixed, delay, longest, jitter: 0.0 }));
            }
            Some(Given::Group(backoff)) => backoff,
        };
        let kinds = [("fixed", BackoffKind::Fixed), ("exponential", BackoffKind::Exponential)];
        let kind = backoff.word_or(c"type", kinds, default.kind)?;
        let delay = backoff.time_or(c"delayMs", Self::waits(), default.delay)?;
        let longest = backoff.time(c"maxMs", Self::times(), Some(default.longest))?;
        let jitter = backoff.jitter(default.jitter)?.unwrap_or(default.jitter);
        Ok(Some(Backoff { kind, delay, longest: longest.unwrap_or(default.longest.max(delay)), jitter }))
    }

    fn jitter(self, default: f64) -> Result<Option<f64>> {
        let takes = Takes { bounds: Some((Least::From(0.0), 1.0)), ..Takes::a("a number") };
        self.read(c"jitter", takes.or(Some(Literal::Number(default))), |js, value, label| {
            match js.any_number(value, label)? {
                jitter if (0.0..=1.0).contains(&jitter) => Ok(jitter),
                jitter => {
                    Err(Error::argument(format!("{label} must lie between 0 and 1, not {}", to_js_string(jitter))))
                }
            }
        })
    }

    /// Returns the deduplication: an id, or `{ id, ttlMs }`.
    fn dedup(self) -> Result<Option<Dedup>> {
        let text = |js: Js, value, label: &str| match js.kind(value) {
            ValueType::napi_string => js.text(value, label).map(Some),
            _ => Ok(None),
        };
        let dedup = match self.group_or(c"dedup", "a string or an object", text)? {
            None => return Ok(None),
            Some(Given::Short(id)) => return Ok(Some(Dedup { id, ttl: None })),
            Some(Given::Group(dedup)) => dedup,
        };
        let (id, ttl) = (dedup.text(c"id", None)?, dedup.time(c"ttlMs", Self::times(), None)?);
        let missing = || Error::argument(format!("{} must be a string, not undefined", dedup.label_of(c"id")));
        Ok(Some(Dedup { id: id.ok_or_else(missing)?, ttl }))
    }

    /// `false`, or `{ count, ageSeconds, bytes }` of which each has its default value.
    fn keep(self, name: &'static CStr, default: Retention) -> Result<Retention> {
        let keep = match self.group_or(name, "false or an object", off)? {
            None => return Ok(default),
            Some(Given::Short(())) => return Ok(Retention::NOTHING),
            Some(Given::Group(keep)) => keep,
        };
        Ok(Retention {
            count: keep.whole_or(c"count", 0..=10_000_000, default.count)?,
            age: keep.seconds(c"ageSeconds", default.age)?.unwrap_or(default.age),
            bytes: keep.whole_or(c"bytes", 0..=1 << 40, default.bytes)?,
        })
    }

    /// `{ max, perMs }`.
    fn starts(self, name: &'static CStr) -> Result<Option<Rate>> {
        let Some(rate) = self.group(name)? else { return Ok(None) };
        let max = rate.whole(c"max", 1..=u64::from(Rate::MOST), None)?;
        let per = rate.time(c"perMs", 1..=Rate::LONGEST.as_millis() as u64, None)?;
        let missing = |name| Error::argument(format!("{} must be a number, not undefined", rate.label_of(name)));
        Ok(Some(Rate { max: max.ok_or_else(|| missing(c"max"))?, per: per.ok_or_else(|| missing(c"perMs"))? }))
    }
}
