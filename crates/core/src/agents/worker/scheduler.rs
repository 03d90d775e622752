//! A worker's scheduler: jobs that wait to be begun, jobs that run, and what the store has to be told. It does nothing by itself
//! and is told the time, so that every race can be played through.

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

/// A job that was taken ahead and is not begun for this long goes back: another worker may be idle.
const STALE: Duration = Duration::from_millis(100);

/// The start of a job is reported after it has run for this long; that of a shorter job when it ends.
const TELL_AFTER: Duration = Duration::from_millis(5);

/// What a worker may do.
pub struct Rules {
    /// How many jobs may run at once.
    pub concurrency: usize,
    /// For how long the store leaves a job to this worker without hearing of it.
    pub lease: Duration,
    /// Whether short jobs may be taken before there is room for them.
    pub prefetch: bool,
    /// Most bytes of a result or an error.
    pub max_bytes: usize,
}

/// A job that nobody has begun.
struct Ready {
    number: u64,
    job: Leased,
    since: Instant,
    start: Start,
}

/// Everything that a worker knows. What runs jobs and what speaks to the store both work on it, one at a time.
pub struct Scheduler {
    rules: Rules,
    /// Of the last job. A number is never given twice, so whatever comes late means nothing.
    numbers: u64,
    ready: VecDeque<Ready>,
    running: HashMap<u64, Running>,
    /// Started jobs whose start was not reported to the store yet, in order; some may have ended.
    untold: VecDeque<(Instant, u64)>,
    /// A job that must run exclusive waits until no other job runs in this worker.
    yielding: Option<String>,
    /// No running job's time is over before this. It may be too early: then there is nothing to do.
    first_end: Option<Instant>,
    out: Outbox,
    prefetch: Prefetch,
    polling: Polling,
    /// Whoever runs jobs has asked for one, and there was none.
    hungry: bool,
    /// Whoever runs jobs does not come although there is room: the event loop is blocked. Nothing is taken until it comes.
    stuck: bool,
    paused: bool,
    closing: bool,
    /// What still runs then is given up.
    close_at: Option<Instant>,
    /// Ids of jobs that did not come to their end here.
    unfinished: Vec<String>,
    renew_at: Option<Instant>,
    renewing: bool,
    /// Until when whoever speaks to the store sleeps; before that, it is to be woken.
    armed: Option<Instant>,
}

impl Scheduler {
    /// Nothing to do yet but to ask. No two desks have the same `name`, in whatever process.
    pub fn new(name: String, rules: Rules, now: Instant) -> Self {
        Self {
            rules,
            numbers: 0,
            ready: VecDeque::new(),
            running: HashMap::new(),
            untold: VecDeque::new(),
            yielding: None,
            first_end: None,
            out: Outbox::default(),
            prefetch: Prefetch::new(now),
            polling: Polling::new(name, now),
            hungry: false,
            stuck: false,
            paused: false,
            closing: false,
            close_at: None,
            unfinished: Vec::new(),
            renew_at: None,
            renewing: false,
            armed: None,
        }
    }

    /// The next job to run, with its number.
    pub fn begin(&mut self, now: Instant) -> Option<(u64, Leased)> {
        if std::mem::take(&mut self.stuck) {
            self.polling.at = now;
        }
        let Some(Ready { number, job, start, .. }) = self.next_to_begin(now) else {
            self.hungry = true;
            return None;
        };
        self.prefetch.begun(now);
        let told = job.exclusive || start == Start::Told;
        let running = Running::of(&job, told, now);
        self.first_end = Some(self.first_end.map_or(running.ends, |first| first.min(running.ends)));
        self.running.insert(number, running);
        if !told {
            self.untold.push_back((now, number));
        }
        Some((number, job))
    }

    /// How many jobs run, those included whose lease was lost.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Whether nothing is to begin any more.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// What a running job reports. Nothing where it is not this worker's any more.
    pub fn report(&mut self, number: u64, progress: Option<Bytes>, log: Option<Bytes>, now: Instant) {
        if let Some(running) = self.running.get_mut(&number).filter(|running| running.held) {
            let (held, begun) = (running.held_by(), running.tell_begun());
            self.out.report(number, Notes { held, begun, progress, log: log.into_iter().collect() }, now);
        }
    }

    /// Jobs have been taken. Whoever runs them is told if it waits for them.
    fn arrive(&mut self, jobs: Vec<Leased>, now: Instant, notices: &mut Vec<Notice>) {
        if jobs.is_empty() {
            return;
        }
        self.renew_at.get_or_insert(now + self.rules.lease / 3);
        for job in jobs {
            self.numbers += 1;
            let start = if job.stores_start_first { Start::Untold } else { Start::Free };
            self.ready.push_back(Ready { number: self.numbers, job, since: now, start });
        }
        if self.closing || self.paused {
            self.give_ready_back(now);
        } else if std::mem::take(&mut self.hungry) {
            notices.push(Notice::Jobs);
        }
    }

