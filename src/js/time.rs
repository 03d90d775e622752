//! Moments as JavaScript writes them.

use std::time::SystemTime;

/// A moment, as `new Date().toISOString()` writes it.
pub fn iso(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// Now, as `new Date().toISOString()` writes it.
pub fn iso_now() -> String {
    iso(SystemTime::now())
}
