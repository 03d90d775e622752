//! When to poll the store and to report to it: in one round, and no more often than necessary.

use std::time::Duration;

use cinnabar_port::{
    error::{Error, Kind},
    random,
};
use tokio::time::Instant;

use super::Scheduler;
use crate::{
    agents::worker::{Notice, outbox::Notes},
    features::queue::{Died, Finish, Taken},
};

/// How often an idle worker polls, in case a wake-up was lost.
const IDLE: Duration = Duration::from_secs(1);
/// While jobs are prefetched, how long the end of one waits for others to be reported with it.
const BATCH_DELAY: Duration = Duration::from_millis(2);
/// The most jobs of one round. The script that takes them blocks the server for that long.
const MOST: usize = 100;
/// The backoff after a failure: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a worker that gives up still tries to report its jobs.
pub const FINAL_REPORTS: Duration = Duration::from_millis(250);

/// When to take jobs, and the outcomes so far.
pub struct Polling {
    /// No take before this.
    pub at: Instant,
    /// No round before this: the store did not respond.
    not_before: Instant,
    failures: u32,
    /// The kind of the last error, if it persists.
    failing: Option<Kind>,
    /// How many takes in a row got nothing.
    empty_takes: u32,
    /// Whether a wake-up came since the last round was sent.
    woken: bool,
    /// Whether a round is in flight.
    pub in_flight: bool,
    name: String,
    takes: u64,
    /// A take whose reply was lost; its jobs are recovered before another take.
    lost_take: Option<TakeRequest>,
}

/// What is sent to the store together, in this order.
pub struct Round {
    /// Notes of running jobs.
    pub reports: Vec<(u64, Notes)>,
    /// How jobs ended.
    pub finishes: Vec<Finish>,
    /// What to take.
    pub take: Option<TakeRequest>,
}

/// A request for jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeRequest {
    /// How many at most.
    pub count: usize,
    /// The token of their leases: no two takes have the same.
    pub token: String,
    /// Whether this recovers the jobs of an earlier take, whose reply was lost.
    pub again: bool,
    /// Whether the worker is idle.
    pub idle: bool,
    /// The token of the last take, if this worker yields to a suspect.
    pub yielding: Option<String>,
}

/// The outcome of a round.
#[derive(Default)]
pub struct RoundResult {
    /// Notes that were not stored.
    pub reports: Vec<(u64, Notes)>,
    /// Finishes that were not stored.
    pub finishes: Vec<Finish>,
    /// The take, and what was taken.
    pub taken: Option<(TakeRequest, Taken)>,
    /// The take, if its reply was lost.
    pub lost_take: Option<TakeRequest>,
    /// Why something failed.
    pub error: Option<Error>,
}

impl Polling {
    /// Due immediately.
    pub fn new(name: String, now: Instant) -> Self {
        Self {
            at: now,
            not_before: now,
            failures: 0,
            failing: None,
            empty_takes: 0,
            woken: false,
            in_flight: false,
            name,
            takes: 0,
            lost_take: None,
        }
    }

    /// The request for so many jobs.
    fn ask(&mut self, count: usize, idle: bool, yielding: Option<String>) -> Option<TakeRequest> {
        if let Some(lost_take) = self.lost_take.take() {
            return Some(TakeRequest { again: true, ..lost_take });
        }
        self.takes += u64::from(count > 0);
        (count > 0).then(|| TakeRequest {
            count,
            token: format!("{}-{}", self.name, self.takes),
            again: false,
            idle,
            yielding,
        })
    }

    /// Whether nothing is pending that may bring jobs.
    pub fn is_settled(&self) -> bool {
        !self.in_flight && self.lost_take.is_none()
    }

    /// The backoff after a failure. With jitter, so that workers do not all retry at once.
    pub fn pause(&self) -> Duration {
        let bound = FIRST_PAUSE.saturating_mul(1 << self.failures.min(5)).min(LONGEST_PAUSE);
        bound.mul_f64(0.5 + random::fraction() / 2.0)
    }

