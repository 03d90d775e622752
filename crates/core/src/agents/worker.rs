//! A queue's worker: takes jobs, keeps their leases while they run, and tells the store how they ended.
//!
//! Who runs jobs pulls them, one at a time, and says how each ended; it may be blocked for as long as it likes. Everything that
//! must not wait for it happens on the runtime's thread: leases are renewed, a job's time ends, and what was taken and
//! not begun goes back.

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

/// How a worker works.
pub struct Options {
    /// What it may do.
    pub rules: Rules,
    /// Bounds of all workers together; they are the queue's as long as all say the same.
    pub limits: Limits,
    /// How long one round may take.
    pub timeout: Duration,
}

/// Something that whoever runs jobs has to know.
#[derive(Debug)]
pub enum Notice {
    /// There are jobs again.
    Jobs,
    /// The job of this number has ended without whoever runs it.
    Ended(u64, EndReason),
    /// The job died of that; sent before.
    Died(u64),
    /// The job with this id and name is dead because too many workers crashed while running it.
    Crashed(String, String),
    /// The store refuses or does not answer; told once until it does, or until it is for another reason.
    Failing(Error),
    /// The store answers again.
    Recovered,
}

/// EndReason a job has ended without whoever runs it. What it still brings changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its time is over.
    TimedOut,
    /// Its lease ran out and another worker may have it, or it was removed. Its place is taken until it ends.
    Lost,
    /// The worker closes.
    Closed,
}

/// How an attempt failed.
pub struct Failure {
    /// What is kept of it, as JSON.
    pub error: Bytes,
    /// Whether there is no use in another attempt.
    pub fatal: bool,
}

/// A worker of one queue.
pub struct Worker {
    queue: Queue,
    options: Settled,
    scheduler: Mutex<Scheduler>,
    clock: Mutex<ClockMonitor>,
    wake_up: Notify,
}

/// What of the options is not the scheduler's.
struct Settled {
    lease: Duration,
    limits: Limits,
    timeout: Duration,
}

impl Worker {
    /// A worker that does nothing until it is run.
    ///
    /// # Errors
    /// `E_INTERNAL` when the system gives no random numbers.
    pub fn new(queue: Queue, options: Options) -> Result<Arc<Self>> {
        let Options { rules, limits, timeout } = options;
        Ok(Arc::new(Self {
            queue,
            options: Settled { lease: rules.lease, limits, timeout },
            scheduler: Mutex::new(Scheduler::new(random::hex::<8>()?, rules, Instant::now())),
            clock: Mutex::default(),
            wake_up: Notify::new(),
        }))
    }

    /// The next job to run, and its number. After `None`, `Notice::Jobs` says when to ask again.
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

    /// How the job of this number ended; false where it was this worker's no more.
    pub fn end(&self, number: u64, result: Result<Bytes, Failure>) -> bool {
        self.with_scheduler(|scheduler, now| scheduler.end(number, result, now))
    }

    /// How far the job of this number has come, or a line of its log.
    pub fn report(&self, number: u64, progress: Option<Bytes>, log: Option<Bytes>) {
        self.with_scheduler(|scheduler, now| scheduler.report(number, progress, log, now));
    }

    /// How many jobs run here.
    pub fn running(&self) -> usize {
        self.scheduler.lock().running()
    }

    /// Takes nothing any more, or goes on.
    pub fn pause(&self, paused: bool) {
        self.with_scheduler(|scheduler, now| scheduler.pause(paused, now));
    }

    /// Takes nothing any more and ends when what runs has ended, or is given back after `patience`.
    pub fn close(&self, patience: Option<Duration>) {
        self.with_scheduler(|scheduler, now| scheduler.close(patience.map(|patience| now + patience), now));
    }

    /// Ends without waiting: nobody is there any more who could run anything.
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
