//! The scheduler of a worker: prefetched jobs, running jobs, and what is to be reported to the store. It does no I/O
//! and is given the time, so that every race can be tested.

mod polling;
mod running;
mod start;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

pub use self::polling::{Round, RoundResult, TakeRequest};
use self::{polling::Polling, running::Running, start::Start};
use super::{
    Notice,
    outbox::{Notes, Outbox},
    prefetch::Prefetch,
};
use crate::features::queue::{Finish, JobLease, Leased, Outcome};

/// A prefetched job that has not started for this long is released: another worker may be idle.
const MAX_IDLE: Duration = Duration::from_millis(100);

/// The start of a job is reported after it has run for this long; that of a shorter job when it ends.
const REPORT_AFTER: Duration = Duration::from_millis(5);

/// What a worker may do.
pub struct Rules {
    /// How many jobs may run at once.
    pub concurrency: usize,
    /// How long the store reserves a job for this worker without a renewal.
    pub lease: Duration,
    /// Whether short jobs may be prefetched.
    pub prefetch: bool,
    /// The most bytes of a result or an error.
    pub max_bytes: usize,
}

/// A job that has not started.
struct Ready {
    number: u64,
    job: Leased,
    since: Instant,
    start: Start,
}

/// The state of a worker. JavaScript and the worker's task both use it, one at a time.
pub struct Scheduler {
    rules: Rules,
    /// The number of the last job. No number is used twice, so late reports are ignored.
    numbers: u64,
    ready: VecDeque<Ready>,
    running: HashMap<u64, Running>,
    /// Started jobs whose start was not reported to the store yet, in order; some may have ended.
    unreported: VecDeque<(Instant, u64)>,
    /// The token of the last take, if this worker yields to a suspect.
    yielding: Option<String>,
    /// No timeout of a running job passes before this. It may be too early: then there is nothing to do.
    first_end: Option<Instant>,
    out: Outbox,
    prefetch: Prefetch,
    polling: Polling,
    /// JavaScript has asked for a job, and there was none.
    waiting_for_job: bool,
    /// JavaScript does not start jobs although it could: the event loop is blocked. Nothing is taken until it does.
    blocked: bool,
    paused: bool,
    closing: bool,
    /// When running jobs are released.
    close_at: Option<Instant>,
    /// Ids of the jobs that have not ended here.
    unfinished: Vec<String>,
    renew_at: Option<Instant>,
    renewing: bool,
    /// Until when the task sleeps; it is to be woken for anything earlier.
    armed: Option<Instant>,
}

impl Scheduler {
    /// Creates a scheduler that takes jobs immediately. `name` must be unique among all processes.
    pub fn new(name: String, rules: Rules, now: Instant) -> Self {
        Self {
            rules,
            numbers: 0,
            ready: VecDeque::new(),
            running: HashMap::new(),
            unreported: VecDeque::new(),
            yielding: None,
            first_end: None,
            out: Outbox::default(),
            prefetch: Prefetch::new(now),
            polling: Polling::new(name, now),
            waiting_for_job: false,
            blocked: false,
            paused: false,
            closing: false,
            close_at: None,
            unfinished: Vec::new(),
            renew_at: None,
            renewing: false,
            armed: None,
        }
    }

    /// Returns the next job to run, with its number.
    pub fn begin(&mut self, now: Instant) -> Option<(u64, Leased)> {
        if std::mem::take(&mut self.blocked) {
            self.polling.at = now;
        }
        let Some(Ready { number, job, start, .. }) = self.next_to_begin(now) else {
            self.waiting_for_job = true;
            return None;
        };
        self.prefetch.begun(now);
        let start_stored = job.exclusive || start == Start::Stored;
        let running = Running::of(&job, start_stored, now);
        self.first_end = Some(self.first_end.map_or(running.ends, |first| first.min(running.ends)));
        self.running.insert(number, running);
        if !start_stored {
            self.unreported.push_back((now, number));
        }
        Some((number, job))
    }

    /// How many jobs run, including those whose lease was lost.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Whether no more jobs may start.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Records notes of a running job. Ignored if the job is no longer this worker's.
    pub fn report(&mut self, number: u64, progress: Option<Bytes>, log: Option<Bytes>, now: Instant) {
        if let Some(running) = self.running.get_mut(&number).filter(|running| running.owned) {
            let (lease, begun) = (running.lease(), running.report_starts());
            self.out.report(number, Notes { lease, begun, progress, log: log.into_iter().collect() }, now);
        }
    }

    /// Adds jobs that were taken. Notifies JavaScript if it waits for one.
    fn add_jobs(&mut self, jobs: Vec<Leased>, now: Instant, notices: &mut Vec<Notice>) {
        if jobs.is_empty() {
            return;
        }
        self.renew_at.get_or_insert(now + self.rules.lease / 3);
        for job in jobs {
            self.numbers += 1;
            let start = if job.stores_start_first { Start::Unstored } else { Start::Free };
            self.ready.push_back(Ready { number: self.numbers, job, since: now, start });
        }
        if self.closing || self.paused {
            self.release_ready(now);
        } else if std::mem::take(&mut self.waiting_for_job) {
            notices.push(Notice::Jobs);
        }
    }

