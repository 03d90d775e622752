//! What `.with({ timeoutMs, signal })` binds calls to.

use std::{rc::Rc, time::Duration};

use cinnabar_port::error::{Error, Result};
use smallvec::SmallVec;

use super::node_api::{Js, Owned, Value};

/// Bounds that all calls of one bound object share.
pub struct Limits {
    /// How long a call may take; the service's own timeout when there is none.
    pub timeout: Option<Duration>,
    signals: SmallVec<[Signal; 1]>,
}

/// An `AbortSignal` and the number by which its listener names it.
struct Signal {
    id: u64,
    /// Weak: a signal often reaches what is bound to it, and would otherwise never be collected. The JavaScript object that
    /// is bound holds it.
    object: Owned,
}

impl Limits {
    /// Reads `{ timeoutMs, signals, ids }`, which `lib/call-limits.js` has checked. `None` is no bound at all.
    pub fn read(js: Js, value: Value) -> Result<Option<Rc<Self>>> {
        let timeout = js.option(value, c"timeoutMs")?.map(|ms| js.milliseconds(ms, "timeoutMs")).transpose()?;
        let list = |name, said| js.option(value, name)?.map_or(Ok(Vec::new()), |list| js.elements(list, said));
        let mut signals = SmallVec::new();
        for (object, id) in list(c"signals", "signals")?.into_iter().zip(list(c"ids", "ids")?) {
            let object = js.hold_weakly(object).ok_or_else(|| Error::argument("signal must be an AbortSignal"))?;
            signals.push(Signal { id: js.whole(id, "ids")?, object });
        }
        let bound = timeout.is_some() || !signals.is_empty();
        Ok(bound.then(|| Rc::new(Self { timeout, signals })))
    }

    /// The reason of a signal that has aborted.
    pub fn aborted(&self, js: Js) -> Option<Value> {
        self.signals.iter().find_map(|signal| {
            let object = signal.object.value();
            let aborted = js.get(object, c"aborted").ok().and_then(|flag| js.as_boolean(flag)).unwrap_or(false);
            aborted.then(|| js.get(object, c"reason").unwrap_or_else(|thrown| thrown.0))
        })
    }

    /// Whether any signal can end its calls.
    pub fn has_signals(&self) -> bool {
        !self.signals.is_empty()
    }

    /// The numbers of the signals.
    pub fn ids(&self) -> SmallVec<[u64; 1]> {
        self.signals.iter().map(|signal| signal.id).collect()
    }

    /// The signal of this number.
    pub fn signal(&self, id: u64) -> Option<Value> {
        self.signals.iter().find(|signal| signal.id == id).map(|signal| signal.object.value())
    }

    /// Whether calls bound by either may travel together.
    pub fn same(one: Option<&Rc<Self>>, other: Option<&Rc<Self>>) -> bool {
        match (one, other) {
            (None, None) => true,
            (Some(one), Some(other)) => {
                Rc::ptr_eq(one, other) || one.timeout == other.timeout && one.ids() == other.ids()
            }
            _ => false,
        }
    }
}
