//! A service, as all of its native classes share it.

mod opening;
mod resources;

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
    sync::{Arc, Weak},
    time::Duration,
};

use cinnabar_core::{
    output::Output,
    store::{LocalStore, Store, local_store, shared},
};
use cinnabar_port::{
    Call,
    error::{Error, Result},
    runtime,
};
use cinnabar_redis::settings::Settings;
use napi::Env;
use tokio::time::Instant;

pub use self::{
    opening::{Opening, Reader},
    resources::{Ending, Group, Resource, Resources},
};
use super::{
    completions::Completion,
    environment::{Environment, Handle, Log},
    errors::closed,
    limits::Limits,
    node_api::{Js, RawValue, Value},
    open_store::{DrainGuard, OpenStore},
    operation::{Empty, Operation},
    options::OnUnavailable,
};

/// A service, and the limits that `.with()` sets for the calls of one of its objects.
#[derive(Clone)]
pub struct ServiceCore {
    service: Rc<Shared>,
    limits: Option<Rc<Limits>>,
}

/// What is the same for all objects of a service, whatever their limits.
struct Shared {
    handle: Rc<Handle>,
    settings: Settings,
    on_unavailable: OnUnavailable,
    by_default: bool,
    /// What JavaScript has opened and not ended.
    resources: Arc<Resources>,
    log: Rc<Log>,
    state: RefCell<State>,
    /// Held here, so that its counts outlive the limiter that counted.
    local: OnceCell<Arc<LocalStore>>,
}

enum State {
    /// No call yet.
    Idle,
    /// The number is that of its log in the environment.
    Open(Arc<OpenStore>, u64),
    /// By `disconnect()`; `connect()` opens it again. What was in flight then may still be.
    Closed(Weak<OpenStore>),
}

/// How a service is configured.
pub struct Configuration {
    pub settings: Settings,
    pub on_unavailable: OnUnavailable,
    /// Whether no option or variable named a server.
    pub by_default: bool,
    pub log: Log,
}

impl ServiceCore {
    /// Opens nothing yet.
    pub fn new(handle: Rc<Handle>, configuration: Configuration) -> Self {
        let Configuration { settings, on_unavailable, by_default, log } = configuration;
        let service = Shared {
            handle,
            settings,
            on_unavailable,
            by_default,
            resources: Arc::default(),
            log: Rc::new(log),
            state: RefCell::new(State::Idle),
            local: OnceCell::new(),
        };
        Self { service: Rc::new(service), limits: None }
    }

    /// The same service within the limits that `lib/call-limits.js` has worked out, and no others.
    pub fn within(&self, env: &Env, limits: Value) -> napi::Result<Self> {
        let limits = Limits::read(Js(env.raw()), limits).map_err(|error| self.exception(env, &error))?;
        Ok(Self { service: self.service.clone(), limits })
    }

    /// The environment.
    pub fn environment(&self) -> &Rc<Environment> {
        self.service.handle.environment()
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.service.settings
    }

    /// Whether no option or variable named a server.
    pub fn by_default(&self) -> bool {
        self.service.by_default
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.limits_timeout().unwrap_or(self.service.settings.timeout)
    }

    /// How long a call may take by the limits alone.
    pub fn limits_timeout(&self) -> Option<Duration> {
        self.limits.as_ref().and_then(|limits| limits.timeout)
    }

    /// The store of this process that is used while the server of this service is unavailable.
    pub fn local_store(&self) -> Arc<LocalStore> {
        self.service.local.get_or_init(|| local_store(&self.service.settings)).clone()
    }

    /// A promise for the call to this service's store that `make` returns.
    pub fn submit<T>(&self, env: Env, operation: Operation, make: impl FnOnce(Js) -> Result<Call<T>>) -> RawValue
    where
        T: Into<Output> + Send + 'static,
    {
        self.submit_output(env, operation, |js| Ok(make(js)?.map(Into::into)))
    }

    /// The same for a call that needs no conversion, which would cost every step of it.
    pub fn submit_output(
        &self,
        env: Env,
        operation: Operation,
        make: impl FnOnce(Js) -> Result<Call<Output>>,
    ) -> RawValue {
        let js = Js(env.raw());
        let make = || make(js).and_then(|call| Ok((self.open_store(js)?, self.service.settings.timeout, call)));
        RawValue(self.environment().submit(js, operation, self.limits.as_ref(), make))
    }

    /// The package's error for `error`, for methods that throw.
    pub fn exception(&self, env: &Env, error: &Error) -> napi::Error {
        self.environment().exception(env, error)
    }

    /// An operation that returns its empty value instead of an error if the service is configured so.
    pub fn operation(&self, name: &'static str, empty: Empty) -> Operation {
        Operation { name, empty: self.returns_empty().then_some(empty) }
    }

