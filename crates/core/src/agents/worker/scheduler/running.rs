//! How jobs come to their end, and the worker with them.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::random;
use tokio::time::Instant;

use super::{Scheduler, polling::LAST_WORDS};
use crate::{
    agents::worker::{EndReason, Failure, Notice, backoff},
    features::queue::{Backoff, Finish, JobLease, Leased, Outcome},
};

/// Nobody waits for longer than a century, and moments cannot lie further away.
const LONGEST: Duration = Duration::from_secs(3_153_600_000);

/// A job that runs.
pub struct Running {
    pub id: String,
    pub token: String,
    attempt: u32,
    attempts: u32,
    backoff: Backoff,
    timeout: Duration,
    began: Instant,
    /// Whether the start was reported, or the report is in flight.
    told: bool,
    /// Whether it must run exclusive.
    pub exclusive: bool,
    /// When its time is over.
    pub ends: Instant,
    /// Whether it is still this worker's. If not, it only takes the place of another until it has ended.
    pub held: bool,
}

impl Running {
    /// This job, started now; `told` if its start is stored.
    pub fn of(job: &Leased, told: bool, now: Instant) -> Self {
        Self {
            id: job.id.clone(),
            token: job.token.clone(),
            attempt: job.attempt,
            attempts: job.attempts,
            backoff: job.backoff,
            timeout: job.timeout,
            began: now,
            told,
            exclusive: job.exclusive,
            ends: now + job.timeout.min(LONGEST),
            held: true,
        }
    }

    /// The job and its lease.
    pub fn held_by(&self) -> JobLease {
        JobLease { id: self.id.clone(), token: self.token.clone() }
    }

    /// When it started, the first time this is called.
    pub fn tell_begun(&mut self) -> Option<Instant> {
        (!std::mem::replace(&mut self.told, true)).then_some(self.began)
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

/// An error that the store would refuse is none: that the job failed matters more.
fn fitting(error: Bytes, most: usize) -> Bytes {
    if error.len() > most { Bytes::new() } else { error }
}

impl Scheduler {
    /// A job has ended; false where that changes nothing, because its time was over or it was another worker's by then.
    pub fn end(&mut self, number: u64, result: Result<Bytes, Failure>, now: Instant) -> bool {
        let Some(running) = self.running.remove(&number) else { return false };
        if !running.held {
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
        self.running.get(&number).is_some_and(|running| running.held && running.dies(fatal))
    }

    /// Another has this job by now.
    pub(super) fn lose(&mut self, number: u64) -> Option<Notice> {
        let running = self.running.get_mut(&number).filter(|running| running.held)?;
        running.held = false;
        Some(Notice::Ended(number, EndReason::Lost))
    }

    /// Fails those whose time is over, whatever their handlers do.
    pub(super) fn end_overdue(&mut self, now: Instant, notices: &mut Vec<Notice>) {
        if self.first_end.is_none_or(|first| first > now) {
            return;
        }
        for (number, running) in self.running.extract_if(|_, running| running.ends <= now) {
            if running.held && running.dies(false) {
                notices.push(Notice::Died(number));
            }
            notices.push(Notice::Ended(number, EndReason::TimedOut));
            if running.held {
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

    /// Takes no more, gives back what is not begun, and waits for what runs: until `give_up`, or as long as it takes.
    pub fn close(&mut self, give_up: Option<Instant>, now: Instant) {
        self.closing = true;
        self.close_at = [self.close_at, give_up].into_iter().flatten().min();
        self.give_ready_back(now);
    }

    /// Gives back what still runs.
    pub(super) fn give_running_back(&mut self, now: Instant, notices: &mut Vec<Notice>) {
        self.first_end = None;
        for (number, running) in std::mem::take(&mut self.running) {
            notices.push(Notice::Ended(number, EndReason::Closed));
            if running.held {
                self.unfinished.push(running.id.clone());
                self.release(running.id, running.token, now.duration_since(running.began), now);
            }
        }
    }

    /// Nobody is there any more who could run anything. What ran may have killed whoever ran it, so it is not given back:
    /// its lease runs out, which counts as a crash.
    pub fn abandon(&mut self, now: Instant) {
        self.close(Some(now), now);
        self.first_end = None;
        self.running.clear();
    }

    /// Whether a worker that was closed has nothing left to do.
    pub fn is_over(&self) -> bool {
        self.closing && self.running.is_empty() && self.out.is_empty() && self.polling.is_settled()
    }

    /// When a closed worker stops trying to tell the store what is left.
    pub fn gives_up_at(&self) -> Option<Instant> {
        self.close_at.map(|at| at + LAST_WORDS)
    }

    /// The jobs that did not come to their end here: given back, or ended without the store having heard of it.
    pub fn unfinished(&mut self) -> Vec<String> {
        let mut ids = std::mem::take(&mut self.unfinished);
        let untold = self.out.finishes().filter(|finish| !matches!(finish.outcome, Outcome::Release));
        ids.extend(untold.map(|finish| finish.id.clone()));
        ids
    }
}
