//! The memory of Lua: its limit, and garbage collection before later scripts run out of it.

/// The smallest limit, in bytes.
const MIN_LIMIT: usize = 32 * 1024 * 1024;

pub struct Memory {
    /// In bytes.
    limit: usize,
    /// In use after the last collection, in bytes.
    used_after_gc: usize,
}

impl Memory {
    /// Limits the memory of `lua`.
    pub fn limit(lua: &mlua::Lua, max_bytes: usize) -> mlua::Result<Self> {
        let limit = max_bytes.max(MIN_LIMIT);
        lua.set_memory_limit(limit)?;
        Ok(Self { limit, used_after_gc: 0 })
    }

    /// Returns how many bytes of source compiled scripts may have in total, apart from loaded ones.
    pub fn script_cache_limit(&self) -> usize {
        self.limit / 8
    }

    /// Collects garbage if much memory is in use. By itself Lua collects when its memory has doubled, which may be beyond the
    /// limit: later scripts would fail for lack of memory.
    pub fn collect_if_needed(&mut self, lua: &mlua::Lua) {
        let threshold = (self.limit / 2).max(self.used_after_gc + self.limit / 8).min(self.limit - self.limit / 8);
        if lua.used_memory() <= threshold {
            return;
        }
        // A collection reallocates, which fails while the memory in use is at the limit, even to make a block smaller.
        let unlimited = lua.set_memory_limit(0);
        // Values with finalizers are freed by the second collection.
        let collected = lua.gc_collect().and_then(|()| lua.gc_collect());
        let limited = lua.set_memory_limit(self.limit);
        debug_assert!(unlimited.is_ok() && collected.is_ok() && limited.is_ok(), "{collected:?}");
        self.used_after_gc = lua.used_memory();
    }
}
