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
    /// Calls `function` once after this many ms. Keeps the process alive until then if `keepsAlive` is set. Returns the id for
    /// `endTimer`.
    #[napi]
    pub fn start_timer(&self, env: Env, ms: f64, function: Unknown, keeps_alive: bool) -> napi::Result<f64> {
        let (js, environment) = (Js(env.raw()), self.environment());
        let runtime = runtime::get().map_err(|error| environment.exception(&env, &error))?;
        let (guard, ended) = oneshot::channel::<()>();
        let notifier = environment.add_callback(js, function.raw(), guard, keeps_alive).ok_or_else(|| {
            environment.exception(&env, &js.type_error(function.raw(), "the timer callback", "a function"))
        })?;
        let id = notifier.id();
        let wait = Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
        runtime.spawn(async move {
            if timeout(wait, ended).await.is_err() {
                notifier.notify(Output::Undefined);
                notifier.end();
            }
        });
        Ok(id as f64)
    }

    /// Keeps the process alive, or stops doing so.
    #[napi]
    pub fn keep_alive(&self, env: Env, alive: bool) {
        self.environment().keep_alive(Js(env.raw()), if alive { 1 } else { -1 });
    }

    /// Cancels a timer that has not fired yet.
    #[napi]
    pub fn end_timer(&self, env: Env, id: f64) {
        self.environment().drop_callback(Js(env.raw()), id as u64);
    }
}
