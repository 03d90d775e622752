//! Prefixes of keys that contain secrets or personal data. Errors never contain these keys.

use std::collections::BTreeSet;

use cinnabar_core::keys;
use parking_lot::RwLock;

/// With more prefixes than this, errors contain no keys at all.
const MAX_PREFIXES: usize = 1000;

static PREFIXES: RwLock<BTreeSet<Box<str>>> = RwLock::new(BTreeSet::new());

/// Registers a prefix of sessions or limits until the process ends, because their keys remain in the store.
pub fn register(prefix: &str) {
    let is_known = |prefixes: &BTreeSet<Box<str>>| prefixes.len() > MAX_PREFIXES || prefixes.contains(prefix);
    if is_known(&PREFIXES.read()) {
        return;
    }
    PREFIXES.write().insert(prefix.into());
}

/// Whether a key may contain a session's id, a token's hash or a limited caller.
pub fn is_sensitive(key: &[u8]) -> bool {
    let begins = |prefix: &str| key.starts_with(prefix.as_bytes());
    if [keys::SESSIONS, keys::LIMITS, keys::ROUTES].into_iter().any(begins) {
        return true;
    }
    let prefixes = PREFIXES.read();
    prefixes.len() > MAX_PREFIXES || prefixes.iter().any(|prefix| begins(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_registered_prefixes_are_sensitive() {
        assert!(is_sensitive(b"session:abc") && is_sensitive(b"session:{session:abc}:load"));
        assert!(is_sensitive(b"rate_limit:ada@example.com") && is_sensitive(b"ratelimit:127.0.0.1:/"));
        assert!(!is_sensitive(b"sessions") && !is_sensitive(b"tenant:abc"));
        register("tenant:");
        assert!(is_sensitive(b"tenant:abc") && !is_sensitive(b"other:abc"));
        for number in 0..=MAX_PREFIXES {
            register(&format!("prefix {number}"));
        }
        assert!(is_sensitive(b"other:abc"), "no key is shown if there are too many prefixes");
    }
}
