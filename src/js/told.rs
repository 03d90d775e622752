//! Functions that the runtime tells things, one value a call: what an agent noticed, what a listener heard.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cinnabar_core::answer::Answer;

use super::{
    answer::build,
    completions::{Completion, Completions},
    env::{Js, Kept, Value},
    promise::Inner,
};

/// Numbers of such functions, never used twice in a process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A function that is told things.
pub struct Told {
    function: Kept,
    /// Whether it keeps the process alive.
    holds: bool,
    /// Dropped when nobody can be told anything any more, which is how whoever tells learns of that.
    _guard: Box<dyn Any>,
}

/// Tells a JavaScript function things, from any thread, in order.
#[derive(Clone)]
pub struct Teller {
    id: u64,
    completions: Arc<Completions>,
}

impl Teller {
    /// Calls the function with this value, on its thread. What it throws is nobody's problem here.
    pub fn tell(&self, answer: impl Into<Answer>) {
        self.completions.push(Completion::Notify(self.id, answer.into()));
    }

    /// The number for `forget_told`.
    pub fn number(&self) -> u64 {
        self.id
    }

    /// Lets the function go, once it has heard what it was told so far.
    pub fn end(&self) {
        self.completions.push(Completion::DropCallback(self.id));
    }
}

impl Inner {
    /// Keeps a function until its teller ends, and the process alive with it if it `holds`; `None` for what cannot be kept.
    /// `guard` is dropped on this thread when it is let go or the environment ends.
    pub fn keep_told(&self, js: Js, function: Value, guard: impl Any, holds: bool) -> Option<Teller> {
        let function = js.keep(function)?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let told = Told { function, holds, _guard: Box::new(guard) };
        self.told.borrow_mut().insert(id, told);
        if holds {
            self.hold(js, 1);
        }
        Some(Teller { id, completions: self.completions.clone() })
    }

    /// Calls the function of this number.
    pub(super) fn tell_function(&self, js: Js, id: u64, answer: Answer) {
        let function = self.told.borrow().get(&id).map(|told| js.kept(&told.function));
        let built = self.functions.borrow().as_ref().map(|functions| build(answer, js, functions));
        if let (Some(function), Some(Ok(value))) = (function, built) {
            // Neither is borrowed any more: the function may let itself go.
            let _ = js.call(function, &[value]);
        }
    }

    /// Lets the function of this number go.
    pub(super) fn forget_told(&self, js: Js, id: u64) {
        let told = self.told.borrow_mut().remove(&id);
        if let Some(Told { function, holds, .. }) = told {
            js.forget(function);
            if holds {
                self.hold(js, -1);
            }
        }
    }

    /// Lets all of them go, at the end of the environment.
    pub(super) fn forget_all_told(&self, js: Js) {
        for (_, Told { function, .. }) in self.told.take() {
            js.forget(function);
        }
    }
}
