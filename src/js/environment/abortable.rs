//! Pending calls bound to an `AbortSignal`, which may settle their promises before their results come. The promises stay on the
//! JavaScript thread; what travels is their number.

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
    node_api::{Js, Kept, Value},
    ticket::Promised,
};

/// The pending calls of an environment that signals may abort.
#[derive(Default)]
pub struct AbortableCalls {
    next: Cell<u64>,
    calls: RefCell<HashMap<u64, AbortableCall>>,
    watches: RefCell<HashMap<u64, Watch>>,
}

struct AbortableCall {
    promised: Promised,
    signals: SmallVec<[u64; 1]>,
    /// Cancels the batch once it is on its way.
    cancel: Option<AbortHandle>,
}

/// The one listener on a signal, for as long as any call is bound to it: a signal may outlive millions of calls.
struct Watch {
    signal: Option<Kept>,
    listener: Option<Kept>,
    calls: HashSet<u64>,
}

impl AbortableCalls {
    /// Whether no signal has settled the call.
    pub fn is_pending(&self, call: u64) -> bool {
        self.calls.borrow().contains_key(&call)
    }

    /// From now on, aborting the call cancels this task.
    pub fn cancel_with(&self, call: u64, handle: &AbortHandle) {
        if let Some(call) = self.calls.borrow_mut().get_mut(&call) {
            call.cancel = Some(handle.clone());
        }
    }
}

impl Environment {
    /// Releases everything at the end of the environment; nothing is settled any more.
    pub fn drop_abortable(&self, js: Js) {
        let promises = self.abortable.calls.take().into_values().map(|call| call.promised);
        let watches = self.abortable.watches.take().into_values();
        let kept = watches.flat_map(|watch| [watch.signal, watch.listener]);
        for kept in promises.map(|promised| promised.trace).chain(kept).flatten() {
            js.forget(kept);
        }
    }

    /// Binds a call to the signals of `limits`; returns its number.
    pub fn make_abortable(&self, js: Js, promised: Promised, limits: &Limits) -> u64 {
        let abortable = &self.abortable;
        let call = abortable.next.get();
        abortable.next.set(call + 1);
        let signals = limits.ids();
        for &id in &signals {
            let new = !abortable.watches.borrow().contains_key(&id);
            if new {
                let signal = limits.signal(id).unwrap_or_else(|| js.undefined());
                // Not under a borrow: it is JavaScript.
                let listener = self.call_hook(js, |functions| &functions.watch, &[signal, js.number(id as f64)]);
                let listener = listener.and_then(|listener| js.keep(listener));
                let watch = Watch { signal: js.keep(signal), listener, calls: HashSet::new() };
                abortable.watches.borrow_mut().insert(id, watch);
            }
            if let Some(watch) = abortable.watches.borrow_mut().get_mut(&id) {
                watch.calls.insert(call);
            }
        }
        abortable.calls.borrow_mut().insert(call, AbortableCall { promised, signals, cancel: None });
        call
    }

    /// The promise of this number, unless a signal has settled it.
    pub fn claim(&self, js: Js, call: u64) -> Option<Promised> {
        let AbortableCall { promised, signals, .. } = self.abortable.calls.borrow_mut().remove(&call)?;
        for id in signals {
            self.unwatch(js, id, call);
        }
        Some(promised)
    }

    /// A signal has aborted: rejects its calls now and cancels what has not been sent.
    pub fn abort(&self, js: Js, id: u64, reason: Value) {
        let calls = self.abortable.watches.borrow_mut().get_mut(&id).map(|watch| std::mem::take(&mut watch.calls));
        let mut settled = 0;
        for call in calls.into_iter().flatten() {
            let Some(AbortableCall { promised, signals, cancel }) = self.abortable.calls.borrow_mut().remove(&call)
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
            js.scope(|| self.reject_aborted(js, promised, reason));
            settled += 1;
        }
        self.stop_watching(js, id);
        self.hold(js, -settled);
    }

    /// Rejects with `E_ABORTED` and the signal's own reason as its cause.
    pub fn reject_aborted(&self, js: Js, promised: Promised, reason: Value) {
        let error = Error::new(Kind::Aborted, "the caller's signal ended this call");
        self.reject_because(js, promised, &error, Some(reason));
    }

    fn unwatch(&self, js: Js, id: u64, call: u64) {
        let last = self.abortable.watches.borrow_mut().get_mut(&id).is_some_and(|watch| {
            watch.calls.remove(&call);
            watch.calls.is_empty()
        });
        if last {
            self.stop_watching(js, id);
        }
    }

    fn stop_watching(&self, js: Js, id: u64) {
        let watch = self.abortable.watches.borrow_mut().remove(&id);
        let Some(Watch { signal: Some(signal), listener, .. }) = watch else { return };
        if let Some(listener) = listener {
            let args = [js.kept(&signal), js.kept(&listener)];
            self.call_hook(js, |functions| &functions.unwatch, &args);
            js.forget(listener);
        }
        js.forget(signal);
    }
}
