//! Changes of keys, as an engine reports them to what caches values outside of it.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use crate::error::Error;

/// What a watch of keys reports.
#[derive(Debug, Clone)]
pub enum KeyChange {
    /// These keys were written or removed, or have expired.
    Keys(Vec<Bytes>),
    /// Any key may have changed: changes were missed, or the database was flushed.
    Any,
    /// Every change that was acknowledged before this moment has been reported. `None` if changes are reported before they are acknowledged.
    UpTo(Option<Instant>),
    /// The server does not report changes; it is asked again later.
    Refused(Error),
}

/// Called with each change, on the engine's own thread: it must not block.
pub type KeyListener = Arc<dyn Fn(KeyChange) + Send + Sync>;
