//! The state of a service, which its native classes share.

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
    resources::{Ending, Resource, ResourceGroup, Resources},
};
use super::{
    completions::Completion,
    environment::{Environment, EnvironmentHandle, Log},
    errors::closed,
    limits::Limits,
    node_api::{Js, RawValue, Value},
    open_store::{DrainGuard, OpenStore},
    operation::{Empty, Operation},
    options::OnUnavailable,
};

/// A service, with the limits that `.with()` sets for the calls of one object.
#[derive(Clone)]
pub struct ServiceCore {
    service: Rc<ServiceState>,
    limits: Option<Rc<Limits>>,
}

/// The state that all objects of a service share, whatever their limits.
struct ServiceState {
    handle: Rc<EnvironmentHandle>,
    settings: Settings,
    on_unavailable: OnUnavailable,
    by_default: bool,
    /// The open resources.
    resources: Arc<Resources>,
    log: Rc<Log>,
    state: RefCell<StoreState>,
    /// Held here, so that counts outlive the limiter.
    local: OnceCell<Arc<LocalStore>>,
}

enum StoreState {
    /// No call yet.
    Idle,
    /// With the id of its log in the environment.
    Open(Arc<OpenStore>, u64),
    /// Closed by `disconnect()`; `connect()` opens it again. Calls made before may still be in flight.
    Closed(Weak<OpenStore>),
}

/// The configuration of a service.
pub struct Configuration {
    pub settings: Settings,
    pub on_unavailable: OnUnavailable,
    /// Whether no option or variable named a server.
    pub by_default: bool,
    pub log: Log,
}

impl ServiceCore {
    /// Creates a service without opening its store.
    pub fn new(handle: Rc<EnvironmentHandle>, configuration: Configuration) -> Self {
        let Configuration { settings, on_unavailable, by_default, log } = configuration;
        let service = ServiceState {
            handle,
            settings,
            on_unavailable,
            by_default,
            resources: Arc::default(),
            log: Rc::new(log),
            state: RefCell::new(StoreState::Idle),
            local: OnceCell::new(),
        };
        Self { service: Rc::new(service), limits: None }
    }

    /// Returns the same service with these limits, which `lib/call-limits.js` has computed, in place of its own.
    pub fn within(&self, env: &Env, limits: Value) -> napi::Result<Self> {
        let limits = Limits::read(Js(env.raw()), limits).map_err(|error| self.exception(env, &error))?;
        Ok(Self { service: self.service.clone(), limits })
    }

    /// Returns the environment.
    pub fn environment(&self) -> &Rc<Environment> {
        self.service.handle.environment()
    }

    /// Returns its settings.
    pub fn settings(&self) -> &Settings {
        &self.service.settings
    }

    /// Whether no option or variable named a server.
    pub fn by_default(&self) -> bool {
        self.service.by_default
    }

    /// Returns the timeout of a call.
    pub fn timeout(&self) -> Duration {
        self.limits_timeout().unwrap_or(self.service.settings.timeout)
    }

    /// Returns the timeout of a call that the limits set.
    pub fn limits_timeout(&self) -> Option<Duration> {
        self.limits.as_ref().and_then(|limits| limits.timeout)
    }

    /// Returns the local store, which is used while the server of this service is unavailable.
    pub fn local_store(&self) -> Arc<LocalStore> {
        self.service.local.get_or_init(|| local_store(&self.service.settings)).clone()
    }

    /// Submits the call that `make` returns to the store of this service, and returns its promise.
    pub fn submit<T>(&self, env: Env, operation: Operation, make: impl FnOnce(Js) -> Result<Call<T>>) -> RawValue
    where
        T: Into<Output> + Send + 'static,
    {
        self.submit_output(env, operation, |js| Ok(make(js)?.map(Into::into)))
    }

    /// Does the same for a call that needs no conversion of its result, which would cost at each of its rounds.
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

    /// Returns an operation with an empty value in place of errors, if the service is configured so.
    pub fn operation(&self, name: &'static str, empty: Empty) -> Operation {
        Operation { name, empty: self.returns_empty().then_some(empty) }
    }

    /// Whether the service is configured to return empty values instead of errors if no server is available.
    pub fn returns_empty(&self) -> bool {
        self.service.on_unavailable == OnUnavailable::Empty
    }

