//! Opens and ends resources. They end by id, with their reader, or with the service.

use std::{future::Future, pin::pin, rc::Rc, sync::Arc};

use cinnabar_core::{
    inbox::{Bounds, Inbox},
    output::Output,
};
use cinnabar_port::{
    error::{Error, Kind, Result},
    runtime,
};
use napi::sys::ValueType;
use tokio::time::{Instant, sleep, timeout};

use super::{
    ServiceCore, ServiceState,
    resources::{Ending, Resource, Resources},
};
use crate::js::{
    completions::Completion,
    errors::closed,
    ids,
    node_api::{Js, RawValue, Value},
    open_store::{InFlight, OpenStore},
    operation::Operation,
};

/// What errors of a resource that is being opened say.
pub struct Opening {
    /// The name of the operation.
    pub name: &'static str,
    /// The message of the error on timeout.
    pub late: &'static str,
}

/// The JavaScript function that a resource notifies, with the bounds of its inbox.
pub struct Reader {
    function: Value,
    bounds: Bounds,
    buffers: bool,
}

impl Reader {
    /// `buffers` says whether it receives texts as Buffers.
    pub fn new(js: Js, function: Value, bounds: Bounds, buffers: bool) -> Result<Self> {
        match js.kind(function) {
            ValueType::napi_function => Ok(Self { function, bounds, buffers }),
            _ => Err(js.type_error(function, "reader", "a function")),
        }
    }
}

/// Held by the reader of a resource: the service lives at least as long as the reader, and the resource at most.
struct ReaderGuard {
    service: Rc<ServiceState>,
    number: u64,
}

impl Drop for ReaderGuard {
    fn drop(&mut self) {
        self.service.resources.end(self.number);
    }
}

impl ServiceCore {
    /// Opens a resource. The promise resolves to its id once the future that `start` returns has opened it.
    pub fn open<P, F, R>(
        &self,
        js: Js,
        opening: Opening,
        prepared: Result<P>,
        start: impl FnOnce(P, &Arc<OpenStore>, u64) -> F,
    ) -> RawValue
    where
        F: Future<Output = Result<R>> + Send + 'static,
        R: Resource,
    {
        let environment = self.environment();
        let prepared = prepared.and_then(|prepared| Ok((prepared, self.open_store(js)?, runtime::get()?)));
        let (prepared, open_store, runtime) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return RawValue(environment.rejected(js, &error)),
        };
        let (promise, ticket) = environment.promise(js, Operation { name: opening.name, empty: None });
        let Some(ticket) = ticket else { return RawValue(promise) };
        let number = ids::next();
        let starting = start(prepared, &open_store, number);
        let (completions, resources) = (environment.completions.clone(), self.service.resources.clone());
        let within = self.timeout();
        let in_flight = OpenStore::begin(open_store);
        runtime.spawn(async move {
            let mut starting = pin!(starting);
            let (started, pending) = tokio::select! {
                started = &mut starting => (started, false),
                () = abandoned::<R>(&in_flight) => (Err(closed()), true),
                () = sleep(within) => (Err(Error::new(Kind::Timeout, opening.late)), true),
            };
            let (result, ending) = match started {
                Ok(resource) => register(&resources, number, resource, &in_flight, Instant::now() + within),
                Err(error) => (Err(error), None),
            };
            if result.is_err() {
                completions.push(Completion::DropReader(number));
            }
            let result = result.map(|()| Output::Number(number as f64));
            completions.push(Completion::Calls(vec![(result, ticket)]));
            if let Some(ending) = ending {
                tokio::select! {
                    () = ending => {}
                    () = in_flight.abandoned() => {}
                }
            }
            drop(in_flight);
            if pending && let Ok(resource) = starting.await {
                // Its promise was rejected, so no caller could end it.
                drop(Box::new(resource).end(None));
            }
        });
        RawValue(promise)
    }

    /// Registers the reader of a resource that is being opened. While there is a reader, JavaScript need not refer to the
    /// service.
    pub fn add_reader(&self, js: Js, number: u64, reader: Reader) -> Arc<Inbox> {
        let Reader { function, bounds, buffers } = reader;
        let guard = ReaderGuard { service: self.service.clone(), number };
        self.environment().add_reader(js, number, function, bounds, buffers, guard)
    }

    /// Returns the open resources.
    pub fn resources(&self) -> &Arc<Resources> {
        &self.service.resources
    }

    /// Ends a resource by its id. The promise never rejects, and resolves at the timeout even if ending takes longer.
    pub fn end(&self, js: Js, name: &'static str, number: u64) -> RawValue {
        let environment = self.environment();
        let ending = self.service.resources.take(number).and_then(|resource| resource.end(None));
        environment.drop_reader(js, number);
        let (Some(ending), Ok(runtime)) = (ending, runtime::get()) else { return RawValue(environment.resolved(js)) };
        let (promise, ticket) = environment.promise(js, Operation { name, empty: None });
        let Some(ticket) = ticket else { return RawValue(promise) };
        let (completions, within) = (environment.completions.clone(), self.timeout());
        runtime.spawn(async move {
            let _ = timeout(within, ending).await;
            completions.push(Completion::Calls(vec![(Ok(Output::Undefined), ticket)]));
        });
        RawValue(promise)
    }

    /// Ends all resources of a service that is being closed, which counts as in flight on `open_store` until the deadline.
    pub(super) fn end_all(&self, js: Js, open_store: Option<&Arc<OpenStore>>, deadline: Instant) {
        let (numbers, endings) = self.service.resources.end_all(deadline);
        for number in numbers {
            self.environment().drop_reader(js, number);
        }
        let endings: Vec<_> = endings.into_iter().flatten().collect();
        let (Some(open_store), Ok(runtime), false) = (open_store, runtime::get(), endings.is_empty()) else { return };
        let in_flight = OpenStore::begin(open_store.clone());
        runtime.spawn(async move {
            let ended = async {
                for ending in endings {
                    ending.await;
                }
            };
            tokio::select! {
                () = ended => {}
                () = in_flight.abandoned() => {}
            }
        });
    }
}

/// Completes when a resource that is being opened must be abandoned because its service is being closed.
async fn abandoned<R: Resource>(in_flight: &InFlight) {
    if R::outlives_connection() {
        in_flight.abandoned().await;
    } else {
        in_flight.closing().await;
    }
}

/// Registers a resource that has just been opened, unless its service is being closed.
fn register(
    resources: &Resources,
    number: u64,
    resource: impl Resource,
    in_flight: &InFlight,
    deadline: Instant,
) -> (Result<()>, Ending) {
    resources.insert(number, resource);
    // Closing first sets the phase and then ends the registered resources, so one of the two sees the other. By now the service may
    // be open again, with other resources, which stay open.
    if in_flight.is_closing() {
        let ending = resources.take(number).and_then(|resource| resource.end(Some(deadline)));
        return (Err(closed()), ending);
    }
    resources.end_if_over(number);
    (Ok(()), None)
}
