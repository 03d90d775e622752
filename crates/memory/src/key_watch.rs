//! Watches of keys: listeners that are called with the keys that a command or script has changed, before its caller gets the reply.

use std::{
    mem,
    sync::{
        Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use cinnabar_port::{KeyChange, KeyListener};
use parking_lot::Mutex;

use super::EngineState;

/// A watch, until it is dropped.
pub struct KeyWatch {
    state: Weak<EngineState>,
    id: u64,
}

impl Drop for KeyWatch {
    fn drop(&mut self) {
        if let Some(state) = self.state.upgrade() {
            state.unwatch(self.id);
        }
    }
}

/// The listeners of an engine.
#[derive(Default)]
pub struct KeyListeners {
    /// Without listeners, no lock is taken.
    any: AtomicBool,
    /// Locked while changes are reported, so that no caller gets a reply before they are.
    all: Mutex<Registered>,
}

#[derive(Default)]
struct Registered {
    last_id: u64,
    listeners: Vec<(u64, Bytes, KeyListener)>,
}

/// The keys that were changed since the listeners were last called.
#[derive(Default)]
pub struct ChangedKeys {
    /// `None` without listeners.
    keys: Option<Vec<Bytes>>,
    all: bool,
}

impl ChangedKeys {
    /// Records a change.
    pub fn add(&mut self, key: &Bytes) {
        if let Some(keys) = &mut self.keys {
            keys.push(key.clone());
        }
    }

    /// Records that every key was removed.
    pub fn add_all(&mut self) {
        self.all = true;
    }
}

impl EngineState {
    /// Calls `listener` with every change of a key with this prefix.
    pub(super) fn watch(&self, prefix: Bytes, listener: KeyListener, state: Weak<Self>) -> KeyWatch {
        let mut registered = self.key_listeners.all.lock();
        registered.last_id += 1;
        let id = registered.last_id;
        self.key_listeners.any.store(true, Ordering::Release);
        self.db.lock().keyspace.changed.keys.get_or_insert_default();
        listener(KeyChange::Any);
        listener(KeyChange::UpTo(None));
        registered.listeners.push((id, prefix, listener));
        KeyWatch { state, id }
    }

    fn unwatch(&self, id: u64) {
        let mut registered = self.key_listeners.all.lock();
        let ended: Vec<_> = registered.listeners.extract_if(.., |(other, ..)| *other == id).collect();
        if registered.listeners.is_empty() {
            self.key_listeners.any.store(false, Ordering::Release);
            self.db.lock().keyspace.changed.keys = None;
        }
        drop(registered);
        // Dropped without the lock: dropping a listener may call the engine.
        drop(ended);
    }

    /// Reports what has changed since the last report.
    pub(super) fn report_changes(&self) {
        if !self.key_listeners.any.load(Ordering::Acquire) {
            return;
        }
        let registered = self.key_listeners.all.lock();
        let (keys, all) = {
            let changed = &mut self.db.lock().keyspace.changed;
            (changed.keys.as_mut().map(mem::take).unwrap_or_default(), mem::take(&mut changed.all))
        };
        for (_, prefix, listener) in &registered.listeners {
            if all {
                listener(KeyChange::Any);
                listener(KeyChange::UpTo(None));
            }
            let keys: Vec<_> = keys.iter().filter(|key| key.starts_with(prefix)).cloned().collect();
            if !keys.is_empty() {
                listener(KeyChange::Keys(keys));
            }
        }
    }

    /// Reports that any key may have expired.
    pub(super) fn report_all_changed(&self) {
        self.db.lock().keyspace.changed.add_all();
        self.report_changes();
    }
}
