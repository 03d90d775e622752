//! Times in the format of JavaScript.

use std::time::SystemTime;

/// Formats a time as `Date.prototype.toISOString` does.
pub fn iso(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// Returns the current time as `new Date().toISOString()` does.
pub fn iso_now() -> String {
    iso(SystemTime::now())
}
