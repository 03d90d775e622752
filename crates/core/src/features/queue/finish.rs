//! What a worker reports about its jobs.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Replies, Reply, Request, Step,
    error::{Error, Result},
};

use super::{
    NewJob, Published, Queue, scripts,
    take::{check_lease, number},
};
use crate::{
    features::ttl,
    keys::{self, QueueKey},
};

/// The most jobs and notes of one run of a script, and their bytes: longer runs would block the server for other
/// clients.
const FINISHES: usize = 100;
const BEATS: usize = 500;
const NOTES: usize = 100;
const RUN_BYTES: usize = 1 << 20;
/// The most lines that a job's log retains, and bytes of one.
const LOG_LINES: usize = 1000;
const LONGEST_LINE: usize = 64 << 10;

/// The lease of a worker on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLease {
    /// The id of the job.
    pub id: String,
    /// The token of the lease.
    pub token: String,
}

/// The end of a job.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The id of the job.
    pub id: String,
    /// The token of its lease.
    pub token: String,
    /// What becomes of the job.
    pub outcome: Outcome,
    /// How long ago it started. An earlier report of the start takes precedence.
    pub ran: Duration,
}

/// What becomes of a job that is no longer active.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is done. The result is JSON, or empty for none.
    Done(Bytes),
    /// The attempt failed; it is retried after a delay.
    Retry {
        /// The error, as JSON.
        error: Bytes,
        /// The delay; retried immediately if zero.
        delay: Duration,
    },
    /// It failed permanently.
    Dead {
        /// The error, as JSON.
        error: Bytes,
    },
    /// It has not started: it returns to its position, and nothing is counted.
    Release,
}

/// A note of a worker about a running job.
#[derive(Debug, Clone)]
pub struct Report {
    /// The id of the job.
    pub id: String,
    /// The token of its lease.
    pub token: String,
    /// The note.
    pub note: Note,
}

/// What a note is about.
#[derive(Debug, Clone)]
pub enum Note {
    /// It started this long ago. Until that is reported, a crash of its worker is not charged to it.
    Begun(Duration),
    /// Its progress, as JSON. Replaces the former one.
    Progress(Bytes),
    /// A line for its log, which retains the last 1000; at most 64 KiB.
    Log(Bytes),
}

impl Queue {
    /// Ends jobs. Returns, for each, whether it was still this worker's, and what was published. A job that was not is
    /// left unchanged. Idempotent, with the same result, except for a job that is not retained: its second result is
    /// false.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` if a result or an error has more bytes than `max_bytes`, or a delay is over ten years.
    pub fn finish(&self, finishes: Vec<Finish>) -> Result<Call<(Vec<bool>, Published)>> {
        let most = self.0.options.max_bytes;
        let policy = [self.0.options.keep_done.arguments(), self.0.options.keep_dead.arguments()].concat();
        let mut all = Vec::with_capacity(finishes.len());
        for Finish { id, token, outcome, ran } in finishes {
            let (what, value, delay) = match outcome {
                Outcome::Done(result) => ("done", result, Duration::ZERO),
                Outcome::Retry { error, delay } => ("retry", error, delay),
                Outcome::Dead { error } => ("dead", error, Duration::ZERO),
                Outcome::Release => ("release", Bytes::new(), Duration::ZERO),
            };
            if value.len() > most {
                let what = if what == "done" { "result" } else { "error" };
                return Err(Error::argument(format!("{what} must have at most {most} bytes, got {}", value.len())));
            }
            if delay > NewJob::LONGEST_TIME {
                return Err(Error::argument("delay must be at most ten years"));
            }
            let what = Bytes::from_static(what.as_bytes());
            let (delay, ran) = (ttl::millis(delay), number(ran.as_millis()));
            all.push(vec![keys::encoded_id("id", &id)?.into(), token.into(), what, value, delay, ran]);
        }
        let runs = runs_of(&policy, all, FINISHES);
        let queue = self.clone();
        let runs = runs.into_iter().map(move |run| queue.finding(&scripts::FINISH, run));
        Ok(Call::round(runs.map(Request::idempotent), |replies| {
            let (mut all, mut published) = (Vec::new(), Published::default());
            for reply in replies.all()? {
                let mut reply = reply.array()?;
                published = published.and(Published::of(reply.pop().map_or(Ok(0), Reply::int)?));
                for flag in reply {
                    all.push(flag.flag()?);
                }
            }
            Ok(Step::Done((all, published)))
        }))
    }

