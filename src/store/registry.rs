//! What all who ask with an equal key share, for as long as anybody holds it: worker threads, hot reloads and copies of a
//! module share connections instead of multiplying them.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, LazyLock, Mutex, Weak},
    time::Duration,
};

use super::Store;
use crate::{
    error::Result,
    runtime,
    settings::{Server, Settings},
};

static STORES: Registry<Settings, Store> = Registry::new();

/// Shared things of the process by what tells them apart.
pub struct Registry<K, T>(LazyLock<Mutex<HashMap<K, Weak<T>>>>);

impl<K: Clone + Eq + Hash, T> Registry<K, T> {
    /// Nothing is in it.
    pub const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    /// The one with this key, made where nobody holds one.
    pub fn get<E>(&self, key: &K, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut all = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(held) = all.get(key).and_then(Weak::upgrade) {
            return Ok(held);
        }
        let made = Arc::new(make()?);
        all.retain(|_, one| one.strong_count() > 0);
        all.insert(key.clone(), Arc::downgrade(&made));
        Ok(made)
    }
}

/// The process's store for these settings. It closes when the last holder lets go.
pub fn store(settings: &Settings) -> Result<Arc<Store>> {
    let mut is_new = false;
    let store = STORES.get(settings, || {
        is_new = true;
        Store::new(settings)
    })?;
    if is_new && matches!(settings.server, Server::Memory(_)) {
        runtime::get()?.spawn(keep_tidy(Arc::downgrade(&store)));
    }
    Ok(store)
}

/// Gives the memory of what has expired back, once a second, for as long as somebody holds the store.
async fn keep_tidy(store: Weak<Store>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !store.upgrade().is_some_and(|store| store.sweep()) {
            return;
        }
    }
}
