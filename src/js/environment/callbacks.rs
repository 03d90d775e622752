//! Functions that other threads notify, with one value per call, such as what a queue worker notices.

use std::{any::Any, sync::Arc};

use cinnabar_core::output::Output;

use super::Environment;
use crate::js::{
    completions::{Completion, Completions},
    node_api::{Js, Kept, Value},
    numbers,
    output::build,
};

/// A function that other threads notify.
pub struct Callback {
    function: Kept,
    /// Whether it keeps the process alive.
    holds: bool,
    /// Dropped with the callback, which is how its notifier's owner learns that it was released.
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
    pub fn notify(&self, answer: impl Into<Output>) {
        self.completions.push(Completion::Notify(self.id, answer.into()));
    }

    /// The number for `drop_callback`.
    pub fn number(&self) -> u64 {
        self.id
    }

    /// Releases the function after the notifications so far.
    pub fn end(&self) {
        self.completions.push(Completion::DropCallback(self.id));
    }
}

impl Environment {
    /// Keeps a function until its notifier ends, and the process alive with it if it `holds`; `None` if it is no function.
    /// `guard` is dropped on this thread when the function is released or the environment ends.
    pub fn keep_callback(&self, js: Js, function: Value, guard: impl Any, holds: bool) -> Option<Notifier> {
        let function = js.keep(function)?;
        let id = numbers::next();
        let callback = Callback { function, holds, _guard: Box::new(guard) };
        self.callbacks.borrow_mut().insert(id, callback);
        if holds {
            self.hold(js, 1);
        }
        Some(Notifier { id, completions: self.completions.clone() })
    }

    /// Calls the function of this number.
    pub(super) fn notify(&self, js: Js, id: u64, answer: Output) {
        let function = self.callbacks.borrow().get(&id).map(|callback| js.kept(&callback.function));
        let built = self.functions.borrow().as_ref().map(|functions| build(answer, js, functions));
        if let (Some(function), Some(Ok(value))) = (function, built) {
            // Neither is borrowed any more: the function may release itself.
            let _ = js.call(function, &[value]);
        }
    }

    /// Releases the callback of this number.
    pub fn drop_callback(&self, js: Js, id: u64) {
        let callback = self.callbacks.borrow_mut().remove(&id);
        if let Some(Callback { function, holds, .. }) = callback {
            js.forget(function);
            if holds {
                self.hold(js, -1);
            }
        }
    }

    /// Releases all of them, at the end of the environment.
    pub(super) fn drop_callbacks(&self, js: Js) {
        for (_, Callback { function, .. }) in self.callbacks.take() {
            js.forget(function);
        }
    }
}
