//! The limits that `.with({ timeoutMs, signal })` sets for calls.

use std::{rc::Rc, time::Duration};

use cinnabar_port::error::{Error, Result};
use smallvec::SmallVec;

use super::node_api::{Js, OwnedReference, Value};

/// The limits of all calls of one bound object.
pub struct Limits {
    /// The timeout of a call, in place of that of the service.
    pub timeout: Option<Duration>,
    signals: SmallVec<[Signal; 1]>,
}

/// An `AbortSignal`, with the id by which its listener refers to it.
struct Signal {
    id: u64,
    /// Weak: a signal often references what is bound to it, and would otherwise never be collected. The bound JavaScript object
    /// references it.
    object: OwnedReference,
}

impl Limits {
    /// Reads `{ timeoutMs, signals, ids }`, which `lib/call-limits.js` has checked. Returns `None` if there are no limits.
    pub fn read(js: Js, value: Value) -> Result<Option<Rc<Self>>> {
        let timeout = js.option(value, c"timeoutMs")?.map(|ms| js.milliseconds(ms, "timeoutMs")).transpose()?;
        let list = |name, label| js.option(value, name)?.map_or(Ok(Vec::new()), |list| js.elements(list, label));
        let mut signals = SmallVec::new();
        for (object, id) in list(c"signals", "signals")?.into_iter().zip(list(c"ids", "ids")?) {
            let object = js.weak_reference(object).ok_or_else(|| Error::argument("signal must be an AbortSignal"))?;
            signals.push(Signal { id: js.whole(id, "ids")?, object });
        }
        let bound = timeout.is_some() || !signals.is_empty();
        Ok(bound.then(|| Rc::new(Self { timeout, signals })))
    }

    /// Returns the reason of a signal that has aborted.
    pub fn aborted(&self, js: Js) -> Option<Value> {
        self.signals.iter().find_map(|signal| {
            let object = signal.object.value();
            let aborted = js.get(object, c"aborted").ok().and_then(|flag| js.as_boolean(flag)).unwrap_or(false);
            aborted.then(|| js.get(object, c"reason").unwrap_or_else(|thrown| thrown.0))
        })
    }

    /// Whether any signal can abort its calls.
    pub fn has_signals(&self) -> bool {
        !self.signals.is_empty()
    }

    /// Returns the ids of the signals.
    pub fn ids(&self) -> SmallVec<[u64; 1]> {
        self.signals.iter().map(|signal| signal.id).collect()
    }

    /// Returns the signal with this id.
    pub fn signal(&self, id: u64) -> Option<Value> {
        self.signals.iter().find(|signal| signal.id == id).map(|signal| signal.object.value())
    }

    /// Whether calls with either limits may be sent together.
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
