//! The passwords and keys of this process, to be removed from error messages that repeat them.

use std::{
    borrow::Cow,
    sync::{Arc, Weak},
};

use parking_lot::{Mutex, MutexGuard};

/// The placeholder for a secret.
const PLACEHOLDER: &str = "***";
/// A secret of fewer bytes is replaced only as a whole word, since it may be part of other words.
const LONG: usize = 6;

static ALL: Mutex<Vec<Weak<str>>> = Mutex::new(Vec::new());

/// Registers a secret, which is removed from messages until the returned value is dropped.
pub fn register(text: &str) -> Arc<str> {
    let secret: Arc<str> = text.into();
    if !text.is_empty() {
        let mut all = lock();
        all.retain(|secret| secret.strong_count() > 0);
        all.push(Arc::downgrade(&secret));
    }
    secret
}

/// Replaces all registered secrets.
pub fn redacted(text: Cow<'static, str>) -> Cow<'static, str> {
    let secrets: Vec<Arc<str>> = lock().iter().filter_map(Weak::upgrade).collect();
    secrets.iter().fold(text, |text, secret| match replace(&text, secret) {
        Some(redacted) => redacted.into(),
        None => text,
    })
}

fn replace(text: &str, secret: &str) -> Option<String> {
    if !text.contains(secret) {
        return None;
    }
    if secret.len() >= LONG {
        return Some(text.replace(secret, PLACEHOLDER));
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(secret) {
        let end = at + secret.len();
        let alone = !text[..at].ends_with(char::is_alphanumeric) && !text[end..].starts_with(char::is_alphanumeric);
        if alone {
            out.extend([&text[from..at], PLACEHOLDER]);
            from = end;
        }
    }
    out.push_str(&text[from..]);
    Some(out)
}

fn lock() -> MutexGuard<'static, Vec<Weak<str>>> {
    ALL.lock()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_secret_is_redacted_while_it_is_registered() {
        let long = register("correct horse battery");
        let shown = || redacted("ERR what is correct horse battery?".into());
        assert_eq!(shown(), "ERR what is ***?");
        drop(long);
        // Another thread may be about to compare it.
        let until = Instant::now() + Duration::from_secs(10);
        while shown() == "ERR what is ***?" && Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(shown(), "ERR what is correct horse battery?");
    }

    #[test]
    fn a_short_secret_is_redacted_as_a_word() {
        assert_eq!(replace("a pw in powpw and 'pw'", "pw").as_deref(), Some("a *** in powpw and '***'"));
        assert_eq!(replace("nothing", "pw"), None);
    }
}
