//! Native timers, which fake clocks in tests do not affect.

use std::time::Duration;

use cinnabar_core::output::Output;
use cinnabar_port::runtime;
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use tokio::{sync::oneshot, time::timeout};

use super::{bridge::Bridge, node_api::Js};

#[napi]
impl Bridge {
    /// Calls `function` once after this many ms. Keeps the process alive until then if `holds` is set. Returns the number for
    /// `endTimer`.
    #[napi]
    pub fn start_timer(&self, env: Env, ms: f64, function: Unknown, holds: bool) -> napi::Result<f64> {
        let (js, environment) = (Js(env.raw()), self.environment());
        let runtime = runtime::get().map_err(|error| environment.exception(&env, &error))?;
        let (guard, ended) = oneshot::channel::<()>();
        let notifier = environment.keep_callback(js, function.raw(), guard, holds).ok_or_else(|| {
            environment.exception(&env, &js.refuse(function.raw(), "the timer callback", "a function"))
        })?;
        let number = notifier.number();
        let wait = Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
        runtime.spawn(async move {
            if timeout(wait, ended).await.is_err() {
                notifier.notify(Output::Undefined);
                notifier.end();
            }
        });
        Ok(number as f64)
    }

    /// Keeps the process alive, or no longer.
    #[napi]
    pub fn keep_alive(&self, env: Env, alive: bool) {
        self.environment().hold(Js(env.raw()), if alive { 1 } else { -1 });
    }

    /// Cancels a timer that has not fired yet.
    #[napi]
    pub fn end_timer(&self, env: Env, number: f64) {
        self.environment().drop_callback(Js(env.raw()), number as u64);
    }
}
