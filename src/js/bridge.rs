//! The one bridge of an environment, and what every native class shares with it.

use std::{
    cell::{OnceCell, RefCell},
    ops::Deref,
    rc::Rc,
    sync::{Arc, Weak},
    time::Duration,
};

use cinnabar_core::{
    answer::Answer,
    store::{Local, Store, local, shared},
};
use cinnabar_port::{
    Call,
    error::{Error, Result},
    runtime,
};
use cinnabar_redis::settings::Settings;
use napi::{Env, JsValue, Unknown, bindgen_prelude::Error as NapiError};
use napi_derive::napi;
use tokio::time::Instant;

use super::{
    completions::Completion,
    environment::{Environment, Handle, Log},
    errors::{closed, environment_ending},
    failure::Failures,
    functions::Functions,
    limits::Limits,
    node_api::{Js, RawValue, Value},
    opened::{Opened, Stay},
    operation::{Empty, Operation},
    options::OnUnavailable,
    room::{Following, Members},
    subscription::Subscriptions,
};

/// JavaScript's half of the bridge. Made once a module.
#[napi]
pub struct Bridge {
    handle: Rc<Handle>,
    services: RefCell<Vec<std::rc::Weak<Shared>>>,
}

impl Bridge {
    /// The environment.
    pub fn environment(&self) -> &Rc<Environment> {
        self.handle.environment()
    }

    /// What a service holds.
    pub fn handle(&self) -> &Rc<Handle> {
        &self.handle
    }

    /// Has `disconnect_all` include a service.
    pub fn register(&self, core: &Core) {
        let mut services = self.services.borrow_mut();
        services.retain(|service| service.strong_count() > 0);
        services.push(Rc::downgrade(&core.shared));
    }
}

#[napi]
impl Bridge {
    /// Takes `{ CinnabarError, parse, stringify, afterThisTick, checked, record, warn, askCredentials, watch, unwatch,
    /// captureStack, resource }`.
    #[napi(constructor)]
    pub fn new(env: Env, hooks: Unknown) -> napi::Result<Self> {
        let js = Js(env.raw());
        let keep = |name: &'static std::ffi::CStr| {
            js.get(hooks.raw(), name).ok().and_then(|value| js.keep(value)).ok_or_else(|| no_hook(name))
        };
        let capture = js.get(hooks.raw(), c"captureStack").ok().and_then(|flag| js.as_boolean(flag)).unwrap_or(false);
        let functions = Functions {
            parse: keep(c"parse")?,
            stringify: keep(c"stringify")?,
            after_this_tick: keep(c"afterThisTick")?,
            checked: keep(c"checked")?,
            record: keep(c"record")?,
            warn: keep(c"warn")?,
            ask_credentials: keep(c"askCredentials")?,
            watch: keep(c"watch")?,
            unwatch: keep(c"unwatch")?,
            failures: Failures::new(keep(c"CinnabarError")?),
        };
        let resource = js.get(hooks.raw(), c"resource").map_err(|_| no_hook(c"resource"))?;
        let environment = Environment::start(js, functions, capture, resource)
            .ok_or_else(|| NapiError::from_reason(environment_ending().message()))?;
        Ok(Self { handle: Handle::new(environment), services: RefCell::default() })
    }

    /// What a function that was asked for credentials answered, or a sentence that says why that is of no use.
    #[napi]
    pub fn answer_credentials(&self, env: Env, number: f64, username: Unknown, password: Unknown, problem: Unknown) {
        let (username, password, problem) = (username.raw(), password.raw(), problem.raw());
        self.environment().answer_credentials(Js(env.raw()), number as u64, username, password, problem);
    }

    /// The signal that `watch` was called with has aborted.
    #[napi]
    pub fn abort(&self, env: Env, id: f64, reason: Unknown) {
        self.environment().abort(Js(env.raw()), id as u64, reason.raw());
    }

    /// Some of what waits for the reader of this number: `[more, text, about, …]`, or `null` when nothing does.
    #[napi]
    pub fn take(&self, env: Env, reader: f64) -> RawValue {
        RawValue(self.environment().take(Js(env.raw()), reader as u64))
    }

    /// Whether calls are in flight, which keep the process alive.
    #[napi(getter)]
    pub fn is_busy(&self) -> bool {
        !self.environment().is_idle()
    }

    /// Disconnects every service that this bridge serves.
    #[napi]
    pub fn disconnect_all(&self, env: Env, drain_ms: f64) -> RawValue {
        let js = Js(env.raw());
        let services: Vec<_> = self.services.borrow().iter().filter_map(std::rc::Weak::upgrade).collect();
        let services: Vec<_> = services.iter().map(Rc::as_ref).collect();
        RawValue(disconnect(self.environment(), js, &services, Duration::from_secs_f64(drain_ms.max(0.0) / 1000.0)))
    }
}

