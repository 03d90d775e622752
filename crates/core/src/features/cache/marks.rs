//! Marks: random values in separate keys, used to detect changes.
//!
//! Each tag has a mark, which every entry with that tag records: the entry is valid while the two are equal. Invalidating a tag
//! deletes its mark, and the next use creates another. So a mark that was lost, evicted or flushed causes misses, which is
//! safe, and unused tags cost nothing. Each mark is in a slot of its own.
//!
//! A key that is being loaded has a mark too, its lease. Writing or removing the key deletes it, so a load that started earlier
//! finds a different lease, or none, when it tries to fill. Loads with the same lease have numbers: one that started earlier does
//! not replace the value of one that started later. No wall clock is involved.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{Merge, Reply, Request, error::Result, random, script};

use crate::features::life;

script!(OPEN = "cache/open.lua", keys: 1, args: 2);
script!(LEASE = "cache/lease.lua", keys: 1, args: 2);
script!(RELEASE = "cache/release.lua", keys: 1, args: 1);

/// A new unique mark.
pub fn new() -> Result<Bytes> {
    Ok(random::hex::<8>()?.into())
}

/// Reads the mark at a key, or stores `new` if there is none. Its ttl is then at least `life`.
pub fn open(key: Bytes, new: Bytes, life: Duration) -> Request {
    Request::script(&OPEN, [key, new, life::millis(life)]).merging(Merge::Script).idempotent().without_effect()
}

/// Opens the lease of a load. Stores `new` as the mark if there is none; its ttl is then at least `life`. The reply is the mark
/// and the number of the load.
pub fn lease(key: Bytes, new: Bytes, life: Duration) -> Request {
    Request::script(&LEASE, [key, new, life::millis(life)]).merging(Merge::Script).idempotent().without_effect()
}

/// Deletes the lease of a load that produced no value.
pub fn release(key: Bytes, mark: Bytes) -> Request {
    Request::script(&RELEASE, [key, mark]).merging(Merge::Script).idempotent().without_effect()
}

/// Reads the reply of `open` or `lease`.
pub fn read(reply: Reply) -> Result<String> {
    let mark = reply.bulk()?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&mark).into_owned())
}
