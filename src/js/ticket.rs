//! A promise on its way from the call that created it to the wave that settles it.

use napi::sys;

use super::{node_api::Kept, operation::Operation};

/// A promise, and what its error includes if it is rejected.
pub struct Promised {
    pub deferred: sys::napi_deferred,
    /// An error created at the call site, if stacks are captured.
    pub trace: Option<Kept>,
    pub operation: Operation,
}

// SAFETY: other threads only carry it; it is opened on the JavaScript thread that made it.
unsafe impl Send for Promised {}

/// What other threads carry for a promise.
pub enum Ticket {
    /// The promise itself.
    Promise(Promised),
    /// The number of a call whose promise stayed on the JavaScript thread, where a signal may settle it first.
    Abortable(u64),
}

impl Ticket {
    /// The call's number, if a signal may settle its promise.
    pub fn abortable(&self) -> Option<u64> {
        match self {
            Self::Promise(_) => None,
            Self::Abortable(call) => Some(*call),
        }
    }
}
