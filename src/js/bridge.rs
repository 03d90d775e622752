//! The class by which JavaScript reaches the bridge as a whole.

use std::{rc::Rc, time::Duration};

use napi::{Env, JsValue, Unknown, bindgen_prelude::Error as NapiError};
use napi_derive::napi;

use super::{
    environment::{Environment, Handle},
    errors::environment_ending,
    failure::Failures,
    functions::Functions,
    node_api::{Js, RawValue},
    service_core::{ServiceCore, Services, disconnect},
};

/// JavaScript's half of the bridge. Made once a module.
#[napi]
pub struct Bridge {
    handle: Rc<Handle>,
    services: Services,
}

impl Bridge {
    /// The environment.
    pub fn environment(&self) -> &Rc<Environment> {
        self.handle.environment()
    }

    /// The handle that a service needs.
    pub fn handle(&self) -> &Rc<Handle> {
        &self.handle
    }

    /// Makes `disconnect_all` include a service.
    pub fn register(&self, core: &ServiceCore) {
        self.services.add(core);
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
        Ok(Self { handle: Handle::new(environment), services: Services::default() })
    }

    /// What a function that returns credentials has returned, or a sentence that says why it is unusable.
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
        RawValue(disconnect(
            self.environment(),
            js,
            &self.services.all(),
            Duration::from_secs_f64(drain_ms.max(0.0) / 1000.0),
        ))
    }
}

fn no_hook(name: &std::ffi::CStr) -> NapiError {
    NapiError::from_reason(format!("the bridge needs the hook {}", name.to_string_lossy()))
}
