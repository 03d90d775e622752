//! Epochs: random values in separate keys, used to detect changes.
//!
//! Each tag has an epoch, which every entry with that tag records. The entry is valid while the two are equal. Invalidating a tag deletes
//! its epoch, and the next use creates another. So an epoch that was lost, evicted or flushed causes misses, which is safe, and unused
//! tags cost nothing. Each epoch is in a slot of its own. Expiring a tag only adds the time to its epoch, which makes entries stale that record
//! the epoch without it.
//!
//! A key that is being loaded has an epoch too, in its lease. Writing or removing the key deletes it, so a load that started earlier
//! finds a different lease, or none, when it tries to fill. Loads with the same lease have numbers: one that started earlier does
//! not replace the value of one that started later. No wall clock is involved.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{Merge, Reply, Request, error::Result, random, script};

use crate::features::ttl;

script!(ENSURE_EPOCH = "cache/ensure_epoch.lua", keys: 1, args: 2);
script!(EXPIRE_EPOCH = "cache/expire_epoch.lua", keys: 1, args: 0, with: ["clock.lua"]);
script!(EXPIRED_FOR = "cache/expired_for.lua", keys: 1, args: 1, with: ["clock.lua"]);
script!(OPEN_LEASE = "cache/open_lease.lua", keys: 1, args: 2);
script!(RELEASE_LEASE = "cache/release_lease.lua", keys: 1, args: 1);

/// What the current epoch of a tag says about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Nothing has happened to the tag.
    Valid,
    /// The tag was expired, first at this time in ms since 1970; `None` if that is no longer known.
    Expired(Option<u64>),
    /// The tag was invalidated.
    Invalid,
}

/// The epoch of a tag as it is stored: `id`, or `id:times` with the times at which it was expired, as `expire_epoch.lua` writes them.
struct Epoch<'a> {
    id: &'a str,
    times: Vec<u64>,
    /// Whether times between the first and the second are no longer known.
    has_gap: bool,
}

impl<'a> Epoch<'a> {
    fn of(text: &'a str) -> Self {
        let (id, times) = text.split_once(':').unwrap_or((text, ""));
        let times_of = |time: &str| time.trim_start_matches('~').parse().ok();
        Self { id, times: times.split(',').filter_map(times_of).collect(), has_gap: times.contains('~') }
    }
}

/// Returns what an entry records of an epoch: its id, and when it was expired last.
pub fn recorded(epoch: &str) -> String {
    let Epoch { id, times, .. } = Epoch::of(epoch);
    times.last().map_or_else(|| id.to_owned(), |last| format!("{id}:{last}"))
}

/// Returns what the current epoch says about an entry that records this one.
pub fn validity(recorded: &str, current: &[u8]) -> Validity {
    if recorded.as_bytes() == current {
        return Validity::Valid;
    }
    let current = String::from_utf8_lossy(current);
    let (own, Epoch { id, times, has_gap }) = (Epoch::of(recorded), Epoch::of(&current));
    let last = own.times.last();
    match times.last() {
        Some(_) if own.id != id => Validity::Invalid,
        Some(now) if Some(now) == last => Validity::Valid,
        Some(now) if last.is_none_or(|last| last < now) => Validity::Expired(first_after(last, &times, has_gap)),
        _ => Validity::Invalid,
    }
}

/// Returns the first of these times after the one that an entry records, or an earlier one if that is no longer known.
fn first_after(recorded: Option<&u64>, times: &[u64], has_gap: bool) -> Option<u64> {
    let Some(recorded) = recorded else { return times.first().copied() };
    let after = times.iter().position(|time| time > recorded)?;
    // Those in the gap came after the first.
    let is_known = !(has_gap && after == 1);
    Some(if is_known { times[after] } else { *recorded })
}

/// Expires the epoch at a key.
pub fn expire(key: Bytes) -> Request {
    Request::script(&EXPIRE_EPOCH, [key]).merging(Merge::Script).idempotent()
}

/// Asks for how many ms the epoch at a key has been expired, by the clock that said when.
pub fn expired_for(key: Bytes, since: u64) -> Request {
    let since = Bytes::from(since.to_string());
    Request::script(&EXPIRED_FOR, [key, since]).merging(Merge::Script).idempotent().without_effect()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_epoch_says_what_has_happened_to_a_tag() {
        for (recorded, current, expected) in [
            ("a1", "a1", Validity::Valid),
            ("a1", "b2", Validity::Invalid),
            ("a1", "a1:50", Validity::Expired(Some(50))),
            ("a1", "b2:50", Validity::Invalid),
            ("a1:50", "a1:50", Validity::Valid),
            ("a1:50", "a1:40,50", Validity::Valid),
            ("a1:50", "a1:50,60", Validity::Expired(Some(60))),
            ("a1", "a1:50,60,70", Validity::Expired(Some(50))),
            ("a1:60", "a1:50,60,70,80", Validity::Expired(Some(70))),
            // Those between 50 and 70 are no longer known.
            ("a1", "a1:50,~70,80", Validity::Expired(Some(50))),
            ("a1:50", "a1:50,~70,80", Validity::Expired(Some(50))),
            ("a1:60", "a1:50,~70,80", Validity::Expired(Some(60))),
            ("a1:70", "a1:50,~70,80", Validity::Expired(Some(80))),
            // Restored from an older snapshot, or nothing that was stored here.
            ("a1:50", "a1", Validity::Invalid),
            ("a1:50", "a1:40", Validity::Invalid),
            ("a1", "a1:x", Validity::Invalid),
            ("a1", "", Validity::Invalid),
        ] {
            assert_eq!(validity(recorded, current.as_bytes()), expected, "{recorded} {current}");
        }
    }

    #[test]
    fn an_entry_records_when_its_epoch_was_expired_last() {
        for (epoch, expected) in [("a1", "a1"), ("a1:50", "a1:50"), ("a1:50,~70,80", "a1:80")] {
            assert_eq!(recorded(epoch), expected);
        }
    }
}
