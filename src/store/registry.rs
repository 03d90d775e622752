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

static STORES: Registry<Key, Store> = Registry::new();

/// What tells stores apart. Settings of a connection are part of what a server's is; an embedded store is its name, whoever
/// asks for it and however: it is data, and the first who opens it says how much it holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A server and how to speak to it.
    Server(Box<Settings>),
    /// An embedded store.
    Memory(String),
}

impl Key {
    /// The key of the store that these settings ask for.
    pub fn of(settings: &Settings) -> Self {
        match &settings.server {
            Server::Memory(name) => Self::Memory(name.clone()),
            _ => Self::Server(Box::new(settings.clone())),
        }
    }
}

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
    let store = STORES.get(&Key::of(settings), || {
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
