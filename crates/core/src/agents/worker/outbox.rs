//! What is to be reported to the store: how jobs ended, and their notes. Buffered until the store has confirmed it.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use crate::features::queue::{Finish, JobLease, Note, Report};

/// The most finishes of one round.
const ROUND: usize = 500;
/// The most bytes of log lines that are buffered for one job; the oldest are dropped first. Only an outage of the
/// server lets so many accumulate.
const LOG_BYTES: usize = 256 << 10;
/// How long notes wait for more of them: enough for a progress bar.
const REPORTS_WAIT: Duration = Duration::from_millis(50);

/// The notes of a running job.
pub struct Notes {
    /// The job and its lease.
    pub lease: JobLease,
    /// When it started, if that was not reported yet.
    pub begun: Option<Instant>,
    /// Its progress, if that is new.
    pub progress: Option<Bytes>,
    /// Lines for its log.
    pub log: Vec<Bytes>,
}

impl Notes {
    /// The notes as requests to the store.
    pub fn reports(&self) -> impl Iterator<Item = Report> {
        let begun = self.begun.map(|begun| Note::Begun(begun.elapsed()));
        let notes = self.progress.iter().cloned().map(Note::Progress).chain(self.log.iter().cloned().map(Note::Log));
        begun.into_iter().chain(notes).map(|note| Report {
            id: self.lease.id.clone(),
            token: self.lease.token.clone(),
            note,
        })
    }
}

/// What waits to be reported.
#[derive(Default)]
pub struct Outbox {
    finishes: VecDeque<Finish>,
    finishes_since: Option<Instant>,
    reports: HashMap<u64, Notes>,
    reports_since: Option<Instant>,
    /// Since when an urgent note has been waiting.
    urgent_since: Option<Instant>,
}

impl Outbox {
    /// Adds the end of a job.
    pub fn finish(&mut self, finish: Finish, now: Instant) {
        self.finishes_since.get_or_insert(now);
        self.finishes.push_back(finish);
    }

    /// Adds the start of a job, which is reported immediately.
    pub fn begun(&mut self, number: u64, notes: Notes, now: Instant) {
        self.urgent_since.get_or_insert(now);
        self.report(number, notes, now);
    }

    /// Adds progress or log lines of a job.
    pub fn report(&mut self, number: u64, notes: Notes, now: Instant) {
        self.reports_since.get_or_insert(now);
        match self.reports.get_mut(&number) {
            None => {
                self.reports.insert(number, notes);
            }
            Some(waiting) => {
                waiting.begun = waiting.begun.or(notes.begun);
                waiting.progress = notes.progress.or(waiting.progress.take());
                waiting.log.extend(notes.log);
                trim(&mut waiting.log);
            }
        }
    }

    /// Drops the notes of a job.
    pub fn discard(&mut self, number: u64) {
        self.reports.remove(&number);
    }

    /// How many finishes wait.
    pub fn len(&self) -> usize {
        self.finishes.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.finishes.is_empty() && self.reports.is_empty()
    }

    /// When the next round is due, if finishes may wait for others for this `delay`.
    pub fn due(&self, delay: Duration) -> Option<Instant> {
        let finishes = self.finishes_since.map(|since| since + delay);
        let reports = self.reports_since.map(|since| since + REPORTS_WAIT);
        [finishes, reports, self.urgent_since].into_iter().flatten().min()
    }

    /// Takes the reports of one round. The store processes notes before ends, because a job that has ended accepts
    /// none.
    pub fn take(&mut self, now: Instant) -> (Vec<(u64, Notes)>, Vec<Finish>) {
        let round = self.finishes.len().min(ROUND);
        let finishes = self.finishes.drain(..round).collect();
        self.finishes_since = (!self.finishes.is_empty()).then_some(now);
        (self.reports_since, self.urgent_since) = (None, None);
        (self.reports.drain().collect(), finishes)
    }

    /// Puts back what could not be reported, before what was added since.
    pub fn requeue(&mut self, reports: Vec<(u64, Notes)>, finishes: Vec<Finish>, now: Instant) {
        for finish in finishes.into_iter().rev() {
            self.finishes.push_front(finish);
            self.finishes_since.get_or_insert(now);
        }
        for (number, mut older) in reports {
            if let Some(newer) = self.reports.remove(&number) {
                older.begun = older.begun.or(newer.begun);
                older.progress = newer.progress.or(older.progress);
                older.log.extend(newer.log);
                trim(&mut older.log);
            }
            self.reports.insert(number, older);
            self.reports_since.get_or_insert(now);
        }
    }

    /// The finishes that wait.
    pub fn finishes(&self) -> impl Iterator<Item = &Finish> {
        self.finishes.iter()
    }
}

fn trim(log: &mut Vec<Bytes>) {
    let mut bytes: usize = log.iter().map(Bytes::len).sum();
    let excess = log.iter().take_while(|line| {
        let over = bytes > LOG_BYTES;
        bytes -= line.len();
        over
    });
    let excess = excess.count();
    log.drain(..excess);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::queue::Outcome;

    fn finish(id: &str) -> Finish {
        Finish { id: id.into(), token: "t".into(), outcome: Outcome::Release, ran: Duration::ZERO }
    }

    fn report(progress: Option<&'static str>, log: &[&'static str]) -> Notes {
        let log = log.iter().map(|line| Bytes::from_static(line.as_bytes())).collect();
        Notes {
            lease: JobLease { id: "a".into(), token: "t".into() },
            begun: None,
            progress: progress.map(Bytes::from),
            log,
        }
    }

    #[test]
    fn failed_reports_are_sent_first_next_time() {
        let now = Instant::now();
        let mut out = Outbox::default();
        ["a", "b"].iter().for_each(|id| out.finish(finish(id), now));
        out.report(1, report(Some("1"), &["x"]), now);
        let (reports, finishes) = out.take(now);
        assert!(out.is_empty() && out.due(Duration::ZERO).is_none());
        out.finish(finish("c"), now);
        out.report(1, report(Some("2"), &["y"]), now);
        out.report(1, report(None, &["z"]), now);
        out.requeue(reports, finishes, now);
        let (reports, finishes) = out.take(now);
        assert_eq!(finishes.iter().map(|finish| finish.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0].1.progress.as_deref(), Some(b"2".as_slice()));
        assert_eq!(reports[0].1.log, ["x", "y", "z"]);
    }

    #[test]
    fn log_lines_are_bounded() {
        let now = Instant::now();
        let mut out = Outbox::default();
        let line: &'static str = "x".repeat(LOG_BYTES / 2).leak();
        (0..9).for_each(|_| out.report(1, report(None, &[line, "last"]), now));
        let (reports, _) = out.take(now);
        assert!(reports[0].1.log.len() <= 3, "{}", reports[0].1.log.len());
        assert_eq!(reports[0].1.log.last().unwrap(), "last");
    }
}
