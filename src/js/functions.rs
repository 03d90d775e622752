//! JavaScript's own functions that the bridge calls.

use super::{
    env::{Js, Kept},
    failure::Failures,
};

/// All of them.
pub struct Functions {
    /// `JSON.parse`.
    pub parse: Kept,
    /// `JSON.stringify`.
    pub stringify: Kept,
    /// Calls what it is given when the JavaScript that runs has come to its end.
    pub after_this_tick: Kept,
    /// Makes what a check of a limit answers.
    pub checked: Kept,
    /// Makes an object without a prototype.
    pub record: Kept,
    /// Tells the developer something.
    pub warn: Kept,
    /// Calls a function that answers credentials, and hands its answer to the bridge.
    pub ask_credentials: Kept,
    /// Listens to a signal; answers the listener.
    pub watch: Kept,
    /// Takes a signal's listener away.
    pub unwatch: Kept,
    /// The package's error class.
    pub failures: Failures,
}

impl Functions {
    /// Lets all of them go.
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
