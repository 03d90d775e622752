//! A queue's worker: takes jobs, renews their leases while they run, and reports to the store how they ended.
//!
//! JavaScript pulls jobs one by one and reports how each ended; it may block for any length of time. Whatever must not
//! wait for it happens on the runtime's thread: leases are renewed, jobs end at their deadlines, and jobs that were
//! taken but not started are released.

mod backoff;
mod outbox;
mod prefetch;
mod repeats;
mod run;
mod scheduler;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_port::{
    error::{Error, Result},
    random,
};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use self::scheduler::Scheduler;
use crate::{
    agents::clock_monitor::ClockMonitor,
    features::queue::{Leased, Limits, Queue},
};

pub use self::scheduler::Rules;

/// The options of a worker.
pub struct Options {
    /// What it may do.
    pub rules: Rules,
    /// Limits over all workers of the queue, which should all name the same.
    pub limits: Limits,
    /// The timeout of one round.
    pub timeout: Duration,
}

/// What JavaScript is notified of.
#[derive(Debug)]
pub enum Notice {
    /// There are jobs again.
    Jobs,
    /// The job of this number has ended without JavaScript.
    Ended(u64, EndReason),
    /// The job is dead because of that; sent before `Ended`.
    Died(u64),
    /// The job with this id and name is dead because too many workers crashed while running it.
    Crashed(String, String),
    /// The store rejects requests or does not respond. Sent once, until it does or the kind of error changes.
    Failing(Error),
    /// The store responds again.
    Recovered,
}

/// Why a job has ended without JavaScript. What JavaScript reports about it afterwards has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its timeout has passed.
    TimedOut,
    /// Its lease expired and another worker may have it, or it was removed. It counts as running until its handler
    /// ends.
    Lost,
    /// The worker is closed.
    Closed,
}

/// A failed attempt.
pub struct Failure {
    /// The error that is stored, as JSON.
    pub error: Bytes,
    /// Whether another attempt would be useless.
    pub fatal: bool,
}

/// A worker of one queue.
pub struct Worker {
    queue: Queue,
    options: StoreOptions,
    scheduler: Mutex<Scheduler>,
    clock: Mutex<ClockMonitor>,
    wake_up: Notify,
}

/// The options that the scheduler does not need.
struct StoreOptions {
    lease: Duration,
    limits: Limits,
    timeout: Duration,
}

impl Worker {
    /// Creates a worker that does nothing until it is run.
    ///
    /// # Errors
    /// `E_INTERNAL` if the system has no random numbers.
    pub fn new(queue: Queue, options: Options) -> Result<Arc<Self>> {
        let Options { rules, limits, timeout } = options;
        Ok(Arc::new(Self {
            queue,
            options: StoreOptions { lease: rules.lease, limits, timeout },
            scheduler: Mutex::new(Scheduler::new(random::hex::<8>()?, rules, Instant::now())),
            clock: Mutex::default(),
            wake_up: Notify::new(),
        }))
    }

    /// Returns the next job to run and its number. After `None`, `Notice::Jobs` follows when there is one.
    pub fn begin(&self) -> Option<(u64, Leased)> {
        self.with_scheduler(|scheduler, now| scheduler.begin(now))
    }

    /// Records that a job failed; returns whether it is dead.
    pub fn fail(&self, number: u64, failure: Failure) -> bool {
        self.with_scheduler(|scheduler, now| {
            let dies = scheduler.dies(number, failure.fatal);
            scheduler.end(number, Err(failure), now) && dies
        })
    }

    /// Records how the job of this number ended; returns false if it was no longer this worker's.
    pub fn end(&self, number: u64, result: Result<Bytes, Failure>) -> bool {
        self.with_scheduler(|scheduler, now| scheduler.end(number, result, now))
    }

    /// Records the progress of the job of this number, or a line of its log.
    pub fn report(&self, number: u64, progress: Option<Bytes>, log: Option<Bytes>) {
        self.with_scheduler(|scheduler, now| scheduler.report(number, progress, log, now));
    }

    /// How many jobs run here.
    pub fn running(&self) -> usize {
        self.scheduler.lock().running()
    }

    /// Stops taking jobs, or continues.
    pub fn pause(&self, paused: bool) {
        self.with_scheduler(|scheduler, now| scheduler.pause(paused, now));
    }

    /// Stops taking jobs, and ends when the running ones have ended or, after `patience`, were released.
    pub fn close(&self, patience: Option<Duration>) {
        self.with_scheduler(|scheduler, now| scheduler.close(patience.map(|patience| now + patience), now));
    }

    /// Ends without waiting: JavaScript can run nothing any more.
    pub fn abandon(&self) {
        self.with_scheduler(|scheduler, now| scheduler.abandon(now));
    }

    fn with_scheduler<T>(&self, work: impl FnOnce(&mut Scheduler, Instant) -> T) -> T {
        let mut scheduler = self.scheduler.lock();
        let now = Instant::now();
        let result = work(&mut scheduler, now);
        let wake = scheduler.must_wake(now);
        drop(scheduler);
        if wake {
            self.wake_up.notify_one();
        }
        result
    }
}
