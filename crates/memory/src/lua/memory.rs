//! The memory of Lua: its limit, and collecting before later scripts run out of it.

/// What Lua may use at least, in bytes.
const MIN_LIMIT: usize = 32 * 1024 * 1024;

pub struct Memory {
    /// In bytes.
    limit: usize,
    /// In use after the last collection.
    kept: usize,
}

impl Memory {
    /// Limits what `lua` may allocate.
    pub fn limit(lua: &mlua::Lua, max_bytes: usize) -> mlua::Result<Self> {
        let limit = max_bytes.max(MIN_LIMIT);
        lua.set_memory_limit(limit)?;
        Ok(Self { limit, kept: 0 })
    }

    /// How much of the memory compiled scripts may keep that nobody has loaded.
    pub fn share(&self) -> usize {
        self.limit / 8
    }

    /// Collects garbage if much memory is in use. By itself Lua collects when its memory has doubled, which may be beyond the
    /// limit: later scripts would fail for lack of memory.
    pub fn tidy(&mut self, lua: &mlua::Lua) {
        let much = (self.limit / 2).max(self.kept + self.limit / 8).min(self.limit - self.limit / 8);
        if lua.used_memory() <= much {
            return;
        }
        // A collection reallocates, which is refused while the memory in use is at the limit, even to make a block smaller.
        let unlimited = lua.set_memory_limit(0);
        // Values with finalizers are freed by the second collection.
        let collected = lua.gc_collect().and_then(|()| lua.gc_collect());
        let limited = lua.set_memory_limit(self.limit);
        debug_assert!(unlimited.is_ok() && collected.is_ok() && limited.is_ok(), "{collected:?}");
        self.kept = lua.used_memory();
    }
}
