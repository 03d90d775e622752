//! How a `LockHandle` waits for a lock that another caller holds.

use std::{sync::Arc, time::Duration};

use cinnabar_core::{
    agents::lock_wait::{self, Deadline, LockWait},
    output::Output,
};
use cinnabar_port::{
    error::{Error, Kind, Result},
    runtime,
};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use tokio::sync::oneshot;

use super::handle::{LockHandle, keep};
use crate::js::{
    completions::Completion,
    errors::closed,
    node_api::{Js, RawValue},
    open_store::OpenStore,
    operation::Operation,
};

#[napi]
impl LockHandle {
    /// Whether other callers of this process wait for the lock.
    #[napi]
    pub fn is_waited_for(&self) -> bool {
        self.core.store().is_some_and(|store| lock_wait::is_waited_for(&store, &self.locks, &self.wanted.resource))
    }

    /// Waits for the lock for so many ms, with `fair` behind the callers of all processes: resolves to whether it was acquired. `watch` or
    /// `end` must follow. The first attempt has taken `round_trip_ms`.
    #[napi]
    pub fn wait(&self, env: Env, timeout_ms: Unknown, fair: bool, round_trip_ms: f64) -> RawValue {
        let js = Js(env.raw());
        let environment = self.core.environment();
        let prepare = || {
            let patience = js.milliseconds(timeout_ms.raw(), "wait.timeoutMs")?;
            Ok((patience, self.core.open_store(js)?, runtime::get()?))
        };
        let (patience, open_store, runtime) = match prepare() {
            Ok(prepared) => prepared,
            Err(error) => {
                if fair {
                    self.leave(false);
                }
                return RawValue(environment.rejected(js, &error));
            }
        };
        let (promise, ticket) = environment.promise(js, Operation { name: "ACQUIRE LOCK", empty: None });
        let Some(ticket) = ticket else { return RawValue(promise) };
        let (waiting, ended) = oneshot::channel();
        *self.waiting.borrow_mut() = Some(waiting);
        let (locks, wanted, kept) = (self.locks.clone(), self.wanted.clone(), Arc::downgrade(&self.kept));
        self.delay.begin(&self.core);
        let (in_flight, completions) = (OpenStore::begin(open_store), environment.completions.clone());
        let deadline = Deadline::new(patience, Duration::try_from_secs_f64(round_trip_ms / 1000.0).unwrap_or_default());
        runtime.spawn(async move {
            let settle = |result: Result<bool>| {
                completions.push(Completion::Calls(vec![(result.map(Output::Bool), ticket)]));
            };
            let store = in_flight.store();
            let mut waiting = match LockWait::begin(store, &locks, wanted, deadline, fair) {
                Ok(waiting) => waiting,
                Err(error) => return settle(Err(error)),
            };
            let granted = tokio::select! {
                granted = waiting.granted() => granted,
                () = in_flight.closing() => Err(closed()),
                _ = ended => Err(Error::new(Kind::Aborted, "its caller no longer waits")),
            };
            settle(granted.and_then(|grant| grant.map_or(Ok(false), |grant| keep(store, &locks, &kept, grant))));
            tokio::select! {
                () = waiting.leave() => {}
                () = in_flight.abandoned() => {}
            }
        });
        RawValue(promise)
    }

    /// Does not wait after an `acquire` in turn, which may have acquired the lock if that is in doubt. `disconnect()` waits for this.
    #[napi]
    pub fn leave(&self, is_in_doubt: bool) {
        let (Some(open_store), Ok(runtime)) = (self.delay.open_store(), runtime::get()) else { return };
        let (locks, wanted) = (self.locks.clone(), self.wanted.clone());
        let in_flight = OpenStore::begin(open_store);
        runtime.spawn(async move {
            tokio::select! {
                () = lock_wait::leave(in_flight.store(), &locks, wanted, is_in_doubt) => {}
                () = in_flight.abandoned() => {}
            }
        });
    }

    /// Ends a wait.
    #[napi]
    pub fn stop_waiting(&self) {
        drop(self.waiting.take());
    }
}
