//! Times to live: callers give seconds, Redis takes milliseconds.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    error::{Error, Result},
    number::{LONGEST_SECONDS, to_js_string},
};

/// The longest ttl in seconds.
pub const MAX_SECONDS: f64 = LONGEST_SECONDS as f64;

/// Returns a ttl of so many seconds, rounded up to whole milliseconds.
///
/// # Errors
/// `E_INVALID_ARGUMENT`, naming `what`, unless it is a number over 0 and up to a hundred years.
pub fn from_seconds(what: &str, seconds: f64) -> Result<Duration> {
    if seconds > 0.0 && seconds <= MAX_SECONDS {
        return Ok(Duration::from_millis((seconds * 1000.0).ceil() as u64));
    }
    Err(Error::argument(format!(
        "{what} must be a number of seconds above 0 and up to {MAX_SECONDS}, got {}",
        to_js_string(seconds)
    )))
}

/// Encodes a duration in whole milliseconds, as an argument of a command.
pub fn millis(duration: Duration) -> Bytes {
    Bytes::copy_from_slice(itoa::Buffer::new().format(duration.as_millis() as u64).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_positive_and_finite() {
        assert_eq!(millis(from_seconds("ttl", 0.0001).unwrap()), "1");
        assert_eq!(millis(from_seconds("ttl", 86_400.0).unwrap()), "86400000");
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e12] {
            let error = from_seconds("ttl", bad).unwrap_err();
            assert_eq!(error.kind.code(), "E_INVALID_ARGUMENT");
            assert!(error.message().starts_with("ttl must be "), "{error}");
        }
    }
}
