//! Promises: created with the call, settled in waves when its result has come.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use cinnabar_core::{output::Output, store::panicked};
use cinnabar_port::{
    Call,
    error::{Error, Result},
};

use super::Environment;
use crate::js::{
    failure::More,
    limits::Limits,
    node_api::{Js, Kept, Value},
    open_store::OpenStore,
    operation::Operation,
    output::build,
    ticket::{Promised, Ticket},
};

/// How many promises are settled in one handle scope.
const PORTION: usize = 64;

impl Environment {
    /// A promise for the call that `make` returns, within `limits`; without a limit, for at most the time that `make` returns.
    /// It never throws: if `make` fails, the promise is rejected.
    pub fn submit(
        &self,
        js: Js,
        operation: Operation,
        limits: Option<&Rc<Limits>>,
        make: impl FnOnce() -> Result<(Arc<OpenStore>, Duration, Call<Output>)>,
    ) -> Value {
        let Some((promise, deferred)) = js.promise() else { return js.undefined() };
        let promised = Promised { deferred, trace: None, operation };
        if let Some(reason) = limits.and_then(|limits| limits.aborted(js)) {
            self.reject_aborted(js, promised, reason);
            return promise;
        }
        let made = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        match made {
            Ok((open_store, timeout, call)) => {
                let promised = Promised { trace: self.trace(js), ..promised };
                self.enqueue(js, (open_store, timeout), limits, call, promised);
            }
            Err(error) => self.settle(js, Err(error), promised),
        }
        promise
    }

    /// A promise that `Completions` will settle, for work that is no call to an engine.
    pub fn promise(&self, js: Js, operation: Operation) -> (Value, Option<Ticket>) {
        let Some((promise, deferred)) = js.promise() else { return (js.undefined(), None) };
        self.hold(js, 1);
        (promise, Some(Ticket::Promise(Promised { deferred, trace: self.trace(js), operation })))
    }

    /// A promise rejected at once.
    pub fn rejected(&self, js: Js, error: &Error) -> Value {
        let Some((promise, deferred)) = js.promise() else { return js.undefined() };
        js.reject(deferred, self.failure(js, error, None));
        promise
    }

    /// A promise resolved at once with `undefined`.
    pub fn resolved(&self, js: Js) -> Value {
        let Some((promise, deferred)) = js.promise() else { return js.undefined() };
        js.resolve(deferred, js.undefined());
        promise
    }

    pub(super) fn settle_all(&self, js: Js, calls: Vec<(Result<Output>, Ticket)>) {
        let mut settled = 0;
        let mut calls = calls.into_iter();
        while calls.len() > 0 {
            js.scope(|| {
                for (result, ticket) in calls.by_ref().take(PORTION) {
                    let promised = match ticket {
                        Ticket::Promise(promised) => promised,
                        Ticket::Abortable(call) => match self.claim(js, call) {
                            Some(promised) => promised,
                            // Its signal has settled it.
                            None => continue,
                        },
                    };
                    self.settle(js, result, promised);
                    settled += 1;
                }
            });
        }
        self.hold(js, -settled);
    }

    /// Rejects a promise, optionally with a JavaScript value as the cause.
    pub(super) fn reject_because(&self, js: Js, promised: Promised, error: &Error, cause: Option<Value>) {
        let trace = promised.trace.as_ref().map(|trace| js.kept(trace));
        let error = match &*self.functions.borrow() {
            Some(functions) => functions.failures.build(js, error, Some(promised.operation), More { trace, cause }),
            None => js.undefined(),
        };
        js.reject(promised.deferred, error);
        if let Some(trace) = promised.trace {
            js.forget(trace);
        }
    }

    fn settle(&self, js: Js, result: Result<Output>, promised: Promised) {
        let functions = self.functions.borrow();
        let Some(functions) = &*functions else { return };
        let result = match result {
            // What may have been done was not skipped.
            Err(error) if error.kind.allows_empty() => match promised.operation.empty {
                Some(empty) => Ok((
                    empty.output(),
                    Some(format!("Redis not connected - skipping {} operation", promised.operation.name)),
                )),
                None => Err(error),
            },
            Ok(answer) => Ok((answer, None)),
            Err(error) => Err(error),
        };
        let built = result.and_then(|(answer, warning)| build(answer, js, functions).map(|value| (value, warning)));
        match built {
            Ok((value, warning)) => {
                js.resolve(promised.deferred, value);
                if let Some(warning) = warning {
                    self.warn_once(js, promised.operation.name, &warning);
                }
            }
            Err(error) => return self.reject_because(js, promised, &error, None),
        }
        if let Some(trace) = promised.trace {
            js.forget(trace);
        }
    }

    /// An error created at the call site, if stacks are captured.
    fn trace(&self, js: Js) -> Option<Kept> {
        if self.capture_stacks.get() { js.error("").and_then(|error| js.keep(error)) } else { None }
    }
}
