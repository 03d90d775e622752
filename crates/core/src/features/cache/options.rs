//! How a cache and its entries are kept.

/// What a read answers when there is no server to ask. Writes and invalidations fail: one that is lost must not look done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnavailable {
    /// That there is nothing: a cache that is down makes its callers slower, not wrong.
    #[default]
    Miss,
    /// The error itself.
    Throw,
}

/// Options of a cache.
#[derive(Debug, Default)]
pub struct Options {
    /// What the keys begin with. Defaults to `api:`.
    pub prefix: Option<String>,
    /// Life of an entry that is given none, in seconds. Defaults to 300.
    pub ttl: Option<f64>,
    /// What a read answers without a server; `Miss`.
    pub on_unavailable: OnUnavailable,
}

/// How an entry is to be kept.
#[derive(Debug, Default, Clone)]
pub struct EntryOptions {
    /// Life in seconds.
    pub ttl: Option<f64>,
    /// Invalidated with any of these.
    pub tags: Vec<String>,
    /// Seconds after its life in which it is served while a fresh one is loaded.
    pub stale_while_revalidate: Option<f64>,
}
