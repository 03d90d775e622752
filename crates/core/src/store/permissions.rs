//! Permissions to publish and subscribe that the user lacks. Features use channels only as hints, so they still work, but more slowly.

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
    /// The permission to publish.
    Publish,
    /// The permission to subscribe.
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

/// The outcome of publishing on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The channel.
    pub channel: Bytes,
    /// Whether the server denied it.
    pub denied: bool,
}

/// How long a denial is remembered, since its channel may never be used again.
const TTL: Duration = Duration::from_secs(600);
/// How many channels are remembered. One is enough to know that something is denied.
const MAX_CHANNELS: usize = 1000;

/// What the user is currently denied, by channel: one may be allowed while another is not.
#[derive(Debug, Default)]
pub struct DeniedPermissions {
    denied: Mutex<HashMap<(Permission, Bytes), Instant>>,
    /// The number of denials, so that the common case, none, takes no lock.
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

    /// Removes outdated denials, and returns the others.
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
    fn the_first_denial_is_reported_until_everything_is_allowed() {
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
    fn an_allowed_channel_does_not_clear_another() {
        let (permissions, now) = (DeniedPermissions::default(), Instant::now());
        let reported = (0..50).filter(|_| {
            let denied = permissions.set(Permission::Publish, || "b".into(), true, now);
            assert!(!permissions.set(Permission::Publish, || "a".into(), false, now) && permissions.is_any(now));
            denied
        });
        assert_eq!(reported.count(), 1);
        assert!(!permissions.set(Permission::Publish, || "b".into(), false, now) && !permissions.is_any(now));
    }

    #[test]
    fn a_denial_that_is_not_repeated_expires() {
        let (permissions, now) = (DeniedPermissions::default(), Instant::now());
        assert!(permissions.set(Permission::Publish, || "a".into(), true, now));
        let last = now + TTL - Duration::from_secs(1);
        assert!(permissions.is_any(last) && !permissions.set(Permission::Publish, || "a".into(), true, last));
        assert!(permissions.is_any(now + TTL) && !permissions.is_any(last + TTL));
        assert!(permissions.set(Permission::Publish, || "a".into(), true, last + TTL), "reported again");
    }

    #[test]
    fn the_number_of_channels_is_bounded() {
        let (permissions, now) = (DeniedPermissions::default(), Instant::now());
        let reported =
            (0..2 * MAX_CHANNELS).filter(|n| permissions.set(Permission::Publish, || n.to_string().into(), true, now));
        assert_eq!(reported.count(), 1);
        assert_eq!(permissions.denied.lock().len(), MAX_CHANNELS);
    }
}
