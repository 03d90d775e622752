//! JavaScript functions that other threads call with one value, such as a notice of a queue worker.

use std::{any::Any, sync::Arc};

use cinnabar_core::output::Output;

use super::Environment;
use crate::js::{
    completions::{Completion, Completions},
    ids,
    node_api::{Js, Reference, Value},
    output::build,
};

/// A function that other threads call.
pub struct Callback {
    function: Reference,
    /// Whether it keeps the process alive.
    keeps_alive: bool,
    /// Dropped with the callback, which notifies its owner of the release.
    _guard: Box<dyn Any>,
}

/// Calls a callback from any thread, in order.
#[derive(Clone)]
pub struct Notifier {
    id: u64,
    completions: Arc<Completions>,
}

impl Notifier {
    /// Calls the function with this value, on its thread. Exceptions thrown by the function are ignored.
    pub fn notify(&self, output: impl Into<Output>) {
        self.completions.push(Completion::Notify(self.id, output.into()));
    }

    /// Returns the id for `drop_callback`.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Releases the function after the notifications so far.
    pub fn end(&self) {
        self.completions.push(Completion::DropCallback(self.id));
    }
}

impl Environment {
    /// Registers a function until its notifier ends, and keeps the process alive until then if `keeps_alive` is set; `None` if it is
    /// not a function.
    /// `guard` is dropped on this thread when the function is released or the environment ends.
    pub fn add_callback(&self, js: Js, function: Value, guard: impl Any, keeps_alive: bool) -> Option<Notifier> {
        let function = js.create_reference(function)?;
        let id = ids::next();
        let callback = Callback { function, keeps_alive, _guard: Box::new(guard) };
        self.callbacks.borrow_mut().insert(id, callback);
        if keeps_alive {
            self.keep_alive(js, 1);
        }
        Some(Notifier { id, completions: self.completions.clone() })
    }

    /// Calls the function with this id.
    pub(super) fn notify(&self, js: Js, id: u64, output: Output) {
        let function = self.callbacks.borrow().get(&id).map(|callback| js.reference_value(&callback.function));
        let built = self.functions.borrow().as_ref().map(|functions| build(output, js, functions));
        if let (Some(function), Some(Ok(value))) = (function, built) {
            // Called without a borrow, because the function may release itself.
            let _ = js.call(function, &[value]);
        }
    }

    /// Releases the callback with this id.
    pub fn drop_callback(&self, js: Js, id: u64) {
        let callback = self.callbacks.borrow_mut().remove(&id);
        if let Some(Callback { function, keeps_alive, .. }) = callback {
            js.delete_reference(function);
            if keeps_alive {
                self.keep_alive(js, -1);
            }
        }
    }

    /// Releases all of them, at the end of the environment.
    pub(super) fn drop_callbacks(&self, js: Js) {
        for (_, Callback { function, .. }) in self.callbacks.take() {
            js.delete_reference(function);
        }
    }
}
