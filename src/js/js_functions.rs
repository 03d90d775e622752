//! The JavaScript functions that the bridge calls.

use super::{
    error_class::ErrorClass,
    node_api::{Js, Reference},
};

/// References to JavaScript functions.
pub struct JsFunctions {
    /// `JSON.parse`.
    pub parse: Reference,
    /// `JSON.stringify`.
    pub stringify: Reference,
    /// Calls its argument after the current JavaScript has finished.
    pub after_this_tick: Reference,
    /// Creates a rate-limit result.
    pub checked: Reference,
    /// Removes the prototype of an object.
    pub record: Reference,
    /// Logs a warning.
    pub warn: Reference,
    /// Calls the credentials function and passes its result to the bridge.
    pub ask_credentials: Reference,
    /// Adds a listener to a signal; returns a handle to it.
    pub watch: Reference,
    /// Removes the listener of a signal.
    pub unwatch: Reference,
    /// The package's error class.
    pub error_class: ErrorClass,
}

impl JsFunctions {
    /// Releases all references.
    pub fn release(self, js: Js) {
        let JsFunctions {
            parse,
            stringify,
            after_this_tick,
            checked,
            record,
            warn,
            ask_credentials,
            watch,
            unwatch,
            error_class,
        } = self;
        for reference in [parse, stringify, after_this_tick, checked, record, warn, ask_credentials, watch, unwatch] {
            js.delete_reference(reference);
        }
        error_class.release(js);
    }
}
