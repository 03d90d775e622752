//! Options of a cache and of its entries.

use std::time::Duration;

use super::protection::Protection;

/// The result of a read while the server is unavailable. Writes and invalidations fail, so that a lost one does not look done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnavailable {
    /// A miss: a cache that is down makes its callers slower, not wrong.
    #[default]
    Miss,
    /// The error.
    Throw,
}

/// Options of a cache.
#[derive(Debug, Default)]
pub struct Options {
    /// The prefix of the keys. Default `api:`.
    pub prefix: Option<String>,
    /// The default ttl of entries, in seconds. Default 300.
    pub ttl: Option<f64>,
    /// The result of a read while the server is unavailable. Default `Miss`.
    pub on_unavailable: OnUnavailable,
    /// Whether each entry records an epoch of all, so that all can be invalidated at once. Default false.
    pub clearable: bool,
    /// Whether values are compressed or encrypted. Default neither.
    pub protection: Protection,
}

/// Options of an entry.
#[derive(Debug, Default, Clone)]
pub struct EntryOptions {
    /// The ttl in seconds.
    pub ttl: Option<f64>,
    /// Tags, by which it can be invalidated.
    pub tags: Vec<String>,
    /// Seconds after its ttl in which it is served while a fresh one is loaded.
    pub stale_while_revalidate: Option<f64>,
    /// Seconds after that in which it is served if the load of a fresh one fails.
    pub stale_if_error: Option<f64>,
    /// Whether it records for how long it is fresh, so that callers can replace it before that is over.
    pub is_eager: bool,
}

/// How long an entry is what, one after the other.
#[derive(Debug, Default, Clone, Copy)]
pub struct Lifetime {
    /// Fresh.
    pub fresh: Duration,
    /// Served while a fresh one is loaded.
    pub stale: Duration,
    /// Served if the load of a fresh one fails.
    pub grace: Duration,
}

impl Lifetime {
    /// Returns its ttl in the store.
    pub fn total(self) -> Duration {
        self.fresh + self.stale + self.grace
    }
}
