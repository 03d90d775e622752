//! Job queues: jobs are stored until a worker has completed them.
//!
//! A job is in exactly one state. *Ready*: it waits for a worker, ordered by priority and then by when it was added; a
//! job whose group is full is parked until it is not. *Delayed*: it waits for its time. *Active*: a worker has a lease
//! on it. *Done* or *dead*: it has finished and is stored for its retention; callers that were waiting can read the
//! outcome for a minute.
//!
//! Waiting jobs have no ttl. The server must be configured to keep them, with `maxmemory-policy noeviction` and an append-only
//! file; a server that evicts keys silently loses jobs.
//!
//! The lease alone determines which worker runs a job. Its token is required to finish, report or renew, so a worker whose
//! lease has expired cannot change the job. Jobs run at least once.
//!
//! An expired lease counts as a crash of the worker, and each of its jobs is ready again at its old position. A job
//! that had started is charged with the crash, which costs no attempt, and is dead after `max_crashes` of them. A job
//! that had not started is not charged. Any job that had started may have caused the crash, but mostly none did. From
//! its second crash on, or earlier if the next one could be its last, a job is a suspect: it runs exclusively, on a
//! worker without other jobs, so that the next crash can be attributed to it. A job that kills its workers therefore
//! cannot kill other jobs.

mod add;
mod event;
mod finish;
mod job;
mod limits;
mod manage;
mod options;
mod published;
mod repeat;
pub mod schedule;
pub mod scripts;
mod take;
mod view;
mod waiters;

pub use event::{Event, EventKind, events};
pub use finish::{Finish, JobLease, Note, Outcome, Report};
pub use job::{Added, Backoff, BackoffKind, Dedup, NewJob};
pub use limits::{Limits, Rate};
pub use options::{Options, Retention};
pub use published::Published;
pub use repeat::{Fired, Repeat, StoredRepeat, is_repeat_id};
pub use take::{Died, DueRepeat, Leased, Take, Taken};
pub use view::{Counts, Job, State};

use std::sync::{Arc, atomic::AtomicU64};

use bytes::Bytes;
use cinnabar_port::{Request, Script, error::Result, random};

use crate::keys::{self, Prefix, QueueKey};

/// One queue by its name. Clones are the same queue; creating one sends nothing.
#[derive(Debug, Clone)]
pub struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    /// The prefix of all its keys, and one of them.
    key: Bytes,
    meta: Bytes,
    /// The prefix of its channels.
    channels: Bytes,
    options: Options,
    /// The prefix of the ids generated here, and how many were generated.
    ids: String,
    made: AtomicU64,
}

impl Queue {
    /// Creates the queue of this name.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a name that is empty, has a NUL byte or over 64 KiB; `E_INVALID_SETTINGS` for an
    /// invalid prefix and options out of their bounds.
    pub fn new(name: &str, options: Options) -> Result<Self> {
        options.check()?;
        let prefix = Prefix::new(options.prefix.as_deref().unwrap_or(keys::QUEUES))?;
        let key = keys::queue(&prefix, name)?;
        let meta = QueueKey::Meta.of(&key);
        let channels = keys::queue_channels(&key, options.database);
        let ids = random::hex::<8>()?;
        Ok(Self(Arc::new(Inner { name: name.to_owned(), key, meta, channels, options, ids, made: AtomicU64::new(0) })))
    }

    /// Its name, as given.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The prefix of all its keys.
    pub fn key(&self) -> &[u8] {
        &self.0.key
    }

    /// A run of one of its scripts that determines its other keys itself.
    fn finding(&self, script: &'static Script, args: impl IntoIterator<Item = Bytes>) -> Request {
        debug_assert!(script.undeclared_keys, "{}", script.name);
        Request::script_with(script, self.keys(&[]).collect(), args)
    }

    /// A run of one of its scripts with these keys.
    fn using(&self, script: &'static Script, keys: &[QueueKey], args: impl IntoIterator<Item = Bytes>) -> Request {
        Request::script_with(script, self.keys(keys).collect(), args)
    }

    /// The keys for a script: the common ones, then those it uses.
    fn keys<'a>(&'a self, used: &'a [QueueKey<'a>]) -> impl Iterator<Item = Bytes> + 'a {
        let all = [self.0.key.clone(), self.0.meta.clone(), self.0.channels.clone()];
        all.into_iter().chain(used.iter().map(|key| key.of(&self.0.key)))
    }

    /// Its options.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The channel of the events of its jobs; `events` reads the messages.
    ///
    /// Messages are hints: one may be lost, and nothing here depends on one.
    pub fn events_channel(&self) -> Bytes {
        keys::queue_events(&self.0.channels)
    }

    /// The channel on which workers are woken when there is something to take after there was nothing.
    ///
    /// A hint too: an idle worker polls once a second regardless.
    pub fn wake_channel(&self) -> Bytes {
        keys::queue_wake(&self.0.channels)
    }
}

#[cfg(test)]
mod tests;
