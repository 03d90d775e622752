//! Keeps a near tier right: receives what changes in the store.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cinnabar_port::{Event, EventKind, KeyChange, KeyListener, error::Result, runtime};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::{
    features::{Moment, Near, Nears},
    keys::Prefix,
    store::{KeyWatch, Registry, Store},
};

/// How often it is asked, within the time for which values are trusted, up to when all changes are known.
const PROBES: u32 = 4;

/// By the address of their store, and what they keep: worker threads share values.
static WATCHES: Registry<(usize, NearOptions), NearWatch> = Registry::new();

/// All near tiers of the process, by the address of their store and their prefix.
static NEARS: Mutex<Vec<(usize, Prefix, Weak<Near>)>> = Mutex::new(Vec::new());
/// How many there are: without any, no lock is taken.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// What a near tier keeps, and for how long it trusts it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NearOptions {
    /// The prefix of the keys.
    pub prefix: Prefix,
    /// The most bytes of keys and values.
    pub max_bytes: u64,
    /// For how long values are returned without news from the store.
    pub max_staleness: Duration,
    /// Whether the store confirms each time that nothing has changed.
    pub is_strict: bool,
    /// Of the keys with which values are encrypted: who has others must not find what these have decrypted.
    pub ring: Option<[u8; 32]>,
}

/// A near tier of one store, and what keeps it right.
pub struct NearWatch {
    near: Arc<Near>,
    watch: KeyWatch,
    now: fn() -> Moment,
}

/// Returns the near tier that all caches with these options on this store share. `now` reads the clocks.
pub fn shared(store: &Arc<Store>, options: &NearOptions, now: fn() -> Moment) -> Result<Arc<NearWatch>> {
    WATCHES.get(&(Arc::as_ptr(store).addr(), options.clone()), || {
        let _inside = runtime::get()?.enter();
        let NearOptions { prefix, max_bytes, max_staleness, is_strict, .. } = options.clone();
        let near = Arc::new(Near::new(prefix.clone(), max_bytes, max_staleness, is_strict));
        let listener = listener(near.clone(), store, now);
        NEARS.lock().push((Arc::as_ptr(store).addr(), prefix.clone(), Arc::downgrade(&near)));
        COUNT.fetch_add(1, Ordering::Release);
        let watch = store.watch_keys(prefix.as_str().to_owned().into(), max_staleness / PROBES, listener);
        Ok(NearWatch { near, watch, now })
    })
}

/// Whether this process has any near tier.
pub fn has_any() -> bool {
    COUNT.load(Ordering::Acquire) > 0
}

/// Returns the near tiers of this process that have keys with this prefix on this store.
pub fn all(store: &Arc<Store>, prefix: &Prefix) -> Nears {
    let address = Arc::as_ptr(store).addr();
    let nears = NEARS.lock();
    let same = nears.iter().filter(|(other, their_prefix, _)| *other == address && their_prefix == prefix);
    same.filter_map(|(.., near)| near.upgrade()).collect()
}

fn listener(near: Arc<Near>, store: &Arc<Store>, now: fn() -> Moment) -> KeyListener {
    let (store, refused) = (Arc::downgrade(store), Mutex::new(false));
    Arc::new(move |change| match change {
        KeyChange::Keys(keys) => keys.iter().for_each(|key| near.changed(key)),
        KeyChange::Any => near.distrust(),
        KeyChange::UpTo(moment) => {
            *refused.lock() = false;
            near.trust(moment.map(|moment| now().before(moment.elapsed())));
        }
        KeyChange::Refused(error) => {
            // An outage is reported by the connections for calls.
            if error.is_unavailable() || std::mem::replace(&mut *refused.lock(), true) {
                return;
            }
            if let Some(store) = store.upgrade() {
                let text = format!("nothing is cached near: the server does not report changes ({})", error.message());
                store.events().emit(&Event::new(EventKind::NearUnavailable, "", text));
            }
        }
    })
}

impl Drop for NearWatch {
    fn drop(&mut self) {
        // JavaScript may still have copies.
        self.near.distrust();
        let own = Arc::downgrade(&self.near);
        NEARS.lock().retain(|(.., near)| !near.ptr_eq(&own));
        COUNT.fetch_sub(1, Ordering::Release);
    }
}

impl NearWatch {
    /// Returns the near tier.
    pub fn near(&self) -> &Arc<Near> {
        &self.near
    }

    /// Waits until every change is known that was acknowledged before this call. Returns false if that cannot be said.
    pub async fn confirm(&self) -> bool {
        if !self.near.has_news((self.now)()) {
            return false;
        }
        // A call that asks for the value itself may be faster than a server that does not reply.
        timeout(self.near.max_staleness(), self.watch.confirm()).await.unwrap_or(false)
    }
}
