//! The native class behind a worker: JavaScript pulls jobs and reports their outcomes; the rest runs on the runtime's thread.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use cinnabar_core::{
    agents::worker::{EndReason, Failure, Notice, Options, Worker},
    features::queue::{Leased, Queue},
    output::Output,
};
use cinnabar_port::{error::Result, runtime};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use crate::js::{
    environment::Notifier,
    node_api::{Js, RawValue, Value},
    open_store::OpenStore,
    service_core::ServiceCore,
};

/// A worker of a queue.
#[napi]
pub struct QueueWorker {
    worker: Arc<Worker>,
    max_bytes: usize,
}

/// Ends the worker when the callback is dropped, at the latest at the end of the environment.
struct AbandonOnDrop(Arc<Worker>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Notifies JavaScript when the task of a worker has ended, even by a panic.
struct NotifyOnDrop {
    notifier: Notifier,
    unfinished: OnceLock<Vec<String>>,
}

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        let unfinished = self.unfinished.take().unwrap_or_default();
        self.notifier.notify(Output::List(vec![Output::word("closed"), unfinished.into()]));
        self.notifier.end();
    }
}

impl QueueWorker {
    /// Starts a worker, which calls `callback` with its notices.
    pub fn start(js: Js, core: &ServiceCore, queue: Queue, options: Options, callback: Value) -> Result<Self> {
        let (open_store, runtime) = (core.open_store(js)?, runtime::get()?);
        let max_bytes = queue.options().max_bytes;
        let worker = Worker::new(queue, options)?;
        let notifier = core.environment().add_callback(js, callback, AbandonOnDrop(worker.clone()), true);
        let notifier = notifier.ok_or_else(|| js.type_error(callback, "callback", "a function"))?;
        let in_flight = OpenStore::begin(open_store);
        let running = worker.clone();
        runtime.spawn(async move {
            let end = NotifyOnDrop { notifier: notifier.clone(), unfinished: OnceLock::new() };
            let store = in_flight.store().clone();
            let notify = move |notice| notifier.notify(output(notice));
            let unfinished = running.run(store, notify, in_flight.closing(), in_flight.abandoned()).await;
            let _ = end.unfinished.set(unfinished);
        });
        Ok(Self { worker, max_bytes })
    }
}

#[napi]
impl QueueWorker {
    /// Returns the next job as an array, which `leasedJob` of `lib/queue/job.js` reads; or `undefined`, and the callback is
    /// called with nothing once there is one.
    #[napi]
    pub fn begin(&self, env: Env) -> RawValue {
        let js = Js(env.raw());
        let leased = self.worker.begin();
        RawValue(leased.map_or_else(|| js.undefined(), |(number, job)| leased_job(js, number, job)))
    }

    /// Records that a job is done. Its result is JSON or `undefined`. If the result is invalid, the job is dead, and the reason
    /// is returned.
    #[napi]
    pub fn complete(&self, env: Env, number: f64, result: Unknown) -> Option<String> {
        match Js(env.raw()).optional_text(result.raw(), "the result").map(Option::unwrap_or_default) {
            Ok(result) if result.len() <= self.max_bytes => {
                self.worker.end(number as u64, Ok(result.into()));
                None
            }
            // The job fails, not the call that reports its outcome.
            Ok(result) => {
                let (length, most) = (result.len(), self.max_bytes);
                let message = format!("the result has {length} bytes, more than the {most} allowed");
                self.fail_invalid(number, &message).then_some(message)
            }
            Err(error) => self.fail_invalid(number, error.message()).then(|| error.message().to_owned()),
        }
    }

    /// Records that a job failed, with the serialized error and whether it must not be retried. Returns whether it is dead.
    #[napi]
    pub fn fail(&self, env: Env, number: f64, error: Unknown, fatal: bool) -> bool {
        match Js(env.raw()).text(error.raw(), "the error") {
            Ok(error) => self.worker.fail(number as u64, Failure { error: error.into(), fatal }),
            Err(error) => self.fail_invalid(number, error.message()),
        }
    }

    /// Reports the progress of a job as JSON, or a line of its log.
    #[napi]
    pub fn report(&self, env: Env, number: f64, progress: Unknown, log: Unknown) {
        let js = Js(env.raw());
        let text = |value: Unknown| js.optional_text(value.raw(), "a report").ok().flatten().map(Into::into);
        self.worker.report(number as u64, text(progress), text(log));
    }

    /// The number of jobs that run here.
    #[napi(getter)]
    pub fn running(&self) -> u32 {
        self.worker.running() as u32
    }

    /// Stops or resumes taking jobs.
    #[napi]
    pub fn pause(&self, paused: bool) {
        self.worker.pause(paused);
    }

    /// Stops taking jobs, waits this long for running ones, and returns the others to the queue.
    #[napi]
    pub fn close(&self, timeout_ms: f64) {
        self.worker.close(Some(Duration::from_secs_f64(timeout_ms.max(0.0) / 1000.0)));
    }

    fn fail_invalid(&self, number: f64, message: &str) -> bool {
        let message = serde_json::to_string(message).unwrap_or_default();
        let error = format!("{{\"name\":\"CinnabarError\",\"message\":{message},\"code\":\"E_INVALID_ARGUMENT\"}}");
        self.worker.fail(number as u64, Failure { error: error.into(), fatal: false })
    }
}

/// The fields of a leased job, in the order in which `leasedJob` of `lib/queue/job.js` names them.
fn leased_job(js: Js, number: u64, job: Leased) -> Value {
    let text = |bytes: &[u8]| js.string(bytes).unwrap_or_else(|_| js.undefined());
    let fields = [
        js.number(number as f64),
        text(job.id.as_bytes()),
        text(job.name.as_bytes()),
        text(&job.data),
        js.number(f64::from(job.attempt)),
        js.number(f64::from(job.attempts)),
        js.number(f64::from(job.crashes)),
        js.number(f64::from(job.priority)),
        job.group.map_or_else(|| js.null(), |group| text(group.as_bytes())),
        js.number(job.timeout.as_millis() as f64),
        js.number(job.added_ms as f64),
    ];
    let array = js.array(fields.len());
    for (index, field) in fields.into_iter().enumerate() {
        js.set_index(array, index, field);
    }
    array
}

fn output(notice: Notice) -> Output {
    match notice {
        Notice::Jobs => Output::Undefined,
        Notice::Ended(number, why) => {
            let why = match why {
                EndReason::TimedOut => "timeout",
                EndReason::Lost => "lost",
                EndReason::Closed => "closed",
            };
            Output::List(vec![Output::word("ended"), number.into(), Output::word(why)])
        }
        Notice::Crashed(id, name) => Output::List(vec![Output::word("crashed"), id.into(), name.into()]),
        Notice::Died(number) => Output::List(vec![Output::word("died"), number.into()]),
        Notice::Failing(error) => Output::List(vec![Output::word("failing"), Output::Failure(error)]),
        Notice::Recovered => Output::List(vec![Output::word("recovered")]),
    }
}
