//! Errors as JavaScript sees them: one class, a stable code, a cause.

use std::error::Error as _;

use cinnabar_port::error::{Done, Error};

use super::{
    node_api::{Js, Kept, Value},
    operation::Operation,
    private::is_private,
};

/// The most characters of a key that an error contains.
const LONGEST_KEY: usize = 64;

/// Makes errors of the package's class.
pub struct Failures {
    class: Kept,
}

impl Failures {
    /// Keeps the class `CinnabarError`.
    pub fn new(class: Kept) -> Self {
        Self { class }
    }

    /// `new CinnabarError(message, { code, retryable, command?, key?, done?, cause?, trace? })` of an operation. The trace is an error
    /// made where the caller was; the cause is the error's own unless JavaScript has a better one.
    pub fn build(&self, js: Js, error: &Error, operation: Option<Operation>, more: More) -> Value {
        let More { trace, cause } = more;
        let message = js.string(error.message().as_bytes()).unwrap_or_else(|_| js.undefined());
        let details = js.object();
        js.set(details, c"code", js.string(error.kind.code().as_bytes()).unwrap_or_else(|_| js.undefined()));
        js.set(details, c"retryable", js.boolean(error.kind.retryable()));
        if let Some(operation) = operation {
            let name = operation.name.as_bytes();
            js.set(details, c"command", js.string(name).unwrap_or_else(|_| js.undefined()));
            if let Some(key) = error.key().filter(|key| operation.shows_key() && !is_private(key)) {
                js.set(details, c"key", js.string(shown(key).as_bytes()).unwrap_or_else(|_| js.undefined()));
            }
        }
        if let Some(done) = error.done().and_then(|done| shown_done(js, done)) {
            js.set(details, c"done", done);
        }
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

/// Details of an error from JavaScript.
#[derive(Default)]
pub struct More {
    /// An error created at the call site.
    pub trace: Option<Value>,
    /// The cause.
    pub cause: Option<Value>,
}

/// What is known to be done, as an error shows it: a number, or a list of texts.
fn shown_done(js: Js, done: &Done) -> Option<Value> {
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

/// A key as shown in an error, shortened.
fn shown(key: &[u8]) -> String {
    let text = String::from_utf8_lossy(key);
    match text.char_indices().nth(LONGEST_KEY) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
