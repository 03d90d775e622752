//! A small embedded store in this process, used while the server is unavailable.

use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, OnceLock},
};

use cinnabar_port::error::{Error, Kind, Result};
use cinnabar_redis::settings::{Server, Settings};

use super::{Reply, Request, memory, registry::Registry};

/// Memory limit in bytes; the least recently used keys are evicted.
const MAX_BYTES: usize = 16 << 20;

static STORES: Registry<(Server, u8), LocalStore> = Registry::new();

/// A small in-process store without I/O. Nothing in it ever reaches a server.
pub struct LocalStore {
    max_bytes: usize,
    /// Created at first use, because it may never be needed and contains a Lua interpreter.
    engine: OnceLock<memory::Engine>,
}

/// Returns the local store for the server in these settings. Services on the same server share it, whatever their other settings. It
/// is dropped with its last reference.
pub fn local_store(settings: &Settings) -> Arc<LocalStore> {
    let Ok(local) =
        STORES.get(&(settings.server.clone(), settings.database), || Ok::<_, Infallible>(LocalStore::new(MAX_BYTES)));
    local
}

impl LocalStore {
    /// Creates an empty store.
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, engine: OnceLock::new() }
    }

    /// Runs a request.
    pub fn execute(&self, request: &Request) -> Result<Reply> {
        let engine = self.engine()?;
        let reply = engine.execute_blocking(std::slice::from_ref(request)).pop();
        // Removes expired keys. Nothing else does so here, and each key is removed only once, so this is cheap.
        engine.sweep();
        reply.unwrap_or_else(|| Err(Error::new(Kind::Internal, "the embedded store returned no reply to a request")))
    }

    /// Runs a request if anything was run before; an empty store need not be created for it.
    pub fn execute_if_used(&self, request: &Request) -> Option<Result<Reply>> {
        self.engine.get().map(|_| self.execute(request))
    }

    fn engine(&self) -> Result<&memory::Engine> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let engine = memory::Engine::new(self.max_bytes)?;
        // If two are created concurrently, the first wins.
        Ok(self.engine.get_or_init(|| engine))
    }

    /// Moves its clock.
    #[cfg(test)]
    pub fn advance(&self, by: std::time::Duration) {
        self.engine().unwrap().advance(by);
    }

    /// About how many bytes it holds.
    #[cfg(test)]
    pub fn used_bytes(&self) -> usize {
        self.engine().unwrap().used_bytes()
    }
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStore").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use cinnabar_redis::settings::{Environment, Options};

    fn settings(port: u16, seconds: u64) -> Settings {
        let timeout = Some(std::time::Duration::from_secs(seconds));
        let options = Options { host: Some("localhost".into()), port: Some(port), timeout, ..Options::default() };
        Settings::resolve(options, &Environment(HashMap::new())).unwrap().settings
    }

    #[test]
    fn services_on_one_server_share_it() {
        let first = local_store(&settings(1, 5));
        assert!(Arc::ptr_eq(&first, &local_store(&settings(1, 5))));
        assert!(Arc::ptr_eq(&first, &local_store(&settings(1, 4))), "whatever the other settings");
        assert!(!Arc::ptr_eq(&first, &local_store(&settings(2, 5))));
    }
}
