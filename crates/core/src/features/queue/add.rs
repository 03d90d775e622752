//! Adding jobs.

use std::{fmt::Write, sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Merge, Reply, Request, Step,
    error::{Error, Result},
};

use super::{Added, NewJob, Published, Queue, scripts};
use crate::{
    features::ttl,
    keys::{self, QueueKey},
};

/// The most jobs of one run, and bytes of their data: longer runs would block the server for other clients.
const RUN_JOBS: usize = 500;
const RUN_BYTES: usize = 1 << 20;
/// Up to this size, data may be sent together with that of 63 other callers.
const SHARED_BYTES: usize = RUN_BYTES / 64;

impl Queue {
    /// Adds a job. Idempotent: its id is generated before it is sent.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for data over `max_bytes` and anything else out of its bounds.
    pub fn add(&self, job: NewJob) -> Result<Call<Added>> {
        Ok(self.send(self.adding(job)?, None, Effect::ChangedIf(|reply| is_there(reply) == Some(true))))
    }

    /// Adds jobs in their order, in runs of up to 500 jobs and 1 MiB: each run is atomic, the whole is not. After a
    /// failure, adding the same jobs again is safe if the caller chose their ids.
    ///
    /// # Errors
    /// Those of `add`; then nothing was added.
    pub fn add_many(&self, jobs: Vec<NewJob>) -> Result<Call<Vec<Added>>> {
        let adding = |(at, job)| self.adding(job).map_err(|error| error.in_element("jobs", at));
        let all = jobs.into_iter().enumerate().map(adding).collect::<Result<Vec<_>>>()?;
        let mut runs = Vec::new();
        let (mut first, mut bytes) = (0, 0);
        for (at, adding) in all.iter().enumerate() {
            let more = adding.bytes();
            if at - first == RUN_JOBS || at > first && bytes + more > RUN_BYTES {
                runs.push(self.run(&all[first..at]));
                (first, bytes) = (at, 0);
            }
            bytes += more;
        }
        if first < all.len() {
            runs.push(self.run(&all[first..]));
        }
        let queue = self.clone();
        Ok(Call::round(runs, move |replies| {
            let mut steps = Vec::with_capacity(all.len());
            let mut all = all.into_iter();
            for reply in replies.all()? {
                for (reply, adding) in reply.items()?.into_iter().zip(&mut all) {
                    steps.push(match outcome(&adding.id, reply?)? {
                        Outcome::Added(added) => Step::Done(added),
                        Outcome::Asks(other) => {
                            let named = Effect::Names([adding.name()].into(), |reply, _| is_there(reply));
                            Step::Next(queue.send(adding, Some(other), named))
                        }
                    });
                }
            }
            Call::join_steps(steps)
        }))
    }

    /// Adds a job with this effect. The key of the job `other` is declared too.
    fn send(&self, adding: Adding, other: Option<Bytes>, effect: Effect) -> Call<Added> {
        let merge = if adding.bytes() <= SHARED_BYTES { Merge::Script } else { Merge::No };
        let mut used = ADDED.to_vec();
        used.extend(adding.keys());
        used.extend(other.as_deref().map(QueueKey::Job));
        let named = other.clone().unwrap_or_default();
        let args = adding.args.iter().cloned().chain([named]);
        let request = self.using(&scripts::ADD, &used, args).merging(merge).idempotent().with_effect(effect.clone());
        let queue = self.clone();
        Call::round([request], move |replies| {
            Ok(match outcome(&adding.id, replies.last()?)? {
                Outcome::Added(added) => Step::Done(added),
                Outcome::Asks(other) => Step::Next(queue.send(adding, Some(other), effect)),
            })
        })
    }

    /// Adds jobs in one run.
    fn run(&self, all: &[Adding]) -> Request {
        let used: Vec<_> = ADDED.iter().copied().chain(all.iter().flat_map(Adding::keys)).collect();
        let args = all.iter().flat_map(|adding| adding.args.iter().cloned().chain([Bytes::new()])).collect();
        let named = Effect::Names(all.iter().map(Adding::name).collect(), is_there_at);
        Request::many(&scripts::ADD, self.keys(&used).collect(), args).idempotent().with_effect(named)
    }

