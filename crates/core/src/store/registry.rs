//! Values that are shared by equal key while they are in use, so that worker threads, hot reloads and copies of a module share
//! connections instead of multiplying them.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, LazyLock, Weak},
    time::Duration,
};

use cinnabar_port::{error::Result, runtime};
use cinnabar_redis::settings::{Server, Settings};
use parking_lot::Mutex;

use super::Store;

static STORES: Registry<Key, Store> = Registry::new();

/// The identity of a store. For a server it includes all connection settings. An embedded store is identified by its name
/// and the number of its database alone, since it holds data; the first service to open it sets its memory limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A server with its connection settings.
    Server(Box<Settings>),
    /// An embedded store: the name and the database.
    Memory(String, u8),
}

impl Key {
    /// Returns the key of the store for these settings.
    pub fn of(settings: &Settings) -> Self {
        match &settings.server {
            Server::Memory(name) => Self::Memory(name.clone(), settings.database),
            _ => Self::Server(Box::new(settings.clone())),
        }
    }
}

/// Shared values of the process, by key.
pub struct Registry<K, T>(LazyLock<Mutex<HashMap<K, Weak<T>>>>);

impl<K: Clone + Eq + Hash, T> Registry<K, T> {
    /// Creates an empty registry.
    #[allow(clippy::new_without_default, reason = "created in statics, where default() cannot be called")]
    pub const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    /// Returns the value with this key, creating it if it is not in use.
    pub fn get<E>(&self, key: &K, create: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut all = self.0.lock();
        if let Some(shared) = all.get(key).and_then(Weak::upgrade) {
            return Ok(shared);
        }
        let created = Arc::new(create()?);
        all.retain(|_, one| one.strong_count() > 0);
        all.insert(key.clone(), Arc::downgrade(&created));
        Ok(created)
    }
}

/// Returns the store of this process for these settings. It is closed when the last reference is dropped.
pub fn store(settings: &Settings) -> Result<Arc<Store>> {
    let mut is_new = false;
    let store = STORES.get(&Key::of(settings), || {
        is_new = true;
        Store::new(settings)
    })?;
    if is_new && matches!(settings.server, Server::Memory(_)) {
        runtime::get()?.spawn(sweep_periodically(Arc::downgrade(&store)));
    }
    Ok(store)
}

/// Frees expired keys once a second while the store is in use.
async fn sweep_periodically(store: Weak<Store>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !store.upgrade().is_some_and(|store| store.sweep()) {
            return;
        }
    }
}
