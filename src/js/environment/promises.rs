//! Promises: created with the call, and settled several at a time when results arrive.

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
    error_class::ErrorDetails,
    limits::Limits,
    node_api::{Js, Reference, Value},
    open_store::OpenStore,
    operation::Operation,
    output::build,
    ticket::{PendingPromise, Ticket},
};

/// The number of promises that are settled in one handle scope.
const SCOPE_SIZE: usize = 64;

impl Environment {
    /// Returns a promise for the call that `make` returns. Its timeout is that of `limits`, otherwise the one that `make` returns. If
    /// `make` fails, the promise is rejected.
    pub fn submit(
        &self,
        js: Js,
        operation: Operation,
        limits: Option<&Rc<Limits>>,
        make: impl FnOnce() -> Result<(Arc<OpenStore>, Duration, Call<Output>)>,
    ) -> Value {
        let Some((promise, deferred)) = js.promise() else { return js.undefined() };
        let pending = PendingPromise { deferred, trace: None, operation };
        if let Some(reason) = limits.and_then(|limits| limits.aborted(js)) {
            self.reject_aborted(js, pending, reason);
            return promise;
        }
        let made = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        match made {
            Ok((open_store, timeout, call)) => {
                let pending = PendingPromise { trace: self.trace(js), ..pending };
                self.enqueue(js, (open_store, timeout), limits, call, pending);
            }
            Err(error) => self.settle(js, Err(error), pending),
        }
        promise
    }

    /// Returns a promise to be settled through `Completions`, for work that is not a call to an engine.
    pub fn promise(&self, js: Js, operation: Operation) -> (Value, Option<Ticket>) {
        let Some((promise, deferred)) = js.promise() else { return (js.undefined(), None) };
        self.keep_alive(js, 1);
        (promise, Some(Ticket::Promise(PendingPromise { deferred, trace: self.trace(js), operation })))
    }

    /// Returns a rejected promise.
    pub fn rejected(&self, js: Js, error: &Error) -> Value {
        let Some((promise, deferred)) = js.promise() else { return js.undefined() };
        js.reject(deferred, self.failure(js, error, None));
        promise
    }

    /// Returns a promise resolved with `undefined`.
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
                for (result, ticket) in calls.by_ref().take(SCOPE_SIZE) {
                    let pending = match ticket {
                        Ticket::Promise(pending) => pending,
                        Ticket::Abortable(call) => match self.claim(js, call) {
                            Some(pending) => pending,
                            // Its signal has settled it.
                            None => continue,
                        },
                    };
                    self.settle(js, result, pending);
                    settled += 1;
                }
            });
        }
        self.keep_alive(js, -settled);
    }

    /// Rejects a promise, optionally with a JavaScript value as the cause.
    pub(super) fn reject_because(&self, js: Js, pending: PendingPromise, error: &Error, cause: Option<Value>) {
        let trace = pending.trace.as_ref().map(|trace| js.reference_value(trace));
        let error = match &*self.functions.borrow() {
            Some(functions) => {
                functions.error_class.build(js, error, Some(pending.operation), ErrorDetails { trace, cause })
            }
            None => js.undefined(),
        };
        js.reject(pending.deferred, error);
        if let Some(trace) = pending.trace {
            js.delete_reference(trace);
        }
    }

    fn settle(&self, js: Js, result: Result<Output>, pending: PendingPromise) {
        let functions = self.functions.borrow();
        let Some(functions) = &*functions else { return };
        let result = match result {
            // A call that may have been executed was not skipped.
            Err(error) if error.kind.allows_empty() => match pending.operation.empty {
                Some(empty) => Ok((
                    empty.output(),
                    Some(format!("Redis not connected - skipping {} operation", pending.operation.name)),
                )),
                None => Err(error),
            },
            Ok(output) => Ok((output, None)),
            Err(error) => Err(error),
        };
        let built = result.and_then(|(output, warning)| build(output, js, functions).map(|value| (value, warning)));
        match built {
            Ok((value, warning)) => {
                js.resolve(pending.deferred, value);
                if let Some(warning) = warning {
                    self.warn_once(js, pending.operation.name, &warning);
                }
            }
            Err(error) => return self.reject_because(js, pending, &error, None),
        }
        if let Some(trace) = pending.trace {
            js.delete_reference(trace);
        }
    }

    /// Returns an error created at the call site, if stacks are captured.
    fn trace(&self, js: Js) -> Option<Reference> {
        if self.capture_stacks.get() { js.error("").and_then(|error| js.create_reference(error)) } else { None }
    }
}
