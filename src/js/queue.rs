//! The native class behind `JobQueue`.

mod listener;
mod options;
mod output;
mod repeats;
mod worker;

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use cinnabar_core::{
    agents::{
        publish_denials,
        worker::{self as agent, Rules},
    },
    features::queue::{self, NewJob, Published, State},
    keys,
    output::Output,
};
use cinnabar_port::{
    Call,
    error::{Error, Result},
};
use napi::{Env, JsValue, Unknown, sys::ValueType};
use napi_derive::napi;

use self::{listener::QueueListener, options::JobDefaults, worker::QueueWorker};
use super::{
    node_api::{Js, RawValue, Value},
    operation::Operation,
    option_reader::OptionReader,
    service::Service,
    service_core::ServiceCore,
};

/// A queue of one service.
#[napi]
pub struct Queue {
    core: ServiceCore,
    queue: queue::Queue,
    lease: Duration,
    defaults: Rc<JobDefaults>,
}

#[napi]
impl Queue {
    /// Takes `{ prefix, leaseMs, maxBytes, maxCrashes, keep, defaults }`.
    #[napi(constructor)]
    pub fn new(env: Env, service: &Service, name: Unknown, options: Unknown) -> napi::Result<Self> {
        let js = Js(env.raw());
        let read = || -> Result<_> {
            let settings = OptionReader::of(js, options.raw()).queue()?;
            let queue = queue::Options { database: service.core.settings().channel_database(), ..settings.queue };
            let queue = queue::Queue::new(&js.text(name.raw(), "name")?, queue)?;
            Ok((queue, settings.lease, settings.defaults))
        };
        let (queue, lease, defaults) = read().map_err(|error| service.core.exception(&env, &error))?;
        Ok(Self { core: service.core.clone(), queue, lease, defaults: Rc::new(defaults) })
    }

