//! Native timers, which fake clocks in tests do not affect.

use std::time::Duration;

use cinnabar_core::answer::Answer;
use cinnabar_port::runtime;
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use tokio::{sync::oneshot, time::timeout};

use super::{
    bridge::{Bridge, Core},
    env::Js,
};

#[napi]
impl Bridge {
    /// Calls `function` once after this many ms. Keeps the process alive until then if `holds` is set. Returns the number for
    /// `endTimer`.
    #[napi]
    pub fn start_timer(&self, env: Env, ms: f64, function: Unknown, holds: bool) -> napi::Result<f64> {
        let (js, inner) = (Js(env.raw()), &self.handle.0);
        let runtime = runtime::get().map_err(|error| Core::throw(inner, &env, &error))?;
        let (guard, ended) = oneshot::channel::<()>();
        let teller = inner
            .keep_told(js, function.raw(), guard, holds)
            .ok_or_else(|| Core::throw(inner, &env, &js.refuse(function.raw(), "the timer callback", "a function")))?;
        let number = teller.number();
        let wait = Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
        runtime.spawn(async move {
            if timeout(wait, ended).await.is_err() {
                teller.tell(Answer::Undefined);
                teller.end();
            }
        });
        Ok(number as f64)
    }

    /// Keeps the process alive, or no longer.
    #[napi]
    pub fn keep_alive(&self, env: Env, alive: bool) {
        self.handle.0.hold(Js(env.raw()), if alive { 1 } else { -1 });
    }

    /// Cancels a timer that has not fired yet.
    #[napi]
    pub fn end_timer(&self, env: Env, number: f64) {
        self.handle.0.forget_told(Js(env.raw()), number as u64);
    }
}
