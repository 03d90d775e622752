//! The state of one request over all its attempts: its keys, and its position in the order of all calls.

use std::{
    hash::{BuildHasher, Hasher},
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{Reply, Request, Verb, error::Result};
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::{KeyOrder, WaitReason};
use crate::{plan::OutgoingCommand, retry};

const IDLE: u8 = 0;
const WAITS: u8 = 1;
const WAITS_FOR_RETRY: u8 = 2;

/// How much longer than the slowest attempt before it another one may take: as long again, within these bounds.
const MIN_EXTRA: Duration = Duration::from_millis(2);
const MAX_EXTRA: Duration = Duration::from_millis(20);

/// A request from its acceptance until its reply.
pub struct Tracker<'a> {
    key_order: &'a KeyOrder,
    keys: Keys,
    sequence: AtomicU64,
    waits: AtomicU8,
    /// Whether a later call on its keys was executed before it could be retried.
    overtaken: AtomicBool,
    /// Whether it was sent, and it is unknown whether it was executed.
    in_doubt: AtomicBool,
    /// Whether its script is to be sent with its source.
    with_source: AtomicBool,
    /// The longest time after which the server rejected it, in nanoseconds; 0 if it never did.
    rejected_after: AtomicU64,
    /// Whether there was too little time left to retry it.
    late: AtomicBool,
    /// The reply it had before it was to be executed again.
    retained: Mutex<Option<Box<Result<Reply>>>>,
}

/// The hashes of the keys in whose order a request takes part.
pub type Keys = SmallVec<[u64; 2]>;

/// A request and its tracker.
#[derive(Clone, Copy)]
pub struct Tracked<'a> {
    pub command: &'a OutgoingCommand,
    pub tracker: &'a Tracker<'a>,
}

impl Tracked<'_> {
    /// Whether it had no effect because the server no longer has its script, which it was not sent.
    pub fn script_is_missing(&self, reply: &Result<Reply>) -> bool {
        retry::script_is_missing(self.command, reply) && !self.tracker.sends_source()
    }

    /// How much time a retry needs, so that its reply can be expected before the deadline. Only for writes that were rejected: it is
    /// known that they were not applied, and after a retry without a reply it would be unknown.
    pub fn needs(&self) -> Duration {
        match Duration::from_nanos(self.tracker.rejected_after.load(Ordering::Relaxed)) {
            Duration::ZERO => Duration::ZERO,
            _ if !self.command.changes() || self.tracker.is_in_doubt() => Duration::ZERO,
            took => took.saturating_add(took.clamp(MIN_EXTRA, MAX_EXTRA)),
        }
    }

    /// Whether less time is left than a retry needs.
    pub fn is_late(&self, now: Instant, deadline: Instant) -> bool {
        deadline.saturating_duration_since(now) < self.needs()
    }
}

impl<'a> Tracker<'a> {
    /// Creates the tracker of this request.
    pub fn new(key_order: &'a KeyOrder, command: &OutgoingCommand) -> Self {
        let mut keys = Keys::new();
        match command {
            OutgoingCommand::One(request) => keys_of(request, |key| keys.push(key_order.hash(key))),
            OutgoingCommand::Get(all) => keys.extend(all.iter().map(|key| key_order.hash(key))),
            OutgoingCommand::Many(many) => keys.extend(many.keys.iter().map(|key| key_order.hash(key))),
        }
        Self {
            key_order,
            keys,
            sequence: AtomicU64::new(0),
            waits: AtomicU8::new(IDLE),
            overtaken: AtomicBool::new(false),
            in_doubt: AtomicBool::new(false),
            with_source: AtomicBool::new(false),
            rejected_after: AtomicU64::new(0),
            late: AtomicBool::new(false),
            retained: Mutex::default(),
        }
    }

    pub fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// The slots of the table in which its keys are.
    pub fn slots(&self) -> impl Iterator<Item = u16> {
        self.keys.iter().map(|&key| super::slot_of(key))
    }

    /// Returns its number in the order of all calls, 0 until it has one.
    pub fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Relaxed)
    }

    pub(super) fn set_sequence(&self, sequence: u64) {
        self.sequence.store(sequence, Ordering::Relaxed);
    }

    /// Whether it is in a queue.
    pub fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed) != IDLE
    }

    pub(super) fn is_again(&self) -> bool {
        self.waits.load(Ordering::Relaxed) == WAITS_FOR_RETRY
    }

    /// Whether it must not be retried, because a later call on its keys was executed meanwhile.
    pub fn is_overtaken(&self) -> bool {
        if !self.overtaken.load(Ordering::Relaxed) && self.is_again() && self.key_order.is_overtaken(self) {
            self.overtaken.store(true, Ordering::Relaxed);
        }
        self.overtaken.load(Ordering::Relaxed)
    }

    /// Records that it was sent and may have been executed.
    pub fn mark_in_doubt(&self) {
        self.in_doubt.store(true, Ordering::Relaxed);
    }

    /// Whether any attempt was sent and may have been executed.
    pub fn is_in_doubt(&self) -> bool {
        self.in_doubt.load(Ordering::Relaxed)
    }

    /// Lets its script be sent with its source from now on.
    pub fn send_source(&self) {
        self.with_source.store(true, Ordering::Relaxed);
    }

    /// Whether its script is to be sent with its source.
    pub fn sends_source(&self) -> bool {
        self.with_source.load(Ordering::Relaxed)
    }

    /// Records how long the server took to reject it.
    pub fn note_rejected(&self, after: Duration) {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.rejected_after.fetch_max(nanos.max(1), Ordering::Relaxed);
    }

    /// Records that there is too little time left to retry it.
    pub fn mark_late(&self) {
        self.late.store(true, Ordering::Relaxed);
    }

    /// Whether it must not be retried: it is overtaken or late.
    pub fn is_given_up(&self) -> bool {
        self.late.load(Ordering::Relaxed) || self.is_overtaken()
    }

    /// Leaves its queues.
    pub fn leave(&self) {
        if self.waits() {
            self.key_order.leave(self);
        }
    }

    /// Marks it as waiting; returns whether it was not.
    pub(super) fn wait(&self, turn: WaitReason) -> bool {
        let how = if turn == WaitReason::New { WAITS } else { WAITS_FOR_RETRY };
        self.waits.compare_exchange(IDLE, how, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Marks it as not waiting; if it waited, returns whether it was to be retried.
    pub(super) fn stop_waiting(&self) -> Option<bool> {
        match self.waits.swap(IDLE, Ordering::Relaxed) {
            IDLE => None,
            how => Some(how == WAITS_FOR_RETRY),
        }
    }

    /// Stores a reply while the request is executed again.
    pub fn retain_reply(&self, reply: Result<Reply>) {
        *self.retained.lock() = Some(Box::new(reply));
    }

    /// Takes the stored reply, if the request was not executed again after it.
    pub fn retained_reply(&self) -> Option<Result<Reply>> {
        self.retained.lock().take().map(|reply| *reply)
    }
}

impl Drop for Tracker<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Calls `each` with every key of a request, or with the channel it publishes to. If it is unknown which arguments are keys, any of
/// them may be one.
pub fn keys_of(request: &Request, each: impl FnMut(&Bytes)) {
    match (request.touched(), &request.verb) {
        (None, _) => request.args.iter().for_each(each),
        (Some(_), Verb::Command("PUBLISH" | "SPUBLISH")) => request.args.iter().take(1).for_each(each),
        (Some(keys), _) => keys.for_each(each),
    }
}

/// Hashes a key.
pub fn hash(hasher: &RandomState, key: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(key);
    hasher.finish()
}
