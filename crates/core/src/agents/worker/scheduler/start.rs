//! Jobs whose start must be stored before they start, so that one that kills its worker at once is known to have started.

use tokio::time::Instant;

use super::{Ready, Scheduler};
use crate::{
    agents::worker::{Notice, outbox::Notes},
    features::queue::JobLease,
};

/// Whether a job may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At any time.
    Free,
    /// Once its start is stored. That is requested when JavaScript asks for the job, because before that it might
    /// never start.
    Unstored,
    /// The next round stores its start.
    Queued,
    /// The round in flight stores its start.
    Sent,
    /// Its start is stored.
    Stored,
}

impl Scheduler {
    /// The first ready job, unless its start must be stored first. The jobs behind it wait: one of them could kill this process
    /// when the start of the first is stored and it has not started.
    pub(super) fn next_to_begin(&mut self, now: Instant) -> Option<Ready> {
        let first = self.ready.front_mut()?;
        match first.start {
            Start::Free | Start::Stored => self.ready.pop_front(),
            Start::Queued | Start::Sent => None,
            Start::Unstored => {
                first.start = Start::Queued;
                let lease = JobLease { id: first.job.id.clone(), token: first.job.token.clone() };
                let notes = Notes { lease, begun: Some(now), progress: None, log: Vec::new() };
                self.out.begun(first.number, notes, now);
                None
            }
        }
    }

    /// Records that a round was sent; it stores the start of the first ready job if that is due.
    pub(super) fn start_report_sent(&mut self) {
        if let Some(first) = self.ready.front_mut().filter(|first| first.start == Start::Queued) {
            first.start = Start::Sent;
        }
    }

    /// Records that a round has ended, in which these reports failed.
    pub(super) fn start_report_ended(&mut self, failed: &[(u64, Notes)], now: Instant, notices: &mut Vec<Notice>) {
        let Some(first) = self.ready.front_mut().filter(|first| first.start == Start::Sent) else { return };
        if failed.iter().any(|(number, _)| *number == first.number) {
            first.start = Start::Queued;
            return;
        }
        first.start = Start::Stored;
        // No ready job could start while the round was in flight.
        self.ready.iter_mut().for_each(|ready| ready.since = now);
        if std::mem::take(&mut self.waiting_for_job) {
            notices.push(Notice::Jobs);
        }
    }

    /// Since when the first ready job has been waiting for JavaScript; none while it waits for the store.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        let first = self.ready.front()?;
        (!matches!(first.start, Start::Queued | Start::Sent)).then_some(first.since)
    }
}