    /// Returns the store, which the first call opens.
    ///
    /// # Errors
    /// `E_CLOSED` after `disconnect()`.
    pub fn open_store(&self, js: Js) -> Result<Arc<OpenStore>> {
        let mut state = self.service.state.borrow_mut();
        match &*state {
            StoreState::Open(open_store, _) => Ok(open_store.clone()),
            StoreState::Closed(_) => Err(closed()),
            StoreState::Idle => {
                let environment = self.environment();
                let store = shared(&self.service.settings)?;
                let log = environment.logs.add(&store, &self.service.log, &environment.completions);
                let open_store = Arc::new(OpenStore::new(store));
                *state = StoreState::Open(open_store.clone(), log);
                drop(state);
                if self.service.by_default {
                    environment.warn_once(
                        js,
                        "by-default",
                        "cinnabar: no Redis is configured, so the embedded engine is used: data lives in this process \
                         only. Set REDIS_URL to use a server, or REDIS_URL=memory: to silence this.",
                    );
                }
                Ok(open_store)
            }
        }
    }

    /// Returns the store if it is open.
    pub fn store(&self) -> Option<Arc<Store>> {
        match &*self.service.state.borrow() {
            StoreState::Open(open_store, _) => Some(open_store.store().clone()),
            _ => None,
        }
    }

    /// Makes `disconnect()` wait for one more call; `None` if the store is not open any more.
    pub fn delay_drain(&self) -> Option<DrainGuard> {
        let open_store = match &*self.service.state.borrow() {
            StoreState::Idle => None,
            StoreState::Open(open_store, _) => Some(open_store.clone()),
            StoreState::Closed(open_store) => open_store.upgrade(),
        };
        open_store.map(OpenStore::delay_drain)
    }

    /// Allows a call to open the store again after `disconnect()`.
    pub fn reopen(&self) {
        let mut state = self.service.state.borrow_mut();
        if matches!(*state, StoreState::Closed(_)) {
            *state = StoreState::Idle;
        }
    }

    /// Accepts no more calls and releases the store. Returns it if calls may still be in flight.
    fn close(&self, js: Js, deadline: Instant) -> Option<Arc<OpenStore>> {
        // The calls of this tick are in flight too.
        self.environment().flush();
        let mut state = self.service.state.borrow_mut();
        let open_store = match &*state {
            StoreState::Idle => None,
            StoreState::Open(open_store, log) => {
                self.environment().logs.remove(*log);
                open_store.close();
                Some(open_store.clone())
            }
            StoreState::Closed(open_store) => open_store.upgrade(),
        };
        *state = StoreState::Closed(open_store.as_ref().map_or_else(Weak::new, Arc::downgrade));
        drop(state);
        self.end_all(js, open_store.as_ref(), deadline);
        open_store
    }
}

impl Drop for ServiceState {
    fn drop(&mut self) {
        if let StoreState::Open(_, log) = &*self.state.borrow() {
            self.handle.environment().logs.remove(*log);
        }
    }
}

/// The services of an environment.
#[derive(Default)]
pub struct Services(RefCell<Vec<std::rc::Weak<ServiceState>>>);

impl Services {
    /// Adds a service, for as long as JavaScript references it.
    pub fn add(&self, core: &ServiceCore) {
        let mut services = self.0.borrow_mut();
        services.retain(|service| service.strong_count() > 0);
        services.push(Rc::downgrade(&core.service));
    }

    /// Returns all services that JavaScript references.
    pub fn all(&self) -> Vec<ServiceCore> {
        let services = self.0.borrow();
        let services = services.iter().filter_map(std::rc::Weak::upgrade);
        services.map(|service| ServiceCore { service, limits: None }).collect()
    }
}

/// Closes services, and returns a promise that resolves when nothing is in flight any more, after `drain` at the latest.
pub fn disconnect(environment: &Environment, js: Js, services: &[ServiceCore], drain: Duration) -> Value {
    let deadline = Instant::now() + drain;
    let closing: Vec<_> = services.iter().filter_map(|service| service.close(js, deadline)).collect();
    if closing.is_empty() && environment.is_idle() {
        return environment.resolved(js);
    }
    let (promise, ticket) = environment.promise(js, Operation { name: "DISCONNECT", empty: None });
    if let (Some(ticket), Ok(runtime)) = (ticket, runtime::get()) {
        // Queued behind results that are not settled yet.
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
