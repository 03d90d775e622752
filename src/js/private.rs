//! Prefixes of keys that contain secrets or personal data, which no error shows whoever used them.

use std::{
    collections::BTreeSet,
    sync::{PoisonError, RwLock},
};

use cinnabar_core::keys;

/// With more prefixes than this, no error shows a key.
const MOST: usize = 1000;

static OWN: RwLock<BTreeSet<Box<str>>> = RwLock::new(BTreeSet::new());

/// Registers a prefix of sessions or limits for the life of the process: their keys stay in the store.
pub fn hide(prefix: &str) {
    let is_known = |own: &BTreeSet<Box<str>>| own.len() > MOST || own.contains(prefix);
    if is_known(&OWN.read().unwrap_or_else(PoisonError::into_inner)) {
        return;
    }
    OWN.write().unwrap_or_else(PoisonError::into_inner).insert(prefix.into());
}

/// Whether a key may contain a session's id, a token's hash or a limited caller.
pub fn is_private(key: &[u8]) -> bool {
    let begins = |prefix: &str| key.starts_with(prefix.as_bytes());
    if [keys::SESSIONS, keys::LIMITS, keys::ROUTES].into_iter().any(begins) {
        return true;
    }
    let own = OWN.read().unwrap_or_else(PoisonError::into_inner);
    own.len() > MOST || own.iter().any(|prefix| begins(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_private_prefixes_are_known() {
        assert!(is_private(b"session:abc") && is_private(b"session:{session:abc}:load"));
        assert!(is_private(b"rate_limit:ada@example.com") && is_private(b"ratelimit:127.0.0.1:/"));
        assert!(!is_private(b"sessions") && !is_private(b"tenant:abc"));
        hide("tenant:");
        assert!(is_private(b"tenant:abc") && !is_private(b"other:abc"));
        for number in 0..=MOST {
            hide(&format!("prefix {number}"));
        }
        assert!(is_private(b"other:abc"), "what cannot be told apart is not shown");
    }
}
