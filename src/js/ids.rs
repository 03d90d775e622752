//! Ids by which JavaScript refers to resources, readers and callbacks of the bridge.

use std::sync::atomic::{AtomicU64, Ordering};

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Returns an id that is unique in this process.
pub fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}
