//! Invalidation: by name, tag or pattern, or of everything.

use cinnabar_port::{Call, Effect, Merge, Reply, Request, Step, effect::positive_count, error::Result, script};

use super::{Cache, epochs, pattern};
use crate::keys;

script!(REMOVE = "cache/remove.lua", keys: 2, args: 0);

impl Cache {
    /// Removes an entry and its lease. Returns the number of entries removed.
    pub fn invalidate(&self, name: &str) -> Call<i64> {
        let keys = [keys::cache_entry(&self.0.prefix, name), keys::cache_lease(&self.0.prefix, name)];
        let remove = Request::script(&REMOVE, keys).merging(Merge::Script).idempotent();
        Call::new(remove.with_effect(Effect::Count(positive_count)), Reply::int)
    }

    /// Removes several entries and their leases. Returns the number of entries removed, also in an error after a partial success.
    pub fn invalidate_many(&self, names: &[String]) -> Call<i64> {
        Call::join_all(names.iter().map(|name| self.invalidate(name)).collect()).map(|counts| counts.iter().sum())
    }

    /// Makes every entry with this tag a miss, including those still being loaded. No entry is touched.
    pub fn invalidate_by_tag(&self, tag: &str) -> Call<()> {
        Call::new(Request::keyed("DEL", [keys::cache_tag_epoch(&self.0.prefix, tag)]).idempotent(), |_| Ok(()))
    }

    /// Makes every entry with this tag stale, including those still being loaded. No entry is touched.
    pub fn expire_by_tag(&self, tag: &str) -> Call<()> {
        Call::new(epochs::expire(keys::cache_tag_epoch(&self.0.prefix, tag)), |_| Ok(()))
    }

    /// Invalidates all entries, including those still being loaded: at once if the cache is clearable, otherwise by removing each.
    pub fn clear(&self) -> Result<Call<()>> {
        if !self.0.clearable {
            return Ok(self.invalidate_by_pattern("*")?.map(|_| ()));
        }
        Ok(Call::new(Request::keyed("DEL", [keys::cache_all_epoch(&self.0.prefix)]).idempotent(), |_| Ok(())))
    }

    /// Removes all entries whose names match a glob, and their leases. Returns the number of entries removed.
    pub fn invalidate_by_pattern(&self, glob: &str) -> Result<Call<i64>> {
        let (entries, leases) = keys::cache_pattern(&self.0.prefix, glob)?;
        let prefix = self.0.prefix.clone();
        // All leases before any entry, so that a load that still completes has done so before the entries are scanned.
        Ok(pattern::remove(leases, Effect::None, |_| true).then(move |_| {
            let is_entry = move |key: &[u8]| keys::is_cache_entry(&prefix, key);
            Ok(Step::Next(pattern::remove(entries, Effect::Count(positive_count), is_entry)))
        }))
    }
}