    /// Renews leases from now on. Returns, for each job, whether it is still this worker's.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a lease out of its bounds.
    pub fn renew(&self, lease: Duration, leases: Vec<JobLease>) -> Result<Call<Vec<bool>>> {
        check_lease(lease)?;
        let pair = |JobLease { id, token }| Ok(vec![keys::encoded_id("id", &id)?.into(), Bytes::from(token)]);
        let all = leases.into_iter().map(pair).collect::<Result<_>>()?;
        let runs = runs_of(&[ttl::millis(lease)], all, BEATS);
        let queue = self.clone();
        let used = [QueueKey::Leases, QueueKey::Leased];
        let runs = runs.into_iter().map(move |run| queue.using(&scripts::RENEW, &used, run));
        Ok(Call::round(runs.map(Request::idempotent), flags))
    }

    /// Stores progress and log lines; those of jobs that are no longer this worker's are dropped. If there are log
    /// lines, it is not idempotent, since they would be stored twice.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for progress with more bytes than `max_bytes`, and for a line of over 64 KiB.
    pub fn report(&self, reports: Vec<Report>) -> Result<Call<()>> {
        let mut idempotent = true;
        let mut all = Vec::with_capacity(reports.len());
        for Report { id, token, note } in reports {
            let (what, most, kind, value) = match note {
                Note::Progress(value) => ("progress", self.0.options.max_bytes, "progress", value),
                Note::Begun(ago) => ("begun", usize::MAX, "begun", number(ago.as_millis())),
                Note::Log(line) => ("a line of a log", LONGEST_LINE, "log", line),
            };
            if value.len() > most {
                return Err(Error::argument(format!("{what} must have at most {most} bytes, got {}", value.len())));
            }
            idempotent &= kind != "log";
            let kind = Bytes::from_static(kind.as_bytes());
            all.push(vec![keys::encoded_id("id", &id)?.into(), token.into(), kind, value]);
        }
        let queue = self.clone();
        let runs = runs_of(&[number(LOG_LINES)], all, NOTES).into_iter().map(move |run| {
            // After the first: id, token, kind, value.
            let notes =
                run.get(1..).unwrap_or_default().chunks(4).filter_map(|note| Some((note.first()?, note.get(2)?)));
            let used = notes.filter_map(|(id, what)| match &what[..] {
                b"progress" => Some(QueueKey::Job(id)),
                b"log" => Some(QueueKey::Log(id)),
                _ => None,
            });
            let used: Vec<_> = [QueueKey::Leases].into_iter().chain(used).collect();
            queue.using(&scripts::REPORT, &used, run.iter().cloned())
        });
        Ok(Call::round(runs.map(|run| if idempotent { run.idempotent() } else { run }), |replies| {
            replies.all()?;
            Ok(Step::Done(()))
        }))
    }
}

/// Splits items into runs of at most `most` items and about 1 MiB each: the arguments `first`, then those of each
/// item.
fn runs_of(first: &[Bytes], all: Vec<Vec<Bytes>>, most: usize) -> Vec<Vec<Bytes>> {
    let mut runs: Vec<Vec<Bytes>> = Vec::new();
    let (mut count, mut bytes) = (most, 0);
    for one in all {
        let size = one.iter().map(Bytes::len).sum::<usize>();
        if count == most || bytes + size > RUN_BYTES {
            runs.push(first.to_vec());
            (count, bytes) = (0, 0);
        }
        count += 1;
        bytes += size;
        if let Some(run) = runs.last_mut() {
            run.extend(one);
        }
    }
    runs
}

/// The replies of all runs, concatenated.
fn flags(replies: Replies) -> Result<Step<Vec<bool>>> {
    let mut all = Vec::new();
    for reply in replies.all()? {
        for flag in reply.array()? {
            all.push(flag.flag()?);
        }
    }
    Ok(Step::Done(all))
}