fn no_hook(name: &std::ffi::CStr) -> NapiError {
    NapiError::from_reason(format!("the bridge needs the hook {}", name.to_string_lossy()))
}

/// What a service's native classes have in common, within the limits of one of them.
#[derive(Clone)]
pub struct Core {
    shared: Rc<Shared>,
    limits: Option<Rc<Limits>>,
}

/// A service, whatever its callers are bound to.
pub struct Shared {
    pub(super) handle: Rc<Handle>,
    pub(super) settings: Settings,
    pub(super) on_unavailable: OnUnavailable,
    pub(super) by_default: bool,
    /// Its open subscriptions.
    pub(super) subscriptions: Arc<Subscriptions>,
    /// Its listeners and watchers of rooms.
    pub(super) following: Arc<Following>,
    /// Those whom it has put in rooms.
    pub(super) members: Arc<Members>,
    log: Rc<Log>,
    state: RefCell<State>,
    /// Held here, so that what was counted outlives the limiter that counted it.
    local: OnceCell<Arc<Local>>,
}

enum State {
    /// No call yet.
    Idle,
    /// The number ends what `log` is told.
    Open(Arc<Opened>, u64),
    /// By `disconnect()`; `connect()` opens it again. What was under way then may still be.
    Closed(Weak<Opened>),
}

impl Deref for Core {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Core {
    /// Opens nothing yet.
    pub fn new(
        handle: Rc<Handle>,
        settings: Settings,
        on_unavailable: OnUnavailable,
        by_default: bool,
        log: Log,
    ) -> Self {
        let (subscriptions, state, log) = (Arc::default(), RefCell::new(State::Idle), Rc::new(log));
        let (following, members, local) = (Arc::default(), Arc::default(), OnceCell::new());
        let shared = Shared {
            handle,
            settings,
            on_unavailable,
            by_default,
            subscriptions,
            following,
            members,
            log,
            state,
            local,
        };
        Self { shared: Rc::new(shared), limits: None }
    }

    /// What this process keeps by itself while this service has no server.
    pub fn local(&self) -> Arc<Local> {
        self.local.get_or_init(|| local(&self.settings)).clone()
    }

    /// The same service within the limits that `lib/limits.js` has made out, and no others.
    pub fn within(&self, env: &Env, limits: Value) -> napi::Result<Rc<Self>> {
        let limits = Limits::read(Js(env.raw()), limits).map_err(|error| self.exception(env, &error))?;
        Ok(Rc::new(Self { shared: self.shared.clone(), limits }))
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.limits.as_ref().and_then(|limits| limits.timeout).unwrap_or(self.settings.timeout)
    }

    /// The limits' own time.
    pub fn own_timeout(&self) -> Option<Duration> {
        self.limits.as_ref().and_then(|limits| limits.timeout)
    }

    /// A promise for what `make` asks of this service's store.
    pub fn submit<T>(&self, env: Env, operation: Operation, make: impl FnOnce(Js) -> Result<Call<T>>) -> RawValue
    where
        T: Into<Answer> + Send + 'static,
    {
        self.submit_answer(env, operation, |js| Ok(make(js)?.map(Into::into)))
    }

    /// The same for a call that needs no conversion, which would cost every step of it.
    pub fn submit_answer(
        &self,
        env: Env,
        operation: Operation,
        make: impl FnOnce(Js) -> Result<Call<Answer>>,
    ) -> RawValue {
        let js = Js(env.raw());
        let make = || make(js).and_then(|call| Ok((self.opened(js)?, self.settings.timeout, call)));
        RawValue(self.environment().submit(js, operation, self.limits.as_ref(), make))
    }

    /// The package's error for `error`, for methods that throw.
    pub fn exception(&self, env: &Env, error: &Error) -> NapiError {
        self.environment().exception(env, error)
    }
}

impl Shared {
    /// The environment.
    pub fn environment(&self) -> &Rc<Environment> {
        self.handle.environment()
    }