    /// How long to wait after a take got fewer jobs than wanted, if something is due after `next_in`.
    fn wait(&mut self, none: bool, next_in: Option<Duration>) -> Duration {
        self.empty_takes = if none { self.empty_takes + 1 } else { 0 };
        // What is due but cannot be taken would otherwise be requested endlessly.
        let least = Duration::from_millis(1 << self.empty_takes.min(7)).min(Duration::from_millis(100));
        next_in.unwrap_or(IDLE).clamp(least, IDLE)
    }
}

impl Scheduler {
    /// When the next round is due.
    pub(super) fn round_at(&self, now: Instant) -> Option<Instant> {
        if self.polling.in_flight {
            return None;
        }
        let plenty = self.has_plenty(now) && self.out.len() < MOST;
        let reports = self.out.due(if plenty { BATCH_DELAY } else { Duration::ZERO });
        let lost = self.polling.lost_take.is_some();
        let take = (lost || !plenty && self.want(now) > 0).then_some(self.polling.at);
        let at = [reports, take].into_iter().flatten().min();
        at.map(|at| at.max(self.polling.not_before))
    }

    /// The round that is due, if any.
    pub fn round(&mut self, now: Instant) -> Option<Round> {
        if self.round_at(now).is_none_or(|at| at > now) {
            return None;
        }
        let (reports, finishes) = self.out.take(now);
        self.start_report_sent();
        let count = self.want(now).min(MOST);
        let idle = self.is_idle();
        let take = self.polling.ask(count, idle, self.yielding.clone());
        (self.polling.in_flight, self.polling.woken) = (true, false);
        Some(Round { reports, finishes, take })
    }

    /// Records the outcome of the round.
    pub fn round_ended(&mut self, result: RoundResult, now: Instant) -> Vec<Notice> {
        let mut notices = Vec::new();
        self.polling.in_flight = false;
        self.start_report_ended(&result.reports, now, &mut notices);
        self.out.requeue(result.reports, result.finishes, now);
        match result.error {
            Some(error) => self.failed(error, now, &mut notices),
            None => self.recovered(&mut notices),
        }
        self.polling.lost_take = result.lost_take;
        if let Some((asked, taken)) = result.taken {
            self.yielding = taken.yielding.then(|| asked.token.clone());
            let died = taken.died.into_iter().map(|Died { id, name }| Notice::Crashed(id, name));
            notices.extend(died);
            let more = taken.next_in == Some(Duration::ZERO) && !taken.jobs.is_empty();
            let full = asked.again || more || taken.jobs.len() >= asked.count;
            let wait = self.polling.wait(taken.jobs.is_empty(), taken.next_in);
            self.polling.at = if full || self.polling.woken { now } else { now + wait };
            self.add_jobs(taken.jobs, now, &mut notices);
        }
        notices
    }

    /// There is something to take, or there may be.
    pub fn wake(&mut self, now: Instant) {
        self.polling.woken = true;
        self.polling.at = self.polling.at.min(now);
    }

    /// The store has become reachable.
    pub fn reach(&mut self, now: Instant) {
        if self.polling.failures > 0 {
            self.polling.not_before = now;
            self.wake(now);
            self.renew_at = self.renew_at.map(|at| at.min(now));
        }
    }

    fn failed(&mut self, error: Error, now: Instant, notices: &mut Vec<Notice>) {
        self.polling.not_before = now + self.polling.pause();
        self.polling.failures = self.polling.failures.saturating_add(1);
        // Without a server, errors of several kinds alternate: that is one state.
        let state = if error.is_unavailable() { Kind::Unavailable } else { error.kind };
        if self.polling.failing.replace(state) != Some(state) {
            notices.push(Notice::Failing(error));
        }
    }

    fn recovered(&mut self, notices: &mut Vec<Notice>) {
        self.polling.failures = 0;
        if self.polling.failing.take().is_some() {
            notices.push(Notice::Recovered);
        }
    }
}
