//! The time, and times in the format of JavaScript.

use std::{
    sync::LazyLock,
    time::{Instant, SystemTime},
};

use cinnabar_core::features::Moment;

/// Formats a time as `Date.prototype.toISOString` does.
pub fn iso(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// Returns the current time as `new Date().toISOString()` does.
pub fn iso_now() -> String {
    iso(SystemTime::now())
}

/// Returns the current time by both clocks of the system.
pub fn moment() -> Moment {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    Moment { steady: START.elapsed(), wall: SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default() }
}