    /// Returns the same object with limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Queue> {
        let core = self.core.within(&env, limits.raw())?;
        Ok(Self { core, queue: self.queue.clone(), lease: self.lease, defaults: self.defaults.clone() })
    }

    /// Returns an id that is the same for all objects of this queue on the same store; available once the store is open.
    #[napi(getter)]
    pub fn scope(&self) -> Option<String> {
        let store = self.core.store()?;
        Some(format!("{:p} {}", std::sync::Arc::as_ptr(&store), String::from_utf8_lossy(self.queue.key())))
    }

    /// The most bytes that the data or the result of a job may have.
    #[napi(getter)]
    pub fn max_bytes(&self) -> f64 {
        self.queue.options().max_bytes as f64
    }

    /// Adds a job: `[id, isNew]`.
    #[napi]
    pub fn add(&self, env: Env, name: Unknown, data: Unknown, options: Unknown) -> RawValue {
        self.core.submit(env, plain("ADD JOB"), |js| {
            let job = self.job(js, name.raw(), data.raw(), options.raw())?;
            let store = self.core.open_store(js)?.store().clone();
            let queue = self.queue.clone();
            Ok(self.queue.add(job)?.map(move |added| {
                publish_denials::record(&store, &queue, added.published);
                output::added(added)
            }))
        })
    }

    /// Adds jobs, each `{ name, data, ...options }`: an array of `[id, isNew]`.
    #[napi]
    pub fn add_many(&self, env: Env, jobs: Unknown) -> RawValue {
        self.core.submit(env, plain("ADD JOBS"), |js| {
            let jobs = js.each_part(jobs.raw(), "jobs", |job| {
                let field = |name| js.option(job, name).map(|value| value.unwrap_or_else(|| js.undefined()));
                self.job(js, field(c"name")?, field(c"data")?, job)
            })?;
            let (store, queue) = (self.core.open_store(js)?.store().clone(), self.queue.clone());
            Ok(self.queue.add_many(jobs)?.map(move |added| {
                let published = added.iter().fold(Published::default(), |all, added| all.and(added.published));
                publish_denials::record(&store, &queue, published);
                Output::List(added.into_iter().map(output::added).collect())
            }))
        })
    }

    /// Returns a job as an object, or null.
    #[napi]
    pub fn get(&self, env: Env, id: Unknown) -> RawValue {
        self.core.submit(env, plain("GET JOB"), |js| {
            let Some(id) = id_of(js, id)? else { return Ok(Call::ready(Output::Null)) };
            Ok(self.queue.get(&id)?.map(|job| job.map_or(Output::Null, output::job)))
        })
    }

    /// Returns the jobs of a state.
    #[napi]
    pub fn list(&self, env: Env, state: Unknown, offset: Unknown, limit: Unknown) -> RawValue {
        self.core.submit(env, plain("LIST JOBS"), |js| {
            let (state, offset, limit) = (state_of(js, state.raw())?, offset.raw(), limit.raw());
            let call = self.queue.list(state, js.whole(offset, "offset")?, js.whole(limit, "limit")?)?;
            Ok(call.map(|jobs| Output::List(jobs.into_iter().map(output::job).collect())))
        })
    }

    /// Returns lines of the log of a job.
    #[napi]
    pub fn logs(&self, env: Env, id: Unknown, offset: Unknown, limit: Unknown) -> RawValue {
        self.core.submit(env, plain("JOB LOG"), |js| {
            let (offset, limit) = (js.whole(offset.raw(), "offset")?, js.whole(limit.raw(), "limit")?);
            let Some(id) = id_of(js, id)? else { return Ok(Call::ready(Output::List(Vec::new()))) };
            Ok(self
                .queue
                .logs(&id, offset, limit)?
                .map(|lines| Output::List(lines.into_iter().map(Output::text).collect())))
        })
    }

    /// Reads a job for a waiting caller; null if it is unknown. If `counted`, the outcome of the job is retained for this caller until
    /// `unwait`.
    #[napi]
    pub fn poll(&self, env: Env, id: Unknown, counted: bool) -> RawValue {
        self.core.submit(env, plain("WAIT FOR JOB"), |js| {
            let call = self.queue.peek(&js.text(id.raw(), "id")?, counted)?;
            Ok(call.map(|job| job.map_or(Output::Null, output::job)))
        })
    }

    /// Removes a counted waiter.
    #[napi]
    pub fn unwait(&self, env: Env, id: Unknown) -> RawValue {
        self.core.submit(env, plain("WAIT FOR JOB"), |js| self.queue.remove_waiter(&js.text(id.raw(), "id")?))
    }

    /// Returns the number of jobs in each state.
    #[napi]
    pub fn counts(&self, env: Env) -> RawValue {
        self.core.submit(env, plain("COUNT JOBS"), |_| Ok(self.queue.counts().map(output::counts)))
    }

    /// Prevents workers from taking jobs.
    #[napi]
    pub fn pause(&self, env: Env) -> RawValue {
        self.core.submit(env, plain("PAUSE QUEUE"), |_| Ok(self.queue.pause()))
    }

    /// Allows workers to take jobs again.
    #[napi]
    pub fn resume(&self, env: Env) -> RawValue {
        self.core.submit(env, plain("RESUME QUEUE"), |_| Ok(self.queue.resume()))
    }

    /// Removes a job; returns whether there was one.
    #[napi]
    pub fn remove(&self, env: Env, id: Unknown) -> RawValue {
        self.core.submit(env, plain("REMOVE JOB"), |js| self.acts(id_of(js, id)?, queue::Queue::remove))
    }

    /// Makes a dead or delayed job ready; returns whether there was one.
    #[napi]
    pub fn retry(&self, env: Env, id: Unknown) -> RawValue {
        self.core.submit(env, plain("RETRY JOB"), |js| self.acts(id_of(js, id)?, queue::Queue::retry))
    }

    /// Makes dead jobs ready; returns how many.
    #[napi]
    pub fn redrive(&self, env: Env, limit: Unknown) -> RawValue {
        self.core.submit(env, plain("REDRIVE JOBS"), |js| Ok(self.queue.redrive(js.whole(limit.raw(), "limit")?)))
    }

    /// Removes waiting jobs; returns how many.
    #[napi]
    pub fn drain(&self, env: Env, delayed: bool) -> RawValue {
        self.core.submit(env, plain("DRAIN QUEUE"), |_| Ok(self.queue.drain(delayed)))
    }

    /// Removes old jobs of a state; returns how many.
    #[napi]
    pub fn clean(&self, env: Env, state: Unknown, older_than_ms: Unknown, limit: Unknown) -> RawValue {
        self.core.submit(env, plain("CLEAN QUEUE"), |js| {
            let age = Duration::from_millis(js.whole(older_than_ms.raw(), "olderThanMs")?);
            self.queue.clean(state_of(js, state.raw())?, age, js.whole(limit.raw(), "limit")?)
        })
    }

    /// Stores a repeat, and returns the time of its next slot, or null. `when`: `{ everyMs, cron, timeZone, startAt, endAt, limit }`.
    #[napi]
    pub fn repeat(
        &self,
        env: Env,
        id: Unknown,
        when: Unknown,
        name: Unknown,
        data: Unknown,
        options: Unknown,
    ) -> RawValue {
        self.core.submit(env, plain("REPEAT JOB"), |js| {
            let id = js.text(id.raw(), "id")?;
            let (schedule, limit) = OptionReader::of(js, when.raw()).schedule()?;
            let job = self.job(js, name.raw(), data.raw(), options.raw())?;
            let call = self.queue.repeat(queue::Repeat { id, schedule, limit, job })?;
            Ok(call.map(|next| next.map_or(Output::Null, Output::from)))
        })
    }

    /// Removes a repeat; returns whether there was one.
    #[napi]
    pub fn unrepeat(&self, env: Env, id: Unknown) -> RawValue {
        self.core.submit(env, plain("FORGET REPEAT"), |js| {
            self.acts(js.lookup_text(id.raw(), "id", queue::is_repeat_id)?, queue::Queue::remove_repeat)
        })
    }

    /// Returns the repeats in the order of their next slots.
    #[napi]
    pub fn repeats(&self, env: Env, offset: Unknown, limit: Unknown) -> RawValue {
        self.core.submit(env, plain("LIST REPEATS"), |js| {
            let (offset, limit) = (js.whole(offset.raw(), "offset")?, js.whole(limit.raw(), "limit")?);
            let call = self.queue.repeats(offset, limit);
            Ok(call.map(|found| Output::List(found.into_iter().map(repeats::output).collect())))
        })
    }

    /// Starts a worker, which calls `callback` with its notices.
    #[napi]
    pub fn process(&self, env: Env, options: Unknown, callback: Unknown) -> napi::Result<QueueWorker> {
        let js = Js(env.raw());
        let started = OptionReader::of(js, options.raw()).worker().and_then(|(concurrency, limits)| {
            // Prefetched jobs count towards limits although they do not run yet.
            let prefetch = !limits.is_some();
            let rules = Rules { concurrency, lease: self.lease, prefetch, max_bytes: self.queue.options().max_bytes };
            let options = agent::Options { rules, limits, timeout: self.core.settings().timeout };
            QueueWorker::start(js, &self.core, self.queue.clone(), options, callback.raw())
        });
        started.map_err(|error| self.core.exception(&env, &error))
    }

    /// Notifies `reader` of events of jobs, of all processes, until it is ended.
    #[napi]
    pub fn listen(&self, env: Env, reader: Unknown) -> napi::Result<QueueListener> {
        let js = Js(env.raw());
        let started = QueueListener::start(js, &self.core, &self.queue, reader.raw());
        started.map_err(|error| self.core.exception(&env, &error))
    }

    /// Calls `act` with an id; false if the id is invalid.
    fn acts(&self, id: Option<String>, act: fn(&queue::Queue, &str) -> Result<Call<bool>>) -> Result<Call<bool>> {
        id.map_or(Ok(Call::ready(false)), |id| act(&self.queue, &id))
    }

    fn job(&self, js: Js, name: Value, data: Value, options: Value) -> Result<NewJob> {
        let name = js.text(name, "name")?;
        // Missing data is valid: for many jobs their name is enough.
        let data = match js.kind(data) {
            ValueType::napi_undefined => Bytes::new(),
            _ => self.core.environment().stringify(js, data, "data")?.into(),
        };
        self.defaults.job(js, name, data, options)
    }
}

/// Returns an operation that rejects without a server, however the service is configured: no job may seem to be added that is not.
fn plain(name: &'static str) -> Operation {
    Operation { name, empty: None }
}

/// Returns a job id from client input; `None` if it cannot be one, which is treated as not found.
fn id_of(js: Js, id: Unknown) -> Result<Option<String>> {
    js.lookup_text(id.raw(), "id", keys::is_encodable_id)
}

fn state_of(js: Js, value: Value) -> Result<State> {
    let state = match js.text(value, "state")?.as_str() {
        "ready" => State::Ready,
        "delayed" => State::Delayed,
        "active" => State::Active,
        "done" => State::Done,
        "dead" => State::Dead,
        _ => return Err(Error::argument("state must be 'ready', 'delayed', 'active', 'done' or 'dead'")),
    };
    Ok(state)
}