    /// Reports running jobs that started a while ago.
    fn tell_begun(&mut self, now: Instant) {
        while let Some((_, number)) = self.untold.pop_front_if(|(begun, _)| *begun + TELL_AFTER <= now) {
            let Some(running) = self.running.get_mut(&number).filter(|running| running.held) else { continue };
            if let Some(begun) = running.tell_begun() {
                let notes = Notes { held: running.held_by(), begun: Some(begun), progress: None, log: Vec::new() };
                self.out.begun(number, notes, now);
            }
        }
    }

    /// Whether no job is running or queued here.
    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.ready.is_empty()
    }

    /// Whether the only job here must run exclusive.
    fn runs_exclusive(&self) -> bool {
        self.running.len() + self.ready.len() == 1
            && (self.ready.iter().any(|ready| ready.job.exclusive)
                || self.running.values().any(|running| running.exclusive))
    }

    /// How many jobs to ask for.
    fn want(&self, now: Instant) -> usize {
        if self.closing || self.paused || self.stuck || self.runs_exclusive() {
            return 0;
        }
        (self.rules.concurrency + self.ahead(now)).saturating_sub(self.running.len() + self.ready.len())
    }

    fn ahead(&self, now: Instant) -> usize {
        if self.rules.prefetch { self.prefetch.ahead(now) } else { 0 }
    }

    /// Whether those at hand will last for a moment: until then, what has to be told gathers.
    fn has_plenty(&self, now: Instant) -> bool {
        self.ready.len() > self.ahead(now) / 2
    }

    /// Gives back what lies here for too long.
    fn give_stale_back(&mut self, now: Instant) {
        if self.waits_since().is_none_or(|since| since + STALE > now) {
            return;
        }
        while let Some(ready) = self.ready.pop_front_if(|ready| ready.since + STALE <= now) {
            self.release(ready.job.id, ready.job.token, Duration::ZERO, now);
        }
        self.prefetch.stop();
        self.stuck = self.running.len() < self.rules.concurrency;
    }

    fn give_ready_back(&mut self, now: Instant) {
        for Ready { number, job, .. } in std::mem::take(&mut self.ready) {
            self.out.forget(number);
            self.release(job.id, job.token, Duration::ZERO, now);
        }
        self.prefetch.stop();
    }

    fn release(&mut self, id: String, token: String, ran: Duration, now: Instant) {
        self.out.finish(Finish { id, token, outcome: Outcome::Release, ran }, now);
    }

    /// Takes nothing any more, or goes on.
    pub fn pause(&mut self, paused: bool, now: Instant) {
        self.paused = paused;
        if paused {
            self.give_ready_back(now);
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
        let running = self.running.iter().filter(|(_, running)| running.held);
        let running = running.map(|(number, running)| (*number, &running.id, &running.token));
        let held = ready.chain(running);
        let held: Vec<_> =
            held.map(|(number, id, token)| (number, JobLease { id: id.clone(), token: token.clone() })).collect();
        self.renew_at = None;
        self.renewing = !held.is_empty();
        self.renewing.then_some(held)
    }

    /// What became of a renew: the numbers of those that are this worker's no more, or nothing where it did not come through.
    pub fn renewed(&mut self, lost: Option<Vec<u64>>, now: Instant) -> Vec<Notice> {
        self.renewing = false;
        let wait = if lost.is_some() { self.rules.lease / 3 } else { self.polling.pause() };
        self.renew_at = Some(now + wait);
        let mut notices = Vec::new();
        for number in lost.into_iter().flatten() {
            self.ready.retain(|ready| ready.number != number);
            self.out.forget(number);
            notices.extend(self.lose(number));
        }
        // The others may have been waiting for one of those.
        if self.waits_since().is_some() && std::mem::take(&mut self.hungry) {
            notices.push(Notice::Jobs);
        }
        notices
    }

    /// Does what time exclusive brings.
    pub fn tick(&mut self, now: Instant) -> Vec<Notice> {
        self.armed = None;
        let mut notices = Vec::new();
        self.end_overdue(now, &mut notices);
        self.tell_begun(now);
        self.give_stale_back(now);
        if self.close_at.is_some_and(|at| at <= now) {
            self.give_running_back(now, &mut notices);
        }
        notices
    }

    /// When there is something to do next.
    pub fn next_at(&self, now: Instant) -> Option<Instant> {
        let stale = self.waits_since().map(|since| since + STALE);
        let renew = self.renew_at.filter(|_| !self.renewing);
        let begun = self.untold.front().map(|(begun, _)| *begun + TELL_AFTER);
        let close = self.close_at.filter(|_| !self.running.is_empty());
        [self.first_end, stale, renew, begun, close, self.round_at(now)].into_iter().flatten().min()
    }

    /// Whoever speaks to the store sleeps from now on.
    pub fn arm(&mut self, until: Instant) {
        self.armed = Some(until);
    }

    /// Whether it sleeps and should not. True once.
    pub fn must_wake(&mut self, now: Instant) -> bool {
        let Some(armed) = self.armed else { return false };
        let wake = self.is_over() || self.next_at(now).is_some_and(|at| at < armed);
        if wake {
            self.armed = None;
        }
        wake
    }
}
