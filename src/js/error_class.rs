//! Errors in JavaScript: one class, a stable code, a cause.

use std::error::Error as _;

use cinnabar_port::error::{Done, Error};

use super::{
    node_api::{Js, Reference, Value},
    operation::Operation,
    sensitive_keys::is_sensitive,
};

/// The most characters of a key that an error contains.
const MAX_KEY: usize = 64;

/// Creates errors of the package's class.
pub struct ErrorClass {
    class: Reference,
}

impl ErrorClass {
    /// Takes a reference to the class `CinnabarError`.
    pub fn new(class: Reference) -> Self {
        Self { class }
    }

    /// `new CinnabarError(message, { code, retryable, serverCode?, command?, key?, done?, cause?, trace? })` of an operation. The trace is an error
    /// created at the call site; the cause is that of the error unless another one is given.
    pub fn build(&self, js: Js, error: &Error, operation: Option<Operation>, details: ErrorDetails) -> Value {
        let ErrorDetails { trace, cause } = details;
        let message = js.string(error.message().as_bytes()).unwrap_or_else(|_| js.undefined());
        let details = js.object();
        js.set(details, c"code", js.string(error.kind.code().as_bytes()).unwrap_or_else(|_| js.undefined()));
        js.set(details, c"retryable", js.boolean(error.kind.retryable()));
        if let Some(code) = error.server_code() {
            js.set(details, c"serverCode", js.string(code.as_bytes()).unwrap_or_else(|_| js.undefined()));
        }
        if let Some(operation) = operation {
            let name = operation.name.as_bytes();
            js.set(details, c"command", js.string(name).unwrap_or_else(|_| js.undefined()));
            if let Some(key) = error.key().filter(|key| operation.shows_key() && !is_sensitive(key)) {
                js.set(details, c"key", js.string(shortened(key).as_bytes()).unwrap_or_else(|_| js.undefined()));
            }
        }
        if let Some(done) = error.done().and_then(|done| done_value(js, done)) {
            js.set(details, c"done", done);
        }
        let cause = cause.or_else(|| error.source().and_then(|source| js.error(&source.to_string())));
        if let Some(cause) = cause {
            js.set(details, c"cause", cause);
        }
        if let Some(trace) = trace {
            js.set(details, c"trace", trace);
        }
        js.construct(js.reference_value(&self.class), &[message, details])
            .unwrap_or_else(|thrown| js.error(error.message()).unwrap_or(thrown.0))
    }

    /// Releases the class.
    pub fn release(self, js: Js) {
        js.delete_reference(self.class);
    }
}

/// Details of an error from JavaScript.
#[derive(Default)]
pub struct ErrorDetails {
    /// An error created at the call site.
    pub trace: Option<Value>,
    /// The cause.
    pub cause: Option<Value>,
}

/// Returns the value of `error.done`: a number, or an array of strings.
fn done_value(js: Js, done: &Done) -> Option<Value> {
    match done {
        Done::Count(count) => Some(js.number(*count as f64)),
        Done::Names(names) => {
            let list = js.array(names.len());
            for (at, name) in names.iter().enumerate() {
                js.set_index(list, at, js.string(name.as_bytes()).ok()?);
            }
            Some(list)
        }
    }
}

/// Returns a key for an error, shortened.
fn shortened(key: &[u8]) -> String {
    let text = String::from_utf8_lossy(key);
    match text.char_indices().nth(MAX_KEY) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
