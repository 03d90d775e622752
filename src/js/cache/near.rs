//! The near tier behind an `ApiCache`.

use std::sync::Arc;

use cinnabar_core::features::NearAt;
use cinnabar_port::{Call, error::Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{Cache, json};
use crate::js::{
    near::{self, OpenNear, copied},
    node_api::{Js, RawValue, Value},
    operation::Empty,
};

impl Cache {
    /// Returns a call whose changes this process sees at once, also where it has values near.
    pub(super) fn watched<T: Send + 'static>(&self, js: Js, call: Call<T>) -> Call<T> {
        near::watched_on(&self.core, js, self.cache.prefix(), call)
    }

    /// Returns the near tier, if there is one; the call itself reports why it cannot be made.
    pub(super) fn open_near(&self, js: Js) -> Option<Arc<OpenNear>> {
        self.near.as_ref()?.open(&self.core, js).ok()
    }
}

#[napi]
impl Cache {
    /// Returns the value of a key if it is near, or undefined: `[json, id, position, cell, generation, tagChanges, leftMs, lifeMs]`. `json` is null if the
    /// value still has `known_id`.
    #[napi]
    pub fn near_copy(&self, env: Env, key: Unknown, known_id: f64, is_confirmed: bool) -> napi::Result<RawValue> {
        let js = Js(env.raw());
        let copy = || -> Result<Value> {
            let key = js.any_text(key.raw(), "key")?;
            let Some(open) = self.open_near(js) else { return Ok(js.undefined()) };
            let near = NearAt { is_confirmed, ..open.now() };
            self.cache.near_copy(&key, &near).map_or(Ok(js.undefined()), |copy| copied(js, &copy, known_id))
        };
        copy().map(RawValue).map_err(|error| self.core.exception(&env, &error))
    }

    /// Returns the value of a key if it is near, as `near_copy` does; otherwise a promise, as `get` does.
    #[napi]
    pub fn get_near(&self, env: Env, key: Unknown, known_id: f64) -> RawValue {
        let js = Js(env.raw());
        let text = js.any_text(key.raw(), "key");
        let near = self.open_near(js).map(|open| open.now());
        if let (Ok(key), Some(near)) = (&text, &near)
            && let Some(copy) = self.cache.near_copy(key, near)
            && let Ok(copy) = copied(js, &copy, known_id)
        {
            return RawValue(copy);
        }
        self.core.submit_output(env, self.reading(Empty::Null), |_| {
            let (cache, key) = (self.cache.clone(), text?);
            let near = near.map(|near| NearAt { is_missing: true, ..near });
            Ok(Call::deferred(move || Ok(cache.get(&key, near).map(json))))
        })
    }

    /// Returns the memory that says whether copies are still right, as a `Float64Array`; null where memory cannot be shared.
    #[napi]
    pub fn near_words(&self, env: Env) -> RawValue {
        let js = Js(env.raw());
        near::words(js, self.open_near(js).as_deref())
    }

    /// Returns the time of the clock by which the memory says until when it is right, in milliseconds.
    #[napi]
    pub fn near_time(&self) -> f64 {
        near::time()
    }

    /// Resolves to whether all changes are known that were acknowledged before this call.
    #[napi]
    pub fn near_confirm(&self, env: Env) -> RawValue {
        near::confirm(&self.core, &env, self.open_near(Js(env.raw())))
    }
}
