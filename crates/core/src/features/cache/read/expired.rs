//! Entries whose tags were expired: no longer fresh, but served while a fresh one is loaded, or if that fails.

use bytes::Bytes;
use cinnabar_port::{Call, Reply, Request, Step, error::Result};

use super::Read;
use crate::features::cache::{LoadStart, epochs};

impl Read {
    /// Returns an entry with these times of being stale and in its grace, `epochs` of which were expired: the key of each, and when.
    ///
    /// It is stale from when it was first expired, or at least in its grace if that is not known.
    pub(super) fn expired(
        self,
        (stale_ms, grace_ms): (u64, u64),
        epochs: Vec<(Bytes, Option<u64>)>,
        json: Bytes,
    ) -> Step<LoadStart> {
        if !self.purpose.takes_stale() {
            return self.miss();
        }
        let times: Option<Vec<_>> = epochs.into_iter().map(|(key, time)| Some((key, time?))).collect();
        let Some(times) = times.filter(|_| stale_ms > 0) else { return self.in_grace(grace_ms, json) };
        let left = Request::keyed("PTTL", [self.key.clone()]).reads();
        let ages = times.into_iter().map(|(key, time)| epochs::expired_for(key, time));
        Step::Next(Call::round([left].into_iter().chain(ages), move |replies| {
            let numbers = replies.all()?.into_iter().map(Reply::int).collect::<Result<Vec<_>>>()?;
            let (left, age) = (numbers[0], numbers[1..].iter().max().copied().unwrap_or_default());
            let is_stale = age <= stale_ms.cast_signed() && left > grace_ms.cast_signed();
            Ok(if is_stale { self.stale(json) } else { self.in_grace(grace_ms, json) })
        }))
    }
}
