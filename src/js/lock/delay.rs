//! What makes `disconnect()` wait for a lock: from when it is asked for until it is released or lost.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::js::{
    open_store::{DrainGuard, OpenStore},
    service_core::ServiceCore,
};

/// The delay for one lock, which also the thread that notices its loss may end.
#[derive(Clone, Default)]
pub struct Delay(Arc<Mutex<Option<DrainGuard>>>);

impl Delay {
    /// Begins it, unless it has begun.
    pub fn begin(&self, core: &ServiceCore) {
        let mut guard = self.0.lock();
        if guard.is_none() {
            *guard = core.delay_drain();
        }
    }

    /// Ends it.
    pub fn end(&self) {
        let guard = self.0.lock().take();
        drop(guard);
    }

    /// The store that it keeps open.
    pub fn open_store(&self) -> Option<Arc<OpenStore>> {
        self.0.lock().as_ref().map(|guard| guard.open_store().clone())
    }

    /// Whether `disconnect()` waits no longer.
    pub fn is_abandoned(&self) -> bool {
        self.0.lock().as_ref().is_some_and(|guard| guard.ending().1)
    }
}
