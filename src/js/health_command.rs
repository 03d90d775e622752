//! The commands of a health check, whose outcome does not count for the breaker.

use cinnabar_core::features::raw::{self, Strings};
use cinnabar_port::error::Error;
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{
    node_api::{Js, RawValue},
    operation::Operation,
    service::Service,
};

#[napi]
impl Service {
    /// Executes a command, `[name, …args]`, that does not count for the breaker. It never returns an empty value instead of an error.
    #[napi]
    pub fn probe(&self, env: Env, words: Unknown) -> RawValue {
        let js = Js(env.raw());
        self.core.submit(env, Operation { name: "PROBE", empty: None }, |_| {
            let mut words = js.words(words.raw())?;
            if words.is_empty() {
                return Err(Error::argument("a probe takes the name of a command, then its arguments"));
            }
            let name = String::from_utf8_lossy(&words.remove(0)).into_owned();
            let mut call = if raw::empty_shape(&name).is_some() {
                raw::command(&name, words, Strings::Text)
            } else {
                raw::custom(&name, words, Strings::Text, None)
            }?;
            call.requests.iter_mut().for_each(|request| request.counts_for_breaker = false);
            Ok(call)
        })
    }
}
