//! How a service opens a resource, and how it ends again: by its number, with its reader, or with the service.

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
    ServiceCore, Shared,
    resources::{Ending, Resource, Resources},
};
use crate::js::{
    completions::Completion,
    errors::closed,
    node_api::{Js, RawValue, Value},
    numbers,
    open_store::{InFlight, OpenStore},
    operation::Operation,
};

/// How a resource is opened.
pub struct Opening {
    /// The name of the operation.
    pub name: &'static str,
    /// What the error says if it takes too long.
    pub late: &'static str,
}

/// The JavaScript function that a resource wakes, and what may wait for it.
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
            _ => Err(js.refuse(function, "reader", "a function")),
        }
    }
}

/// Held by the reader of a resource: the service lasts as long as the reader, and the resource no longer.
struct ReaderGuard {
    service: Rc<Shared>,
    number: u64,
}

impl Drop for ReaderGuard {
    fn drop(&mut self) {
        self.service.resources.end(self.number);
    }
}

impl ServiceCore {
    /// Opens a resource. The promise resolves to its number once the future that `start` returns has opened it.
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
        let number = numbers::next();
        let starting = start(prepared, &open_store, number);
        let (completions, resources) = (environment.completions.clone(), self.service.resources.clone());
        let within = self.timeout();
        let in_flight = OpenStore::begin(open_store);
        runtime.spawn(async move {
            let mut starting = pin!(starting);
            let (started, pending) = tokio::select! {
                started = &mut starting => (started, false),
                () = given_up::<R>(&in_flight) => (Err(closed()), true),
                () = sleep(within) => (Err(Error::new(Kind::Timeout, opening.late)), true),
            };
            let (result, ending) = match started {
                Ok(resource) => keep(&resources, number, resource, &in_flight, Instant::now() + within),
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
                    () = in_flight.cut() => {}
                }
            }
            drop(in_flight);
            if pending && let Ok(resource) = starting.await {
                // Its promise has been rejected, so nobody could end it.
                drop(Box::new(resource).end(None));
            }
        });
        RawValue(promise)
    }

    /// Registers the reader of a resource that is being opened. While there is a reader, JavaScript need not refer to the
    /// service.
    pub fn keep_reader(&self, js: Js, number: u64, reader: Reader) -> Arc<Inbox> {
        let Reader { function, bounds, buffers } = reader;
        let guard = ReaderGuard { service: self.service.clone(), number };
        self.environment().keep_reader(js, number, function, bounds, buffers, guard)
    }

    /// The open resources.
    pub fn resources(&self) -> &Arc<Resources> {
        &self.service.resources
    }

    /// Ends a resource by its number. The promise never rejects: it resolves in time even if what that takes goes on.
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

    /// Ends all resources of a service that is being closed; what that takes is in flight on `opened` until the deadline.
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
                () = in_flight.cut() => {}
            }
        });
    }
}

/// When a resource that is being opened is given up because its service is being closed.
async fn given_up<R: Resource>(in_flight: &InFlight) {
    if R::outlives_connection() {
        in_flight.cut().await;
    } else {
        in_flight.closing().await;
    }
}

/// Keeps a resource that has just been opened, unless its service is being closed.
fn keep(
    resources: &Resources,
    number: u64,
    resource: impl Resource,
    in_flight: &InFlight,
    deadline: Instant,
) -> (Result<()>, Ending) {
    resources.insert(number, resource);
    // Closing first says so and then ends what it finds: one of the two sees the other. By now the service may be open again,
    // with other resources, which stay.
    if in_flight.is_closing() {
        let ending = resources.take(number).and_then(|resource| resource.end(Some(deadline)));
        return (Err(closed()), ending);
    }
    resources.end_if_over(number);
    (Ok(()), None)
}
