//! Epochs: random values in separate keys, used to detect changes.
//!
//! Each tag has an epoch, which every entry with that tag records. The entry is valid while the two are equal. Invalidating a tag deletes
//! its epoch, and the next use creates another. So an epoch that was lost, evicted or flushed causes misses, which is safe, and unused
//! tags cost nothing. Each epoch is in a slot of its own.
//!
//! A key that is being loaded has an epoch too, in its lease. Writing or removing the key deletes it, so a load that started earlier
//! finds a different lease, or none, when it tries to fill. Loads with the same lease have numbers: one that started earlier does
//! not replace the value of one that started later. No wall clock is involved.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{Merge, Reply, Request, error::Result, random, script};

use crate::features::ttl;

script!(ENSURE_EPOCH = "cache/ensure_epoch.lua", keys: 1, args: 2);
script!(OPEN_LEASE = "cache/open_lease.lua", keys: 1, args: 2);
script!(RELEASE_LEASE = "cache/release_lease.lua", keys: 1, args: 1);

/// Creates a unique epoch.
pub fn new() -> Result<Bytes> {
    Ok(random::hex::<8>()?.into())
}

/// Reads the epoch at a key and raises its ttl to at least `ttl`. If the key is missing, `new` is stored.
pub fn ensure(key: Bytes, new: Bytes, ttl: Duration) -> Request {
    Request::script(&ENSURE_EPOCH, [key, new, ttl::millis(ttl)]).merging(Merge::Script).idempotent().without_effect()
}

/// Opens the lease of a load and raises its ttl to at least `ttl`. If there is no lease, `new` becomes its epoch. The reply is the
/// epoch and the number of the load.
pub fn open_lease(key: Bytes, new: Bytes, ttl: Duration) -> Request {
    Request::script(&OPEN_LEASE, [key, new, ttl::millis(ttl)]).merging(Merge::Script).idempotent().without_effect()
}

/// Deletes the lease of a load that produced no value.
pub fn release_lease(key: Bytes, id: Bytes) -> Request {
    Request::script(&RELEASE_LEASE, [key, id]).merging(Merge::Script).idempotent().without_effect()
}

/// Reads the reply to `ensure` or `open_lease`.
pub fn read(reply: Reply) -> Result<String> {
    let epoch = reply.bulk()?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&epoch).into_owned())
}
