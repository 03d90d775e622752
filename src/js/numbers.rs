//! The numbers by which JavaScript knows what the bridge keeps for it.

use std::sync::atomic::{AtomicU64, Ordering};

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A number that is never used twice in a process.
pub fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}