    fn adding(&self, job: NewJob) -> Result<Adding> {
        job.check(self.0.options.max_bytes)?;
        let options = job.options()?;
        let NewJob { id, name, data, delay, dedup, .. } = job;
        let chosen = id.is_some();
        let id = match id {
            Some(id) => keys::encoded_id("id", &id)?,
            None => self.new_id(),
        };
        let same = dedup.map(|dedup| Ok(keys::identifier("dedup", &dedup.id)?.into_owned())).transpose()?;
        let given = Bytes::copy_from_slice(id.as_bytes());
        let delay = self::delay(delay);
        let chosen = Bytes::from_static(if chosen { b"1" } else { b"" });
        Ok(Adding { id, same, args: [given, name.into(), data, options.into(), delay, chosen] })
    }

    /// Generates an id that is unique: its prefix is 64 random bits.
    fn new_id(&self) -> String {
        let mut id = String::with_capacity(self.0.ids.len() + 8);
        let _ = write!(id, "{}-{:x}", self.0.ids, self.0.made.fetch_add(1, Ordering::Relaxed));
        id
    }
}

/// The keys that every add uses.
const ADDED: &[QueueKey] = &[QueueKey::Ready, QueueKey::Delayed];

/// A job to be added.
struct Adding {
    /// Its id and its deduplication key, as stored.
    id: String,
    same: Option<String>,
    /// The arguments of the script, except for the last.
    args: [Bytes; 6],
}

impl Adding {
    /// Its id, as callers have it.
    fn name(&self) -> String {
        keys::decoded_id(self.id.as_bytes())
    }

    fn bytes(&self) -> usize {
        let [_, _, data, ..] = &self.args;
        data.len()
    }

    /// The other keys that it uses.
    fn keys(&self) -> impl Iterator<Item = QueueKey<'_>> {
        let same = self.same.as_ref().map(|same| QueueKey::Dedup(same.as_bytes()));
        [QueueKey::Job(self.id.as_bytes())].into_iter().chain(same)
    }
}

/// The outcome of adding a job.
enum Outcome {
    Added(Added),
    /// Another job has the same deduplication key, and its key must be declared before the script may access it.
    Asks(Bytes),
}

/// Whether a job is in the queue, and if so, whether it is new; `None` if the reply does not decide that.
fn is_there(reply: &Reply) -> Option<bool> {
    match reply {
        Reply::Array(_) => None,
        reply => Some(matches!(reply, Reply::Int(_))),
    }
}

/// The same for the job at this index of a run.
fn is_there_at(reply: &Reply, at: usize) -> Option<bool> {
    match reply {
        Reply::Array(items) if items.get(2 * at) == Some(&Reply::Int(1)) => items.get(2 * at + 1).and_then(is_there),
        _ => None,
    }
}

fn outcome(id: &str, reply: Reply) -> Result<Outcome> {
    match reply {
        Reply::Array(_) => {
            let [other] = reply.tuple()?;
            Ok(Outcome::Asks(other.bulk()?.ok_or_else(unnamed)?))
        }
        other => added(id, other).map(Outcome::Added),
    }
}

/// A delay in ms as scripts take it; empty for none.
pub(super) fn delay(delay: Option<Duration>) -> Bytes {
    delay.filter(|delay| delay.as_millis() > 0).map(ttl::millis).unwrap_or_default()
}

/// Reads the result of adding a job with this id, as stored.
pub(super) fn added(id: &str, reply: Reply) -> Result<Added> {
    match reply {
        Reply::Int(code) => {
            Ok(Added { id: keys::decoded_id(id.as_bytes()), is_new: true, published: Published::of(code) })
        }
        other => {
            let there = other.bulk()?.ok_or_else(unnamed)?;
            Ok(Added { id: keys::decoded_id(&there), is_new: false, published: Published::default() })
        }
    }
}

fn unnamed() -> Error {
    Error::argument("the server returned no job id")
}
