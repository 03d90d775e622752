//! Counts what waits.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Adds to a count of what waits, until it is dropped.
pub struct Waiting<'a>(&'a AtomicUsize, usize);

impl<'a> Waiting<'a> {
    /// Adds this many.
    pub fn new(all: &'a AtomicUsize, count: usize) -> Self {
        all.fetch_add(count, Ordering::Relaxed);
        Self(all, count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}
