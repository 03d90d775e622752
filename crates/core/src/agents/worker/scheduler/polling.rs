//! When the store is asked and told: as one round, and no more often than there is reason to.

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

/// An idle worker asks this often, for what no wake-up told it.
const IDLE: Duration = Duration::from_secs(1);
/// While jobs are at hand, how long the end of one waits for others to be told with it.
const LINGER: Duration = Duration::from_millis(2);
/// Jobs of one round. The script that takes them holds the server up for that long.
const MOST: usize = 100;
/// After a failure: the first wait, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a worker that gives up still tries to say so.
pub const LAST_WORDS: Duration = Duration::from_millis(250);

/// When to ask for jobs, and how that went so far.
pub struct Polling {
    /// Not before this.
    pub at: Instant,
    /// Nothing at all before this: the store did not answer.
    not_before: Instant,
    failures: u32,
    /// What went wrong last, if it still does.
    failing: Option<Kind>,
    /// How often in a row there was nothing.
    in_vain: u32,
    /// Somebody said that there is something, since the last round went out.
    woken: bool,
    /// A round is under way.
    pub in_flight: bool,
    name: String,
    takes: u64,
    /// What may have been given: it is asked about first.
    unanswered: Option<TakeRequest>,
}

/// What goes to the store together, in this order.
pub struct Round {
    /// What running jobs say.
    pub reports: Vec<(u64, Notes)>,
    /// How jobs ended.
    pub finishes: Vec<Finish>,
    /// What to take.
    pub take: Option<TakeRequest>,
}

/// A question for jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeRequest {
    /// How many at most.
    pub count: usize,
    /// What their leases are held by: no two takes have the same.
    pub token: String,
    /// Whether it has been asked before, and only the answer is missing.
    pub again: bool,
    /// Whether the worker is idle.
    pub idle: bool,
    /// The token of the take that told this worker to make way, while it does.
    pub yielding: Option<String>,
}

/// What became of a round.
#[derive(Default)]
pub struct RoundResult {
    /// What the store did not hear.
    pub reports: Vec<(u64, Notes)>,
    /// What the store did not hear.
    pub finishes: Vec<Finish>,
    /// What was asked, and what was taken.
    pub taken: Option<(TakeRequest, Taken)>,
    /// What was asked and may have been given, though no answer came.
    pub unanswered: Option<TakeRequest>,
    /// EndReason something failed.
    pub error: Option<Error>,
}

impl Polling {
    /// At once.
    pub fn new(name: String, now: Instant) -> Self {
        Self {
            at: now,
            not_before: now,
            failures: 0,
            failing: None,
            in_vain: 0,
            woken: false,
            in_flight: false,
            name,
            takes: 0,
            unanswered: None,
        }
    }

    /// A question for so many jobs.
    fn ask(&mut self, count: usize, idle: bool, yielding: Option<String>) -> Option<TakeRequest> {
        if let Some(unanswered) = self.unanswered.take() {
            return Some(TakeRequest { again: true, ..unanswered });
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

    /// Whether nothing is under way that may bring jobs.
    pub fn is_settled(&self) -> bool {
        !self.in_flight && self.unanswered.is_none()
    }

    /// How long to leave a store exclusive that did not answer. Shaken, so that not all workers come at once.
    pub fn pause(&self) -> Duration {
        let bound = FIRST_PAUSE.saturating_mul(1 << self.failures.min(5)).min(LONGEST_PAUSE);
        bound.mul_f64(0.5 + random::fraction() / 2.0)
    }

    /// How long to wait after there were fewer than wanted, if something is due after `next_in`.
    fn patience(&mut self, none: bool, next_in: Option<Duration>) -> Duration {
        self.in_vain = if none { self.in_vain + 1 } else { 0 };
        // What is due and yet not given would otherwise be asked for without end.
        let least = Duration::from_millis(1 << self.in_vain.min(7)).min(Duration::from_millis(100));
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
        let told = self.out.due(if plenty { LINGER } else { Duration::ZERO });
        let lost = self.polling.unanswered.is_some();
        let asked = (lost || !plenty && self.want(now) > 0).then_some(self.polling.at);
        let at = [told, asked].into_iter().flatten().min();
        at.map(|at| at.max(self.polling.not_before))
    }

    /// The round that is due, if one is.
    pub fn round(&mut self, now: Instant) -> Option<Round> {
        if self.round_at(now).is_none_or(|at| at > now) {
            return None;
        }
        let (reports, finishes) = self.out.take(now);
        self.telling();
        let count = self.want(now).min(MOST);
        let idle = self.is_idle();
        let take = self.polling.ask(count, idle, self.yielding.clone());
        (self.polling.in_flight, self.polling.woken) = (true, false);
        Some(Round { reports, finishes, take })
    }

    /// What became of the round.
    pub fn round_ended(&mut self, result: RoundResult, now: Instant) -> Vec<Notice> {
        let mut notices = Vec::new();
        self.polling.in_flight = false;
        self.was_told(&result.reports, now, &mut notices);
        self.out.give_back(result.reports, result.finishes, now);
        match result.error {
            Some(error) => self.failed(error, now, &mut notices),
            None => self.recovered(&mut notices),
        }
        self.polling.unanswered = result.unanswered;
        if let Some((asked, taken)) = result.taken {
            self.yielding = taken.yielding.then(|| asked.token.clone());
            let died = taken.died.into_iter().map(|Died { id, name }| Notice::Crashed(id, name));
            notices.extend(died);
            let more = taken.next_in == Some(Duration::ZERO) && !taken.jobs.is_empty();
            let full = asked.again || more || taken.jobs.len() >= asked.count;
            let patience = self.polling.patience(taken.jobs.is_empty(), taken.next_in);
            self.polling.at = if full || self.polling.woken { now } else { now + patience };
            self.arrive(taken.jobs, now, &mut notices);
        }
        notices
    }

    /// There is something to take, or there may be.
    pub fn wake(&mut self, now: Instant) {
        self.polling.woken = true;
        self.polling.at = self.polling.at.min(now);
    }

    /// The store can be reached again.
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
        // Without a server, errors of several kinds take turns: that is one state.
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