    /// Reports running jobs that started a while ago.
    fn report_starts(&mut self, now: Instant) {
        while let Some((_, number)) = self.unreported.pop_front_if(|(begun, _)| *begun + REPORT_AFTER <= now) {
            let Some(running) = self.running.get_mut(&number).filter(|running| running.owned) else { continue };
            if let Some(begun) = running.report_starts() {
                let notes = Notes { lease: running.lease(), begun: Some(begun), progress: None, log: Vec::new() };
                self.out.begun(number, notes, now);
            }
        }
    }

    /// Whether no job is running or queued here.
    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.ready.is_empty()
    }

    /// Whether the only job here runs exclusively.
    fn runs_exclusive(&self) -> bool {
        self.running.len() + self.ready.len() == 1
            && (self.ready.iter().any(|ready| ready.job.exclusive)
                || self.running.values().any(|running| running.exclusive))
    }

    /// How many jobs to take.
    fn want(&self, now: Instant) -> usize {
        if self.closing || self.paused || self.blocked || self.runs_exclusive() {
            return 0;
        }
        (self.rules.concurrency + self.ahead(now)).saturating_sub(self.running.len() + self.ready.len())
    }

    fn ahead(&self, now: Instant) -> usize {
        if self.rules.prefetch { self.prefetch.count(now) } else { 0 }
    }

    /// Whether the prefetched jobs last for a moment: until then, reports are batched.
    fn has_plenty(&self, now: Instant) -> bool {
        self.ready.len() > self.ahead(now) / 2
    }

    /// Releases prefetched jobs that have not started for too long.
    fn release_idle(&mut self, now: Instant) {
        if self.waits_since().is_none_or(|since| since + MAX_IDLE > now) {
            return;
        }
        while let Some(ready) = self.ready.pop_front_if(|ready| ready.since + MAX_IDLE <= now) {
            self.release(ready.job.id, ready.job.token, Duration::ZERO, now);
        }
        self.prefetch.reset();
        self.blocked = self.running.len() < self.rules.concurrency;
    }

    fn release_ready(&mut self, now: Instant) {
        for Ready { number, job, .. } in std::mem::take(&mut self.ready) {
            self.out.discard(number);
            self.release(job.id, job.token, Duration::ZERO, now);
        }
        self.prefetch.reset();
    }

    fn release(&mut self, id: String, token: String, ran: Duration, now: Instant) {
        self.out.finish(Finish { id, token, outcome: Outcome::Release, ran }, now);
    }

    /// Stops taking jobs, or continues.
    pub fn pause(&mut self, paused: bool, now: Instant) {
        self.paused = paused;
        if paused {
            self.release_ready(now);
        } else {
            self.polling.at = now;
        }
    }

    /// The leases to renew, if it is time.
    pub fn renew(&mut self, now: Instant) -> Option<Vec<(u64, JobLease)>> {
        if self.renewing || self.renew_at.is_none_or(|at| at > now) {
            return None;
        }
        let ready = self.ready.iter().map(|ready| (ready.number, &ready.job.id, &ready.job.token));
        let running = self.running.iter().filter(|(_, running)| running.owned);
        let running = running.map(|(number, running)| (*number, &running.id, &running.token));
        let leases = ready.chain(running);
        let leases: Vec<_> =
            leases.map(|(number, id, token)| (number, JobLease { id: id.clone(), token: token.clone() })).collect();
        self.renew_at = None;
        self.renewing = !leases.is_empty();
        self.renewing.then_some(leases)
    }

    /// Records the result of a renewal: the numbers of the jobs that are lost, or `None` if it failed.
    pub fn renewed(&mut self, lost: Option<Vec<u64>>, now: Instant) -> Vec<Notice> {
        self.renewing = false;
        let wait = if lost.is_some() { self.rules.lease / 3 } else { self.polling.pause() };
        self.renew_at = Some(now + wait);
        let mut notices = Vec::new();
        for number in lost.into_iter().flatten() {
            self.ready.retain(|ready| ready.number != number);
            self.out.discard(number);
            notices.extend(self.lose(number));
        }
        // The others may have been waiting for one of those.
        if self.waits_since().is_some() && std::mem::take(&mut self.waiting_for_job) {
            notices.push(Notice::Jobs);
        }
        notices
    }

    /// Does what is due by time.
    pub fn tick(&mut self, now: Instant) -> Vec<Notice> {
        self.armed = None;
        let mut notices = Vec::new();
        self.end_overdue(now, &mut notices);
        self.report_starts(now);
        self.release_idle(now);
        if self.close_at.is_some_and(|at| at <= now) {
            self.release_running(now, &mut notices);
        }
        notices
    }

    /// When the next thing is due.
    pub fn next_at(&self, now: Instant) -> Option<Instant> {
        let stale = self.waits_since().map(|since| since + MAX_IDLE);
        let renew = self.renew_at.filter(|_| !self.renewing);
        let begun = self.unreported.front().map(|(begun, _)| *begun + REPORT_AFTER);
        let close = self.close_at.filter(|_| !self.running.is_empty());
        [self.first_end, stale, renew, begun, close, self.round_at(now)].into_iter().flatten().min()
    }

    /// Records that the task sleeps until then.
    pub fn arm(&mut self, until: Instant) {
        self.armed = Some(until);
    }

    /// Whether the task must be woken. Returns true once.
    pub fn must_wake(&mut self, now: Instant) -> bool {
        let Some(armed) = self.armed else { return false };
        let wake = self.is_over() || self.next_at(now).is_some_and(|at| at < armed);
        if wake {
            self.armed = None;
        }
        wake
    }
}
