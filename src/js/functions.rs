//! The JavaScript functions that the bridge calls.

use super::{
    failure::Failures,
    node_api::{Js, Kept},
};

/// All of them.
pub struct Functions {
    /// `JSON.parse`.
    pub parse: Kept,
    /// `JSON.stringify`.
    pub stringify: Kept,
    /// Calls its argument after the current JavaScript has finished.
    pub after_this_tick: Kept,
    /// Creates a rate-limit result.
    pub checked: Kept,
    /// Removes the prototype of an object.
    pub record: Kept,
    /// Logs a warning.
    pub warn: Kept,
    /// Calls the credentials function and passes its result to the bridge.
    pub ask_credentials: Kept,
    /// Adds a listener to a signal; returns a handle to it.
    pub watch: Kept,
    /// Removes the listener of a signal.
    pub unwatch: Kept,
    /// The package's error class.
    pub failures: Failures,
}

impl Functions {
    /// Releases all references.
    pub fn release(self, js: Js) {
        let Functions {
            parse,
            stringify,
            after_this_tick,
            checked,
            record,
            warn,
            ask_credentials,
            watch,
            unwatch,
            failures,
        } = self;
        for kept in [parse, stringify, after_this_tick, checked, record, warn, ask_credentials, watch, unwatch] {
            js.forget(kept);
        }
        failures.release(js);
    }
}
