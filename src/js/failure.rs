//! Errors as JavaScript sees them: one class, a stable code, a cause.

use std::error::Error as _;

use super::env::{Js, Kept, Value};
use crate::error::Error;

/// Makes errors of the package's class.
pub struct Failures {
    class: Kept,
}

impl Failures {
    /// Keeps the class `CinnabarError`.
    pub fn new(class: Kept) -> Self {
        Self { class }
    }

    /// `new CinnabarError(message, { code, retryable, cause?, trace? })`. The trace is an error made where the caller was; the
    /// cause is the error's own unless JavaScript has a better one.
    pub fn build(&self, js: Js, error: &Error, trace: Option<Value>, cause: Option<Value>) -> Value {
        let message = js.string(error.message().as_bytes()).unwrap_or_else(|_| js.undefined());
        let details = js.object();
        js.set(details, c"code", js.string(error.kind.code().as_bytes()).unwrap_or_else(|_| js.undefined()));
        js.set(details, c"retryable", js.boolean(error.kind.retryable()));
        let cause = cause.or_else(|| error.source().and_then(|source| js.error(&source.to_string())));
        if let Some(cause) = cause {
            js.set(details, c"cause", cause);
        }
        if let Some(trace) = trace {
            js.set(details, c"trace", trace);
        }
        js.construct(js.kept(&self.class), &[message, details])
            .unwrap_or_else(|thrown| js.error(error.message()).unwrap_or(thrown.0))
    }

    /// Lets the class go.
    pub fn release(self, js: Js) {
        js.forget(self.class);
    }
}
