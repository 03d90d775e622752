//! Unsettled promises, as they are passed from the call that created them to the code that settles them.

use napi::sys;

use super::{node_api::Reference, operation::Operation};

/// A promise, and what its error includes if it is rejected.
pub struct PendingPromise {
    pub deferred: sys::napi_deferred,
    /// An error created at the call site, if stacks are captured.
    pub trace: Option<Reference>,
    pub operation: Operation,
}

// SAFETY: other threads only move it; it is used on the JavaScript thread that created it.
unsafe impl Send for PendingPromise {}

/// The form in which other threads pass on a promise.
pub enum Ticket {
    /// The promise itself.
    Promise(PendingPromise),
    /// The id of a call whose promise stays on the JavaScript thread, where a signal may settle it first.
    Abortable(u64),
}

impl Ticket {
    /// Returns the id of the call if a signal may settle its promise.
    pub fn abortable(&self) -> Option<u64> {
        match self {
            Self::Promise(_) => None,
            Self::Abortable(call) => Some(*call),
        }
    }
}