    /// Whether the service is configured to return empty values instead of errors when there is no server.
    pub fn returns_empty(&self) -> bool {
        self.service.on_unavailable == OnUnavailable::Empty
    }

    /// The store, opened by the first call.
    ///
    /// # Errors
    /// `E_CLOSED` after `disconnect()`.
    pub fn open_store(&self, js: Js) -> Result<Arc<OpenStore>> {
        let mut state = self.service.state.borrow_mut();
        match &*state {
            State::Open(open_store, _) => Ok(open_store.clone()),
            State::Closed(_) => Err(closed()),
            State::Idle => {
                let environment = self.environment();
                let store = shared(&self.service.settings)?;
                let log = environment.logs.add(&store, &self.service.log, &environment.completions);
                let open_store = Arc::new(OpenStore::new(store));
                *state = State::Open(open_store.clone(), log);
                drop(state);
                if self.service.by_default {
                    environment.warn_once(
                        js,
                        "by-default",
                        "cinnabar: no Redis is configured, so the embedded engine answers: data lives in this process \
                         only. Set REDIS_URL to use a server, or REDIS_URL=memory: to silence this.",
                    );
                }
                Ok(open_store)
            }
        }
    }

    /// The store, if a call has opened it.
    pub fn store(&self) -> Option<Arc<Store>> {
        match &*self.service.state.borrow() {
            State::Open(open_store, _) => Some(open_store.store().clone()),
            _ => None,
        }
    }

    /// Lets `disconnect()` wait for one more call; `None` when nothing is open any more.
    pub fn delay_drain(&self) -> Option<DrainGuard> {
        let open_store = match &*self.service.state.borrow() {
            State::Idle => None,
            State::Open(open_store, _) => Some(open_store.clone()),
            State::Closed(open_store) => open_store.upgrade(),
        };
        open_store.map(OpenStore::delay_drain)
    }

    /// Lets a call open it again after `disconnect()`.
    pub fn reopen(&self) {
        let mut state = self.service.state.borrow_mut();
        if matches!(*state, State::Closed(_)) {
            *state = State::Idle;
        }
    }

    /// Takes no more calls and releases the store. Returns what may still be in flight, which holds it.
    fn close(&self, js: Js, deadline: Instant) -> Option<Arc<OpenStore>> {
        // The calls of this tick are in flight too.
        self.environment().flush();
        let mut state = self.service.state.borrow_mut();
        let open_store = match &*state {
            State::Idle => None,
            State::Open(open_store, log) => {
                self.environment().logs.remove(*log);
                open_store.close();
                Some(open_store.clone())
            }
            State::Closed(open_store) => open_store.upgrade(),
        };
        *state = State::Closed(open_store.as_ref().map_or_else(Weak::new, Arc::downgrade));
        drop(state);
        self.end_all(js, open_store.as_ref(), deadline);
        open_store
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let State::Open(_, log) = &*self.state.borrow() {
            self.handle.environment().logs.remove(*log);
        }
    }
}

/// The services of an environment.
#[derive(Default)]
pub struct Services(RefCell<Vec<std::rc::Weak<Shared>>>);

impl Services {
    /// Adds one, for as long as JavaScript holds it.
    pub fn add(&self, core: &ServiceCore) {
        let mut services = self.0.borrow_mut();
        services.retain(|service| service.strong_count() > 0);
        services.push(Rc::downgrade(&core.service));
    }

    /// All that JavaScript holds.
    pub fn all(&self) -> Vec<ServiceCore> {
        let services = self.0.borrow();
        let services = services.iter().filter_map(std::rc::Weak::upgrade);
        services.map(|service| ServiceCore { service, limits: None }).collect()
    }
}

/// Closes services; returns a promise that resolves when nothing is in flight any more, after `drain` at the latest.
pub fn disconnect(environment: &Environment, js: Js, services: &[ServiceCore], drain: Duration) -> Value {
    let deadline = Instant::now() + drain;
    let closing: Vec<_> = services.iter().filter_map(|service| service.close(js, deadline)).collect();
    if closing.is_empty() && environment.is_idle() {
        return environment.resolved(js);
    }
    let (promise, ticket) = environment.promise(js, Operation { name: "DISCONNECT", empty: None });
    if let (Some(ticket), Ok(runtime)) = (ticket, runtime::get()) {
        // Queued behind the results that have come and are not settled yet.
        let completions = environment.completions.clone();
        runtime.spawn(async move {
            for open_store in closing {
                open_store.drain(deadline).await;
            }
            completions.push(Completion::Calls(vec![(Ok(Output::Undefined), ticket)]));
        });
    }
    promise
}
