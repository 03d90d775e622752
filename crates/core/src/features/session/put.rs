//! Writes sessions that end at some time even if they are in use.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{Effect, Merge, Request, effect::is_not_nil, script};

use crate::features::ttl;

script!(PUT = "session/put.lua", keys: 1, args: 6, with: ["clock.lua"]);

/// When a session ends even if it is in use, by the store's clock.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// This long after it is written.
    After(Duration),
    /// At this time, in milliseconds since 1970.
    At(u64),
}

/// Returns the request that writes a value with this ttl, or less if the session ends before. With `over` it does so only if there is no
/// value, or an invalid one with this ending.
pub fn put(key: Bytes, value: Bytes, ttl: Duration, bound: Bound, over: Option<Bytes>) -> Request {
    let (after, at) = match bound {
        Bound::After(after) => (ttl::millis(after), Bytes::new()),
        Bound::At(at) => (Bytes::new(), at.to_string().into()),
    };
    let only = Bytes::from_static(if over.is_some() { b"NX" } else { b"" });
    let request = Request::script(&PUT, [key, value, ttl::millis(ttl), after, at, only, over.unwrap_or_default()]);
    request.merging(Merge::Script).with_effect(Effect::ChangedIf(is_not_nil))
}
