//! The one bridge of an environment, and what every native class shares with it.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
    sync::Arc,
};

use napi::{
    Env, JsValue, Unknown,
    bindgen_prelude::{Error as NapiError, ToNapiValue},
    sys,
};
use napi_derive::napi;

use super::{
    env::{Js, Value},
    failure::Failures,
    operation::{Empty, Operation},
    options::OnUnavailable,
    promise::{Functions, Inner},
    subscription::Subscriptions,
};
use crate::{
    answer::Answer,
    error::{Error, Kind, Result},
    settings::Settings,
    store::{Call, Local, Store, local, shared},
};

/// A value that a native method hands to JavaScript as it is.
pub struct Handed(pub Value);

impl ToNapiValue for Handed {
    unsafe fn to_napi_value(_: sys::napi_env, handed: Self) -> napi::Result<sys::napi_value> {
        Ok(handed.0)
    }
}

/// JavaScript's half of the bridge. Made once a module.
#[napi]
pub struct Bridge {
    pub(super) handle: Rc<Handle>,
}

/// Ends the bridge when neither it nor any service can ask any more.
pub struct Handle(pub Rc<Inner>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

#[napi]
impl Bridge {
    /// Takes `{ CinnabarError, parse, stringify, queueMicrotask, checked, warn, askCredentials, captureStack }`.
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
            queue_microtask: keep(c"queueMicrotask")?,
            checked: keep(c"checked")?,
            warn: keep(c"warn")?,
            ask_credentials: keep(c"askCredentials")?,
            failures: Failures::new(keep(c"CinnabarError")?),
        };
        let inner = Inner::start(js, functions, capture)
            .ok_or_else(|| NapiError::from_reason("this JavaScript environment is ending"))?;
        Ok(Self { handle: Rc::new(Handle(inner)) })
    }

    /// What a function that was asked for credentials answered, or a sentence that says why that is of no use.
    #[napi]
    pub fn answer_credentials(&self, env: Env, number: f64, username: Unknown, password: Unknown, problem: Unknown) {
        let (username, password, problem) = (username.raw(), password.raw(), problem.raw());
        self.handle.0.sources.answer(Js(env.raw()), number as u64, username, password, problem);
    }
}

fn no_hook(name: &std::ffi::CStr) -> NapiError {
    NapiError::from_reason(format!("the bridge needs the hook {}", name.to_string_lossy()))
}

/// What a service's native classes have in common.
pub struct Core {
    pub(super) handle: Rc<Handle>,
    pub(super) settings: Settings,
    pub(super) on_unavailable: OnUnavailable,
    pub(super) by_default: bool,
    /// Its open subscriptions.
    pub(super) subscriptions: Arc<Subscriptions>,
    state: RefCell<State>,
    /// Held here, so that what was counted outlives the limiter that counted it.
    local: OnceCell<Arc<Local>>,
}

enum State {
    /// No call yet.
    Idle,
    Open(Arc<Store>),
    /// By `disconnect()`; `connect()` opens it again.
    Closed,
}

impl Core {
    /// Opens nothing yet.
    pub fn new(handle: Rc<Handle>, settings: Settings, on_unavailable: OnUnavailable, by_default: bool) -> Self {
        let state = RefCell::new(State::Idle);
        let (subscriptions, local) = (Arc::default(), OnceCell::new());
        Self { handle, settings, on_unavailable, by_default, subscriptions, state, local }
    }

    /// The bridge.
    pub fn bridge(&self) -> &Rc<Inner> {
        &self.handle.0
    }

    /// The store, opened by the first call.
    ///
    /// # Errors
    /// `E_CLOSED` after `disconnect()`.
    pub fn store(&self, js: Js) -> Result<Arc<Store>> {
        let mut state = self.state.borrow_mut();
        match &*state {
            State::Open(store) => Ok(store.clone()),
            State::Closed => Err(Error::new(Kind::Closed, "this service was disconnected; connect() opens it again")),
            State::Idle => {
                let store = shared(&self.settings)?;
                *state = State::Open(store.clone());
                drop(state);
                if self.by_default {
                    self.bridge().warn_once(
                        js,
                        "by-default",
                        "cinnabar: no Redis is configured, so the embedded engine answers: data lives in this process \
                         only. Set REDIS_URL to use a server, or REDIS_URL=memory: to silence this.",
                    );
                }
                Ok(store)
            }
        }
    }

    /// What this process keeps by itself while this service has no server.
    pub fn local(&self) -> Arc<Local> {
        self.local.get_or_init(|| local(&self.settings)).clone()
    }

    /// The store if a call has opened it.
    pub fn opened(&self) -> Option<Arc<Store>> {
        match &*self.state.borrow() {
            State::Open(store) => Some(store.clone()),
            _ => None,
        }
    }

    /// Opens it again after `close`.
    pub fn reopen(&self) {
        let mut state = self.state.borrow_mut();
        if matches!(*state, State::Closed) {
            *state = State::Idle;
        }
    }

    /// Lets go of the store. What is in flight holds it until it is answered.
    pub fn close(&self, js: Js) {
        for id in self.subscriptions.ids() {
            self.unsubscribe(js, id);
        }
        *self.state.borrow_mut() = State::Closed;
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, js: Js, id: u64) {
        self.subscriptions.end(id);
        self.bridge().drop_handler(js, id);
    }

    /// An operation that answers its empty value when the service wants that.
    pub fn operation(&self, name: &'static str, empty: Empty) -> Operation {
        Operation { name, empty: self.answers_empty().then_some(empty) }
    }

    /// Whether the service wants empty values instead of errors when there is no server.
    pub fn answers_empty(&self) -> bool {
        self.on_unavailable == OnUnavailable::Empty
    }

    /// A promise for what `make` asks of this service's store.
    pub fn submit<T>(&self, env: Env, operation: Operation, make: impl FnOnce(Js) -> Result<Call<T>>) -> Handed
    where
        T: Into<Answer> + Send + 'static,
    {
        let js = Js(env.raw());
        Handed(self.bridge().submit(js, operation, self.settings.timeout, || {
            let call = make(js)?.map(Into::into);
            Ok((self.store(js)?, call))
        }))
    }

    /// Turns an error into one that a constructor throws.
    pub fn throw(inner: &Inner, env: &Env, error: &Error) -> NapiError {
        let js = Js(env.raw());
        let value = inner.failure(js, error, None);
        // SAFETY: a live value of this environment.
        NapiError::from(unsafe { Unknown::from_raw_unchecked(env.raw(), value) })
    }
}

/// Now, as `new Date().toISOString()` writes it.
pub fn iso_now() -> String {
    humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string()
}
