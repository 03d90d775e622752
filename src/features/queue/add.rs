//! Adding jobs.

use std::{fmt::Write, sync::atomic::Ordering, time::Duration};

use bytes::Bytes;

use super::{Added, NewJob, Queue, scripts};
use crate::{
    error::{Error, Result},
    features::life,
    store::{Call, Merge, Reply, Request, Step, keys},
};

/// Jobs of one run at most, and bytes of their data: longer runs would hold the server up for everybody else.
const RUN_JOBS: usize = 500;
const RUN_BYTES: usize = 1 << 20;
/// Data up to here may travel with that of 63 other callers.
const SHARED_BYTES: usize = RUN_BYTES / 64;

impl Queue {
    /// Adds a job. Sent twice it is added once: its id is made before.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for data over `max_bytes` and whatever else is out of its bounds.
    pub fn add(&self, job: NewJob) -> Result<Call<Added>> {
        let merge = if job.data.len() <= SHARED_BYTES { Merge::Script } else { Merge::No };
        let (id, args) = self.arguments(job)?;
        let request = self.script(&scripts::ADD, args).merging(merge).repeatable();
        Ok(Call::new(request, |reply| added(id, reply)))
    }

    /// Adds jobs in their order, in runs of up to 500 and a mebibyte: each run is atomic, the whole is not. When it fails,
    /// adding the same again does no harm where the jobs have ids of the caller's.
    ///
    /// # Errors
    /// As for `add`; then nothing was added.
    pub fn add_many(&self, jobs: Vec<NewJob>) -> Result<Call<Vec<Added>>> {
        let mut runs = Vec::new();
        let mut run = Run::default();
        let mut ids = Vec::with_capacity(jobs.len());
        for job in jobs {
            let bytes = job.data.len();
            let (id, arguments) = self.arguments(job)?;
            if run.jobs == RUN_JOBS || run.jobs > 0 && run.bytes + bytes > RUN_BYTES {
                runs.push(self.request(std::mem::take(&mut run)));
            }
            run.jobs += 1;
            run.bytes += bytes;
            run.arguments.extend(arguments);
            ids.push(id);
        }
        if run.jobs > 0 {
            runs.push(self.request(run));
        }
        Ok(Call::round(runs, |replies| {
            let mut all = Vec::with_capacity(ids.len());
            let mut ids = ids.into_iter();
            for reply in replies.all()? {
                for (reply, id) in reply.items()?.into_iter().zip(&mut ids) {
                    all.push(added(id, reply?)?);
                }
            }
            Ok(Step::Done(all))
        }))
    }

    fn request(&self, run: Run) -> Request {
        Request::many(&scripts::ADD, self.keys(), run.arguments).repeatable()
    }

    /// The id of a job, as it is kept, and what the script takes.
    fn arguments(&self, job: NewJob) -> Result<(String, [Bytes; 6])> {
        job.check(self.0.options.max_bytes)?;
        let options = job.options()?;
        let NewJob { id, name, data, delay, .. } = job;
        let chosen = id.is_some();
        let id = match id {
            Some(id) => keys::kept_id("id", &id)?,
            None => self.new_id(),
        };
        let given = Bytes::copy_from_slice(id.as_bytes());
        let delay = self::delay(delay);
        let chosen = Bytes::from_static(if chosen { b"1" } else { b"" });
        Ok((id, [given, name.into(), data, options.into(), delay, chosen]))
    }

    /// An id that nobody else has: what this one began with is 64 random bits.
    fn new_id(&self) -> String {
        let mut id = String::with_capacity(self.0.ids.len() + 8);
        let _ = write!(id, "{}-{:x}", self.0.ids, self.0.made.fetch_add(1, Ordering::Relaxed));
        id
    }
}

/// Jobs that one run adds.
#[derive(Default)]
struct Run {
    jobs: usize,
    bytes: usize,
    arguments: Vec<Bytes>,
}

/// A delay as scripts take it; none is nothing.
pub(super) fn delay(delay: Option<Duration>) -> Bytes {
    delay.filter(|delay| delay.as_millis() > 0).map(life::millis).unwrap_or_default()
}

/// What became of a job of this id, as it is kept.
pub(super) fn added(id: String, reply: Reply) -> Result<Added> {
    match reply {
        Reply::Int(how) => Ok(Added { id: keys::plain_id(id.as_bytes()), is_new: true, muted: how == 2 }),
        other => {
            let there = other.bulk()?.ok_or_else(|| Error::argument("the server names no job"))?;
            Ok(Added { id: keys::plain_id(&there), is_new: false, muted: false })
        }
    }
}
