//! How jobs end, and the worker.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{number::LONGEST_SECONDS, random};
use tokio::time::Instant;

use super::{Scheduler, polling::FINAL_REPORTS};
use crate::{
    agents::worker::{EndReason, Failure, Notice, backoff},
    features::queue::{Backoff, Finish, JobLease, Leased, Outcome},
};

/// A running job.
pub struct Running {
    pub id: String,
    pub token: String,
    attempt: u32,
    attempts: u32,
    backoff: Backoff,
    timeout: Duration,
    began: Instant,
    /// Whether the start was reported, or the report is in flight.
    start_reported: bool,
    /// Whether it runs exclusively.
    pub exclusive: bool,
    /// When its timeout passes.
    pub ends: Instant,
    /// Whether the job is still this worker's. If not, it only counts as running until its handler ends.
    pub owned: bool,
}

impl Running {
    /// This job, started now; `start_reported` if its start is stored.
    pub fn of(job: &Leased, start_reported: bool, now: Instant) -> Self {
        Self {
            id: job.id.clone(),
            token: job.token.clone(),
            attempt: job.attempt,
            attempts: job.attempts,
            backoff: job.backoff,
            timeout: job.timeout,
            began: now,
            start_reported,
            exclusive: job.exclusive,
            ends: now + job.timeout.min(Duration::from_secs(LONGEST_SECONDS)),
            owned: true,
        }
    }

    /// The job's lease.
    pub fn lease(&self) -> JobLease {
        JobLease { id: self.id.clone(), token: self.token.clone() }
    }

    /// Returns when it started, the first time this is called.
    pub fn report_starts(&mut self) -> Option<Instant> {
        (!std::mem::replace(&mut self.start_reported, true)).then_some(self.began)
    }

    fn dies(&self, fatal: bool) -> bool {
        fatal || self.attempt >= self.attempts
    }

    fn fails(&self, error: Bytes, fatal: bool) -> Outcome {
        if self.dies(fatal) {
            return Outcome::Dead { error };
        }
        Outcome::Retry { error, delay: backoff::delay(&self.backoff, self.attempt, random::fraction()) }
    }
}

/// Drops an error that the store would reject as too large: that the job failed matters more.
fn fitting(error: Bytes, most: usize) -> Bytes {
    if error.len() > most { Bytes::new() } else { error }
}

impl Scheduler {
    /// Records the end of a job; returns false if that has no effect, because its timeout has passed or it was lost.
    pub fn end(&mut self, number: u64, result: Result<Bytes, Failure>, now: Instant) -> bool {
        let Some(running) = self.running.remove(&number) else { return false };
        if !running.owned {
            return false;
        }
        let outcome = match result {
            Ok(result) => Outcome::Done(result),
            Err(Failure { error, fatal }) => running.fails(fitting(error, self.rules.max_bytes), fatal),
        };
        let ran = now.duration_since(running.began);
        self.out.finish(Finish { id: running.id, token: running.token, outcome, ran }, now);
        true
    }

    /// Whether this job would be dead if it failed now.
    pub fn dies(&self, number: u64, fatal: bool) -> bool {
        self.running.get(&number).is_some_and(|running| running.owned && running.dies(fatal))
    }

    /// Another worker may have this job by now.
    pub(super) fn lose(&mut self, number: u64) -> Option<Notice> {
        let running = self.running.get_mut(&number).filter(|running| running.owned)?;
        running.owned = false;
        Some(Notice::Ended(number, EndReason::Lost))
    }

    /// Fails the jobs whose timeout has passed, whatever their handlers do.
    pub(super) fn end_overdue(&mut self, now: Instant, notices: &mut Vec<Notice>) {
        if self.first_end.is_none_or(|first| first > now) {
            return;
        }
        for (number, running) in self.running.extract_if(|_, running| running.ends <= now) {
            if running.owned && running.dies(false) {
                notices.push(Notice::Died(number));
            }
            notices.push(Notice::Ended(number, EndReason::TimedOut));
            if running.owned {
                let ms = running.timeout.as_millis();
                let text = format!(
                    "{{\"name\":\"CinnabarError\",\"message\":\"timed out after {ms} ms\",\"code\":\"E_TIMEOUT\"}}"
                );
                let outcome = running.fails(fitting(text.into(), self.rules.max_bytes), false);
                let ran = now.duration_since(running.began);
                self.out.finish(Finish { id: running.id, token: running.token, outcome, ran }, now);
            }
        }
        self.first_end = self.running.values().map(|running| running.ends).min();
    }

    /// Stops taking jobs, releases those that have not started, and waits for the running ones: until `give_up`, or as
    /// long as it takes.
    pub fn close(&mut self, give_up: Option<Instant>, now: Instant) {
        self.closing = true;
        self.close_at = [self.close_at, give_up].into_iter().flatten().min();
        self.release_ready(now);
    }

    /// Releases the running jobs.
    pub(super) fn release_running(&mut self, now: Instant, notices: &mut Vec<Notice>) {
        self.first_end = None;
        for (number, running) in std::mem::take(&mut self.running) {
            notices.push(Notice::Ended(number, EndReason::Closed));
            if running.owned {
                self.unfinished.push(running.id.clone());
                self.release(running.id, running.token, now.duration_since(running.began), now);
            }
        }
    }

    /// JavaScript can run nothing any more. A running job may be the reason, so none is released: their leases expire,
    /// which counts as a crash.
    pub fn abandon(&mut self, now: Instant) {
        self.close(Some(now), now);
        self.first_end = None;
        self.running.clear();
    }

    /// Whether a closed worker has nothing left to do.
    pub fn is_over(&self) -> bool {
        self.closing && self.running.is_empty() && self.out.is_empty() && self.polling.is_settled()
    }

    /// When a closed worker stops trying to report what is left.
    pub fn gives_up_at(&self) -> Option<Instant> {
        self.close_at.map(|at| at + FINAL_REPORTS)
    }

    /// The ids of the jobs that have not ended here: they were released, or their end could not be reported.
    pub fn unfinished(&mut self) -> Vec<String> {
        let mut ids = std::mem::take(&mut self.unfinished);
        let unreported = self.out.finishes().filter(|finish| !matches!(finish.outcome, Outcome::Release));
        ids.extend(unreported.map(|finish| finish.id.clone()));
        ids
    }
}
