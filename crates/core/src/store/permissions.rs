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
pub enum Permission {
    /// To publish.
    Publish,
    /// To subscribe.
    Subscribe,
}

impl Permission {
    /// The denied operation.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
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
const TTL: Duration = Duration::from_secs(600);
/// So many channels are remembered; one is enough to know that something is denied.
const MAX_CHANNELS: usize = 1000;

/// What the user is currently denied, by channel: one may be allowed while another is not.
#[derive(Debug, Default)]
pub struct DeniedPermissions {
    denied: Mutex<HashMap<(Permission, Bytes), Instant>>,
    /// How many there are, so that the usual case, none, costs nothing.
    count: AtomicUsize,
}

impl DeniedPermissions {
    /// Records whether an operation was denied on a channel. Returns true for the first denial after a time without any.
    pub fn set(&self, what: Permission, channel: impl FnOnce() -> Bytes, denied: bool, now: Instant) -> bool {
        if !denied && self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut all = self.current(now);
        let is_first = all.is_empty();
        let key = (what, channel());
        if !denied {
            all.remove(&key);
        } else if all.len() < MAX_CHANNELS || all.contains_key(&key) {
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
    fn current(&self, now: Instant) -> MutexGuard<'_, HashMap<(Permission, Bytes), Instant>> {
        let mut all = self.denied.lock();
        all.retain(|_, at| now.saturating_duration_since(*at) < TTL);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_news_once_until_all_is_allowed() {
        let (permissions, now) = (DeniedPermissions::default(), Instant::now());
        let set = |what, channel: &'static str, denied| permissions.set(what, || channel.into(), denied, now);
        assert!(!set(Permission::Publish, "a", false) && !permissions.is_any(now));
        assert!(set(Permission::Subscribe, "a", true) && !set(Permission::Subscribe, "a", true));
        assert!(!set(Permission::Publish, "a", true) && permissions.is_any(now));
        assert!(!set(Permission::Subscribe, "a", false) && permissions.is_any(now));
        assert!(!set(Permission::Publish, "a", false) && !permissions.is_any(now));
        assert!(set(Permission::Publish, "a", true));
    }

    #[test]
    fn a_channel_that_is_allowed_says_nothing_of_another() {
        let (permissions, now) = (DeniedPermissions::default(), Instant::now());
        let news = (0..50).filter(|_| {
            let denied = permissions.set(Permission::Publish, || "b".into(), true, now);
            assert!(!permissions.set(Permission::Publish, || "a".into(), false, now) && permissions.is_any(now));
            denied
        });
        assert_eq!(news.count(), 1);
        assert!(!permissions.set(Permission::Publish, || "b".into(), false, now) && !permissions.is_any(now));
    }

    #[test]
    fn a_denial_that_is_not_repeated_is_forgotten() {
        let (permissions, now) = (DeniedPermissions::default(), Instant::now());
        assert!(permissions.set(Permission::Publish, || "a".into(), true, now));
        let last = now + TTL - Duration::from_secs(1);
        assert!(permissions.is_any(last) && !permissions.set(Permission::Publish, || "a".into(), true, last));
        assert!(permissions.is_any(now + TTL) && !permissions.is_any(last + TTL));
        assert!(permissions.set(Permission::Publish, || "a".into(), true, last + TTL), "that is news again");
    }

    #[test]
    fn no_more_channels_are_remembered_than_may_be() {
        let (permissions, now) = (DeniedPermissions::default(), Instant::now());
        let news =
            (0..2 * MAX_CHANNELS).filter(|n| permissions.set(Permission::Publish, || n.to_string().into(), true, now));
        assert_eq!(news.count(), 1);
        assert_eq!(permissions.denied.lock().len(), MAX_CHANNELS);
    }
}
