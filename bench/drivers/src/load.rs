//! Callers that write a value of their own and read it back, so that a reply of another caller is noticed; and what the server has
//! afterwards.

use std::{
    collections::HashMap,
    ops::AddAssign,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    LIMIT,
    client::{Client, Outcome},
};

/// The hash tags of the keys, so that a few slots have all of them.
pub const TAGS: usize = 16;

/// The pause after a failed call: a caller that failed at once would only measure how fast it fails.
const PAUSE: Duration = Duration::from_millis(10);

/// The counts of one load.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Calls with a reply.
    pub replies: u64,
    /// Replies that belong to another call, or to none.
    pub wrong: u64,
    /// Callers that had not ended five seconds after their deadlines.
    pub unsettled: u64,
    /// `E_NOT_SENT`.
    pub not_sent: u64,
    /// `E_UNAVAILABLE`.
    pub unavailable: u64,
    /// Other errors.
    pub failed: u64,
    /// Writes that rejected with `E_NOT_SENT`, and were applied.
    pub not_sent_applied: u64,
    /// Writes that rejected with `E_UNAVAILABLE`, and were applied.
    pub unavailable_applied: u64,
    /// Writes with a reply that were not applied.
    pub lost: u64,
    /// Writes that were applied twice.
    pub twice: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.replies += other.replies;
        self.wrong += other.wrong;
        self.unsettled += other.unsettled;
        self.not_sent += other.not_sent;
        self.unavailable += other.unavailable;
        self.failed += other.failed;
        self.not_sent_applied += other.not_sent_applied;
        self.unavailable_applied += other.unavailable_applied;
        self.lost += other.lost;
        self.twice += other.twice;
    }
}

/// What one caller did. A write is the number in its key.
#[derive(Debug, Default)]
pub struct Record {
    caller: usize,
    counts: Counts,
    replied: Vec<u32>,
    not_sent: Vec<u32>,
    unavailable: Vec<u32>,
}

/// What the callers write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// `SET` of one key for each caller.
    Same,
    /// `APPEND` to a new key each time, which shows whether it was applied, and how often.
    New,
}

/// The key of a write, and its value.
fn key(caller: usize, number: u32) -> Bytes {
    Bytes::from(format!("{{{}}}:{caller}:{number}", caller % TAGS))
}

/// Writes and reads until it is stopped.
async fn call(client: Client, caller: usize, writes: Writes, stop: Arc<AtomicBool>) -> Record {
    let mut record = Record { caller, ..Record::default() };
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let key = key(caller, number);
        let args = [key.clone(), key.clone()];
        let (name, expected) = match writes {
            Writes::Same => ("SET", Outcome::Value(Some(Bytes::from_static(b"OK")))),
            Writes::New => ("APPEND", Outcome::Int(key.len() as i64)),
        };
        let write = client.run(name, &args).await;
        let written = !record.count(&write);
        if writes == Writes::New {
            match &write {
                Outcome::NotSent => record.not_sent.push(number),
                Outcome::Unavailable => record.unavailable.push(number),
                Outcome::Failed => {}
                _ => record.replied.push(number),
            }
        }
        if written {
            // A write that is applied twice is counted on the server.
            let doubled = writes == Writes::New && write == Outcome::Int(2 * key.len() as i64);
            record.counts.wrong += u64::from(write != expected && !doubled);
        }
        let read = client.get(key.clone()).await;
        let failed = record.count(&read);
        if !failed {
            let right = match &read {
                Outcome::Value(Some(value)) => *value == key || **value == *key.repeat(2),
                // A write without a reply may not have been applied.
                Outcome::Value(None) => !written,
                _ => false,
            };
            record.counts.wrong += u64::from(!right);
        }
        if failed || !written {
            sleep(PAUSE).await;
        }
        if writes == Writes::New {
            number += 1;
        }
        tokio::task::yield_now().await;
    }
    record
}

impl Record {
    /// Counts an outcome; returns whether it is an error.
    fn count(&mut self, outcome: &Outcome) -> bool {
        let counter = match outcome {
            Outcome::NotSent => &mut self.counts.not_sent,
            Outcome::Unavailable => &mut self.counts.unavailable,
            Outcome::Failed => &mut self.counts.failed,
            Outcome::Value(_) | Outcome::Int(_) => {
                self.counts.replies += 1;
                return false;
            }
        };
        *counter += 1;
        true
    }
}

/// Runs so many callers for as long as `during` takes. Returns their records, and how many had not ended.
pub async fn run(
    client: &Client,
    callers: usize,
    writes: Writes,
    during: impl Future<Output = ()>,
) -> (Vec<Record>, u64) {
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> =
        (0..callers).map(|caller| tokio::spawn(call(client.clone(), caller, writes, stop.clone()))).collect();
    during.await;
    stop.store(true, Ordering::Relaxed);
    let until = Instant::now() + 2 * LIMIT + Duration::from_secs(5);
    let (mut records, mut unsettled) = (Vec::new(), 0);
    for task in tasks {
        match timeout_at(until, task).await {
            Ok(Ok(record)) => records.push(record),
            _ => unsettled += 1,
        }
    }
    (records, unsettled)
}

/// Adds up the records, and compares them with what the servers have.
pub fn compare(records: &[Record], unsettled: u64, contents: &HashMap<Vec<u8>, Vec<u8>>) -> Counts {
    let mut counts = Counts { unsettled, ..Counts::default() };
    for record in records {
        counts += record.counts;
        let applied = |numbers: &[u32]| {
            numbers.iter().filter(|number| contents.contains_key(&key(record.caller, **number)[..])).count() as u64
        };
        counts.not_sent_applied += applied(&record.not_sent);
        counts.unavailable_applied += applied(&record.unavailable);
        counts.lost += record.replied.len() as u64 - applied(&record.replied);
    }
    counts.twice = contents.iter().filter(|(key, value)| value.len() == 2 * key.len()).count() as u64;
    counts
}

/// Adds up the calls with a reply.
pub fn replies(records: &[Record]) -> u64 {
    records.iter().map(|record| record.counts.replies).sum()
}