    /// The store, opened by the first call.
    ///
    /// # Errors
    /// `E_CLOSED` after `disconnect()`.
    pub fn opened(&self, js: Js) -> Result<Arc<Opened>> {
        let mut state = self.state.borrow_mut();
        match &*state {
            State::Open(opened, _) => Ok(opened.clone()),
            State::Closed(_) => Err(closed()),
            State::Idle => {
                let store = shared(&self.settings)?;
                let log = self.environment().logs.add(&store, &self.log, &self.environment().completions);
                let opened = Arc::new(Opened::new(store));
                *state = State::Open(opened.clone(), log);
                drop(state);
                if self.by_default {
                    self.environment().warn_once(
                        js,
                        "by-default",
                        "cinnabar: no Redis is configured, so the embedded engine answers: data lives in this process \
                         only. Set REDIS_URL to use a server, or REDIS_URL=memory: to silence this.",
                    );
                }
                Ok(opened)
            }
        }
    }

    /// The store if a call has opened it.
    pub fn store(&self) -> Option<Arc<Store>> {
        match &*self.state.borrow() {
            State::Open(opened, _) => Some(opened.store().clone()),
            _ => None,
        }
    }

    /// Lets `disconnect()` wait for one more call; `None` when nothing is open any more.
    pub fn stay(&self) -> Option<Stay> {
        let opened = match &*self.state.borrow() {
            State::Idle => None,
            State::Open(opened, _) => Some(opened.clone()),
            State::Closed(opened) => opened.upgrade(),
        };
        opened.map(Opened::stay)
    }

    /// Opens it again after `close`.
    pub fn reopen(&self) {
        let mut state = self.state.borrow_mut();
        if matches!(*state, State::Closed(_)) {
            *state = State::Idle;
        }
    }

    /// Takes no more calls and lets go of the store. Answers what may still be under way, which holds it.
    pub fn close(&self, js: Js) -> Option<Arc<Opened>> {
        // What this tick has asked for is under way too.
        self.environment().flush();
        let mut state = self.state.borrow_mut();
        let opened = match &*state {
            State::Idle => None,
            State::Open(opened, log) => {
                self.environment().logs.remove(*log);
                opened.close();
                Some(opened.clone())
            }
            State::Closed(opened) => opened.upgrade(),
        };
        *state = State::Closed(opened.as_ref().map_or_else(Weak::new, Arc::downgrade));
        drop(state);
        for id in self.subscriptions.ids().into_iter().chain(self.following.ids()) {
            self.unsubscribe(js, id);
        }
        opened
    }

    /// Ends a subscription, a listener or a watcher.
    pub fn unsubscribe(&self, js: Js, id: u64) {
        self.subscriptions.end(id);
        self.following.end(id);
        self.environment().drop_reader(js, id);
    }

    /// An operation that answers its empty value when the service wants that.
    pub fn operation(&self, name: &'static str, empty: Empty) -> Operation {
        Operation { name, empty: self.answers_empty().then_some(empty) }
    }

    /// Whether the service wants empty values instead of errors when there is no server.
    pub fn answers_empty(&self) -> bool {
        self.on_unavailable == OnUnavailable::Empty
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let State::Open(_, log) = &*self.state.borrow() {
            self.environment().logs.remove(*log);
        }
    }
}

/// Closes services and answers a promise for the moment when nothing is under way any more, after `drain` at most.
pub fn disconnect(environment: &Environment, js: Js, services: &[&Shared], drain: Duration) -> Value {
    let deadline = Instant::now() + drain;
    let close = |service: &&Shared| {
        let opened = service.close(js)?;
        service.members.leave_all(&opened, deadline);
        Some(opened)
    };
    let closing: Vec<_> = services.iter().filter_map(close).collect();
    if closing.is_empty() && environment.is_idle() {
        return environment.resolved(js);
    }
    let (promise, ticket) = environment.promise(js, Operation { name: "DISCONNECT", empty: None });
    if let (Some(ticket), Ok(runtime)) = (ticket, runtime::get()) {
        // Queued behind the answers that have come and are not settled yet.
        let completions = environment.completions.clone();
        runtime.spawn(async move {
            for opened in closing {
                opened.drain(deadline).await;
            }
            completions.push(Completion::Calls(vec![(Ok(Answer::Undefined), ticket)]));
        });
    }
    promise
}
