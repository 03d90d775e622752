//! The commands of a health check, whose outcome does not count for the breaker.

use cinnabar_core::{
    features::raw::{self, Strings},
    output::Output,
};
use cinnabar_port::{Args, Call, error::Error};
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
            if raw::empty_shape(&name).is_some() {
                raw::command(&name, words, Strings::Text)
            } else {
                raw::custom(&name, words, Strings::Text, None)
            }
            .map(uncounted)
        })
    }

    /// Executes a PING in the same way. A server that denies the user permission to PING is up: the result is `PONG` too.
    #[napi]
    pub fn probe_ping(&self, env: Env) -> RawValue {
        self.core.submit(env, Operation { name: "PROBE", empty: None }, |_| {
            let ping = raw::command("PING", Args::new(), Strings::Text)?;
            let denied = |error: Error| if error.is_denied() { Ok(Output::word("PONG")) } else { Err(error) };
            Ok(uncounted(ping.or_else(denied)))
        })
    }
}

fn uncounted(mut call: Call<Output>) -> Call<Output> {
    call.requests.iter_mut().for_each(|request| request.counts_for_breaker = false);
    call
}
