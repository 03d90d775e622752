//! Pending calls bound to an `AbortSignal`, which may settle their promises before their results arrive. The promises stay on the
//! JavaScript thread; other threads only have their ids.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
};

use cinnabar_port::error::{Error, Kind};
use smallvec::SmallVec;
use tokio::task::AbortHandle;

use super::Environment;
use crate::js::{
    limits::Limits,
    node_api::{Js, Reference, Value},
    ticket::PendingPromise,
};

/// The pending calls of an environment that signals may abort.
#[derive(Default)]
pub struct AbortableCalls {
    next: Cell<u64>,
    calls: RefCell<HashMap<u64, AbortableCall>>,
    listeners: RefCell<HashMap<u64, SignalListener>>,
}

struct AbortableCall {
    pending: PendingPromise,
    signals: SmallVec<[u64; 1]>,
    /// Cancels the batch once it was submitted.
    cancel: Option<AbortHandle>,
}

/// The one listener on a signal, for as long as any call is bound to it: a signal may outlive millions of calls.
struct SignalListener {
    signal: Option<Reference>,
    listener: Option<Reference>,
    calls: HashSet<u64>,
}

impl AbortableCalls {
    /// Whether no signal has settled the call.
    pub fn is_pending(&self, call: u64) -> bool {
        self.calls.borrow().contains_key(&call)
    }

    /// Sets the task that is cancelled when the call is aborted.
    pub fn cancel_with(&self, call: u64, handle: &AbortHandle) {
        if let Some(call) = self.calls.borrow_mut().get_mut(&call) {
            call.cancel = Some(handle.clone());
        }
    }
}

impl Environment {
    /// Releases everything at the end of the environment, without settling promises.
    pub fn drop_abortable(&self, js: Js) {
        let promises = self.abortable.calls.take().into_values().map(|call| call.pending);
        let listeners = self.abortable.listeners.take().into_values();
        let reference = listeners.flat_map(|watch| [watch.signal, watch.listener]);
        for reference in promises.map(|pending| pending.trace).chain(reference).flatten() {
            js.delete_reference(reference);
        }
    }

    /// Binds a call to the signals of `limits`; returns its id.
    pub fn make_abortable(&self, js: Js, pending: PendingPromise, limits: &Limits) -> u64 {
        let abortable = &self.abortable;
        let call = abortable.next.get();
        abortable.next.set(call + 1);
        let signals = limits.ids();
        for &id in &signals {
            let new = !abortable.listeners.borrow().contains_key(&id);
            if new {
                let signal = limits.signal(id).unwrap_or_else(|| js.undefined());
                // Not under a borrow, because it runs JavaScript.
                let listener = self.call_hook(js, |functions| &functions.watch, &[signal, js.number(id as f64)]);
                let listener = listener.and_then(|listener| js.create_reference(listener));
                let watch = SignalListener { signal: js.create_reference(signal), listener, calls: HashSet::new() };
                abortable.listeners.borrow_mut().insert(id, watch);
            }
            if let Some(watch) = abortable.listeners.borrow_mut().get_mut(&id) {
                watch.calls.insert(call);
            }
        }
        abortable.calls.borrow_mut().insert(call, AbortableCall { pending, signals, cancel: None });
        call
    }

    /// Takes the promise with this id, unless a signal has settled it.
    pub fn claim(&self, js: Js, call: u64) -> Option<PendingPromise> {
        let AbortableCall { pending, signals, .. } = self.abortable.calls.borrow_mut().remove(&call)?;
        for id in signals {
            self.unwatch(js, id, call);
        }
        Some(pending)
    }

    /// Rejects the calls of a signal that has aborted, and cancels those that were not sent.
    pub fn abort(&self, js: Js, id: u64, reason: Value) {
        let calls = self.abortable.listeners.borrow_mut().get_mut(&id).map(|watch| std::mem::take(&mut watch.calls));
        let mut settled = 0;
        for call in calls.into_iter().flatten() {
            let Some(AbortableCall { pending, signals, cancel }) = self.abortable.calls.borrow_mut().remove(&call)
            else {
                continue;
            };
            for other in signals {
                if other != id {
                    self.unwatch(js, other, call);
                }
            }
            if let Some(cancel) = cancel {
                cancel.abort();
            }
            js.scope(|| self.reject_aborted(js, pending, reason));
            settled += 1;
        }
        self.stop_watching(js, id);
        self.keep_alive(js, -settled);
    }

    /// Rejects with `E_ABORTED` and the signal's reason as its cause.
    pub fn reject_aborted(&self, js: Js, pending: PendingPromise, reason: Value) {
        let error = Error::new(Kind::Aborted, "the caller's signal ended this call");
        self.reject_because(js, pending, &error, Some(reason));
    }

    fn unwatch(&self, js: Js, id: u64, call: u64) {
        let last = self.abortable.listeners.borrow_mut().get_mut(&id).is_some_and(|watch| {
            watch.calls.remove(&call);
            watch.calls.is_empty()
        });
        if last {
            self.stop_watching(js, id);
        }
    }

    fn stop_watching(&self, js: Js, id: u64) {
        let watch = self.abortable.listeners.borrow_mut().remove(&id);
        let Some(SignalListener { signal: Some(signal), listener, .. }) = watch else { return };
        if let Some(listener) = listener {
            let args = [js.reference_value(&signal), js.reference_value(&listener)];
            self.call_hook(js, |functions| &functions.unwatch, &args);
            js.delete_reference(listener);
        }
        js.delete_reference(signal);
    }
}
