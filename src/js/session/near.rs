//! The near tier behind a `SessionManager`: of sessions, and of the users of tokens.

use std::sync::Arc;

use cinnabar_core::features::{Copy, NearAt};
use cinnabar_port::Call;
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{Sessions, id_of};
use crate::js::{
    near::{self, OpenNear, copied},
    node_api::{Js, RawValue, Value},
    operation::Empty,
};

impl Sessions {
    /// Returns the near tier, if there is one; the call itself reports why it cannot be made.
    pub(super) fn open_near(&self, js: Js) -> Option<Arc<OpenNear>> {
        self.near.as_ref()?.open(&self.core, js).ok()
    }

    /// Returns a call whose changes this process sees at once, also where it has values near.
    pub(super) fn watched<T: Send + 'static>(&self, js: Js, call: Call<T>) -> Call<T> {
        near::watched_on(&self.core, js, self.sessions.prefix(), call)
    }

    fn copied(js: Js, copy: Option<Copy>, known_id: f64) -> Option<Value> {
        copied(js, &copy?, known_id).ok()
    }
}

#[napi]
impl Sessions {
    /// Returns a session if it is near, as `Cache::near_copy` does, or undefined. What cannot be an id is not found.
    #[napi]
    pub fn near_copy(&self, env: Env, id: Unknown, known_id: f64, is_confirmed: bool) -> RawValue {
        let js = Js(env.raw());
        let near = self.open_near(js).map(|open| NearAt { is_confirmed, ..open.now() });
        let copy = || self.sessions.near_session(&id_of(js, id.raw()).ok()??, &near?);
        RawValue(Self::copied(js, copy(), known_id).unwrap_or_else(|| js.undefined()))
    }

    /// Returns the user of a token if it is near, in the same way.
    #[napi]
    pub fn near_user(&self, env: Env, token: Unknown, known_id: f64, is_confirmed: bool) -> RawValue {
        let js = Js(env.raw());
        let near = self.open_near(js).map(|open| NearAt { is_confirmed, ..open.now() });
        let copy = || self.sessions.near_user(&js.text(token.raw(), "token").ok()?, &near?);
        RawValue(Self::copied(js, copy(), known_id).unwrap_or_else(|| js.undefined()))
    }

    /// Returns a session if it is near, as `near_copy` does; otherwise a promise, as `get` does.
    #[napi]
    pub fn get_near(&self, env: Env, id: Unknown, known_id: f64) -> RawValue {
        let js = Js(env.raw());
        let id = id_of(js, id.raw());
        let near = self.open_near(js).map(|open| open.now());
        if let (Ok(Some(id)), Some(near)) = (&id, &near)
            && let Some(copy) = Self::copied(js, self.sessions.near_session(id, near), known_id)
        {
            return RawValue(copy);
        }
        self.core.submit_output(env, self.core.operation("GET SESSION", Empty::Null), |js| match id? {
            Some(id) => self.getting(js, id, near.map(|near| NearAt { is_missing: true, ..near })),
            None => Ok(Call::ready(cinnabar_core::output::Output::Null)),
        })
    }

    /// Returns the memory that says whether copies are still right, as a `Float64Array`; null where memory cannot be shared.
    #[napi]
    pub fn near_words(&self, env: Env) -> RawValue {
        let js = Js(env.raw());
        near::words(js, self.open_near(js).as_deref())
    }

    /// Returns for how many milliseconds a process may have near what has just ended; 0 where that is not waited for.
    #[napi]
    pub fn near_lapse_ms(&self, env: Env) -> f64 {
        let is_embedded = self.core.open_store(Js(env.raw())).is_ok_and(|open| open.store().is_embedded());
        if is_embedded { 0.0 } else { self.lapse.unwrap_or_default().as_secs_f64() * 1000.0 }
    }

    /// Returns the time of the clock by which the memory says until when it is right, in milliseconds.
    #[napi]
    pub fn near_time(&self) -> f64 {
        near::time()
    }
}
