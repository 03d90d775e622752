//! The policy for calls that fail because the store is unavailable: which errors count, for everything that may continue
//! without the store. `lib/error.js` has the same codes.

use super::{Error, Kind};

impl Kind {
    /// Whether no reply was received, as opposed to an error reply.
    pub const fn is_unavailable(self) -> bool {
        matches!(self, Self::Unavailable | Self::NotSent | Self::Backpressure | Self::Timeout | Self::MaybeApplied)
    }

    /// Whether a feature that can do without the store does so: it is unavailable, or has no memory left for the write.
    pub const fn allows_fallback(self) -> bool {
        self.is_unavailable() || matches!(self, Self::OutOfMemory)
    }

    /// Whether an operation may return an empty value instead of this error: it is unavailable, and nothing was applied.
    pub const fn allows_empty(self) -> bool {
        self.is_unavailable() && !matches!(self, Self::MaybeApplied)
    }
}

impl Error {
    /// Whether no reply was received, as opposed to an error reply.
    pub fn is_unavailable(&self) -> bool {
        self.kind.is_unavailable()
    }
}
