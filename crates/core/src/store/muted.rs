//! Users without permission to publish or subscribe. Features use channels only as hints, so they still work, but more slowly.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

/// A permission that the user may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mute {
    /// To publish.
    Telling,
    /// To subscribe.
    Hearing,
}

impl Mute {
    /// The denied operation.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Telling => "publish",
            Self::Hearing => "subscribe",
        }
    }
}

/// That a call published on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Which channel.
    pub channel: Bytes,
    /// Whether the server denied it.
    pub denied: bool,
}

/// A denial counts for so long: nobody may ever use its channel again.
const LIFE: Duration = Duration::from_secs(600);
/// So many channels are remembered; one is enough to know that something is denied.
const MOST: usize = 1000;

/// What the user is currently denied, by channel: one may be allowed while another is not.
#[derive(Debug, Default)]
pub struct Muted {
    denied: Mutex<HashMap<(Mute, Bytes), Instant>>,
    /// How many there are, so that the usual case, none, costs nothing.
    count: AtomicUsize,
}

impl Muted {
    /// Records whether an operation was denied on a channel. Returns true for the first denial after a time without any.
    pub fn set(&self, what: Mute, channel: impl FnOnce() -> Bytes, denied: bool, now: Instant) -> bool {
        if !denied && self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut all = self.current(now);
        let is_first = all.is_empty();
        let key = (what, channel());
        if !denied {
            all.remove(&key);
        } else if all.len() < MOST || all.contains_key(&key) {
            all.insert(key, now);
        }
        self.count.store(all.len(), Ordering::Relaxed);
        denied && is_first
    }

    /// Whether any permission is missing.
    pub fn is_any(&self, now: Instant) -> bool {
        self.count.load(Ordering::Relaxed) > 0 && !self.current(now).is_empty()
    }

    /// Those that count still.
    fn current(&self, now: Instant) -> MutexGuard<'_, HashMap<(Mute, Bytes), Instant>> {
        let mut all = self.denied.lock();
        all.retain(|_, at| now.saturating_duration_since(*at) < LIFE);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_news_once_until_all_is_allowed() {
        let (muted, now) = (Muted::default(), Instant::now());
        let set = |what, channel: &'static str, denied| muted.set(what, || channel.into(), denied, now);
        assert!(!set(Mute::Telling, "a", false) && !muted.is_any(now));
        assert!(set(Mute::Hearing, "a", true) && !set(Mute::Hearing, "a", true));
        assert!(!set(Mute::Telling, "a", true) && muted.is_any(now));
        assert!(!set(Mute::Hearing, "a", false) && muted.is_any(now));
        assert!(!set(Mute::Telling, "a", false) && !muted.is_any(now));
        assert!(set(Mute::Telling, "a", true));
    }

    #[test]
    fn a_channel_that_is_allowed_says_nothing_of_another() {
        let (muted, now) = (Muted::default(), Instant::now());
        let news = (0..50).filter(|_| {
            let denied = muted.set(Mute::Telling, || "b".into(), true, now);
            assert!(!muted.set(Mute::Telling, || "a".into(), false, now) && muted.is_any(now));
            denied
        });
        assert_eq!(news.count(), 1);
        assert!(!muted.set(Mute::Telling, || "b".into(), false, now) && !muted.is_any(now));
    }

    #[test]
    fn a_denial_that_is_not_repeated_is_forgotten() {
        let (muted, now) = (Muted::default(), Instant::now());
        assert!(muted.set(Mute::Telling, || "a".into(), true, now));
        let last = now + LIFE - Duration::from_secs(1);
        assert!(muted.is_any(last) && !muted.set(Mute::Telling, || "a".into(), true, last));
        assert!(muted.is_any(now + LIFE) && !muted.is_any(last + LIFE));
        assert!(muted.set(Mute::Telling, || "a".into(), true, last + LIFE), "that is news again");
    }

    #[test]
    fn no_more_channels_are_remembered_than_may_be() {
        let (muted, now) = (Muted::default(), Instant::now());
        let news = (0..2 * MOST).filter(|n| muted.set(Mute::Telling, || n.to_string().into(), true, now));
        assert_eq!(news.count(), 1);
        assert_eq!(muted.denied.lock().len(), MOST);
    }
}
