//! Users who may not publish or subscribe: what is told by channels is a hint, and everything goes on without, but slower.

use std::sync::atomic::{AtomicU8, Ordering};

/// What a server may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mute(u8);

impl Mute {
    /// To publish.
    pub const TELLING: Self = Self(1);
    /// To subscribe.
    pub const HEARING: Self = Self(2);

    /// What the user wants to do.
    pub fn verb(self) -> &'static str {
        if self == Self::TELLING { "publish" } else { "subscribe" }
    }
}

/// What is refused now.
#[derive(Debug, Default)]
pub struct Muted(AtomicU8);

impl Muted {
    /// Notes it; whether that is the first refusal of anything since nothing was refused.
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

    /// Whether anything is refused.
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
