//! The names of the values under the prefix.

use bytes::Bytes;
use cinnabar_port::{Call, Request};

use super::Cache;
use crate::keys;

impl Cache {
    /// Returns the names of some values, from this cursor, and the next cursor; the first and the last one are `0`. As with any scan, a
    /// name may be returned more than once. Those of which only a hash is stored are left out.
    pub fn scan(&self, cursor: String, count: u64) -> Call<(String, Vec<String>)> {
        let count = Bytes::from(count.to_string());
        let pattern = keys::pattern_of(self.0.prefix.as_str());
        // Other programs may have lists or sets under the prefix.
        let [of, kind] = ["TYPE", "string"].map(Bytes::from);
        let args = [cursor.into(), "MATCH".into(), pattern, "COUNT".into(), count, of, kind];
        let prefix = self.0.prefix.clone();
        Call::new(Request::command("SCAN", args).reads(), move |reply| {
            let [cursor, found] = reply.tuple()?;
            let cursor = String::from_utf8_lossy(&cursor.bulk()?.unwrap_or_default()).into_owned();
            let names = found.array()?.into_iter().filter_map(|key| {
                let key = key.bulk().ok()??;
                keys::cache_name(&prefix, &key)
            });
            Ok((cursor, names.collect()))
        })
    }
}
