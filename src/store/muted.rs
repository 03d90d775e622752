//! Users without permission to publish or subscribe. Features use channels only as hints, so they still work, but more slowly.

use std::sync::atomic::{AtomicU8, Ordering};

/// A permission that the user may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mute(u8);

impl Mute {
    /// To publish.
    pub const TELLING: Self = Self(1);
    /// To subscribe.
    pub const HEARING: Self = Self(2);

    /// The denied operation.
    pub fn verb(self) -> &'static str {
        if self == Self::TELLING { "publish" } else { "subscribe" }
    }
}

/// The permissions that the user currently lacks.
#[derive(Debug, Default)]
pub struct Muted(AtomicU8);

impl Muted {
    /// Records whether an operation was denied. Returns true for the first denial after a time without any.
    pub fn set(&self, Mute(what): Mute, refused: bool) -> bool {
        let before = self.0.load(Ordering::Relaxed);
        if (before & what != 0) == refused {
            return false;
        }
        if !refused {
            self.0.fetch_and(!what, Ordering::Relaxed);
            return false;
        }
        self.0.fetch_or(what, Ordering::Relaxed) == 0
    }

    /// Whether any permission is missing.
    pub fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_news_once_until_all_is_allowed() {
        let muted = Muted::default();
        assert!(!muted.set(Mute::TELLING, false) && !muted.is_any());
        assert!(muted.set(Mute::HEARING, true) && !muted.set(Mute::HEARING, true));
        assert!(!muted.set(Mute::TELLING, true) && muted.is_any());
        assert!(!muted.set(Mute::HEARING, false) && muted.is_any());
        assert!(!muted.set(Mute::TELLING, false) && !muted.is_any());
        assert!(muted.set(Mute::TELLING, true));
    }
}
