//! The class by which JavaScript starts the bridge of an environment.

use std::{rc::Rc, time::Duration};

use napi::{Env, JsValue, Unknown, bindgen_prelude::Error as NapiError};
use napi_derive::napi;

use super::{
    environment::{Environment, EnvironmentHandle},
    error_class::ErrorClass,
    errors::environment_ending,
    js_functions::JsFunctions,
    node_api::{Js, RawValue},
    service_core::{ServiceCore, Services, disconnect},
};

/// The bridge of one environment, created once per copy of the package.
#[napi]
pub struct Bridge {
    handle: Rc<EnvironmentHandle>,
    services: Services,
}

impl Bridge {
    /// Returns the environment.
    pub fn environment(&self) -> &Rc<Environment> {
        self.handle.environment()
    }

    /// Returns the handle for a service.
    pub fn handle(&self) -> &Rc<EnvironmentHandle> {
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
        let reference = |name: &'static std::ffi::CStr| {
            js.get(hooks.raw(), name).ok().and_then(|value| js.create_reference(value)).ok_or_else(|| no_hook(name))
        };
        let capture = js.get(hooks.raw(), c"captureStack").ok().and_then(|flag| js.as_boolean(flag)).unwrap_or(false);
        let functions = JsFunctions {
            parse: reference(c"parse")?,
            stringify: reference(c"stringify")?,
            after_this_tick: reference(c"afterThisTick")?,
            checked: reference(c"checked")?,
            record: reference(c"record")?,
            warn: reference(c"warn")?,
            ask_credentials: reference(c"askCredentials")?,
            watch: reference(c"watch")?,
            unwatch: reference(c"unwatch")?,
            error_class: ErrorClass::new(reference(c"CinnabarError")?),
        };
        let resource = js.get(hooks.raw(), c"resource").map_err(|_| no_hook(c"resource"))?;
        let environment = Environment::start(js, functions, capture, resource)
            .ok_or_else(|| NapiError::from_reason(environment_ending().message()))?;
        Ok(Self { handle: EnvironmentHandle::new(environment), services: Services::default() })
    }

    /// Settles a request for credentials with what the function returned, or with the reason why that is invalid.
    #[napi]
    pub fn settle_credentials(&self, env: Env, number: f64, username: Unknown, password: Unknown, problem: Unknown) {
        let (username, password, problem) = (username.raw(), password.raw(), problem.raw());
        self.environment().settle_credentials(Js(env.raw()), number as u64, username, password, problem);
    }

    /// Aborts the calls bound to the signal with which `watch` was called.
    #[napi]
    pub fn abort(&self, env: Env, id: f64, reason: Unknown) {
        self.environment().abort(Js(env.raw()), id as u64, reason.raw());
    }

    /// Returns some of what is pending for the reader of this id: `[more, text, about, …]`, or `null` if there is nothing.
    #[napi]
    pub fn take(&self, env: Env, reader: f64) -> RawValue {
        RawValue(self.environment().take(Js(env.raw()), reader as u64))
    }

    /// Whether calls are in flight, which keep the process alive.
    #[napi(getter)]
    pub fn is_busy(&self) -> bool {
        !self.environment().is_idle()
    }

    /// Disconnects all services of this bridge.
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
