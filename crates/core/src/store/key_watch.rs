//! Watches of keys, on either engine.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_memory as memory;
use cinnabar_port::KeyListener;
use cinnabar_redis as redis;

use super::{Engine, Store};

/// A watch of keys, until it is dropped.
pub enum KeyWatch {
    /// On a server.
    Redis(redis::KeyWatch),
    /// On the embedded engine, which reports changes before it acknowledges them.
    Memory(memory::KeyWatch),
}

impl Store {
    /// Reports changes of keys with this prefix until the result is dropped, and about every `interval` up to when they are known.
    pub fn watch_keys(&self, prefix: Bytes, interval: Duration, listener: KeyListener) -> KeyWatch {
        match &self.engine {
            Engine::Redis(engine) => KeyWatch::Redis(engine.watch_keys(prefix, interval, listener)),
            Engine::Memory(engine) => KeyWatch::Memory(engine.watch_keys(prefix, listener)),
        }
    }
}

impl KeyWatch {
    /// Waits until every change is reported that was acknowledged before this call. Returns false if that cannot be said.
    pub async fn confirm(&self) -> bool {
        match self {
            Self::Redis(watch) => watch.confirm().await,
            Self::Memory(_) => true,
        }
    }
}
