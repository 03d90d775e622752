//! One store for all who have the same settings, so that worker threads, hot reloads and copies of a module share
//! connections instead of multiplying them.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, Weak},
    time::Duration,
};

use super::Store;
use crate::{
    error::Result,
    runtime,
    settings::{Server, Settings},
};

static STORES: LazyLock<Mutex<HashMap<Settings, Weak<Store>>>> = LazyLock::new(Mutex::default);

/// The process's store for these settings. It closes when the last holder lets go.
pub fn store(settings: &Settings) -> Result<Arc<Store>> {
    let mut stores = STORES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(store) = stores.get(settings).and_then(Weak::upgrade) {
        return Ok(store);
    }
    let store = Arc::new(Store::new(settings)?);
    stores.retain(|_, store| store.strong_count() > 0);
    if matches!(settings.server, Server::Memory(_)) {
        runtime::get()?.spawn(keep_tidy(Arc::downgrade(&store)));
    }
    stores.insert(settings.clone(), Arc::downgrade(&store));
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
