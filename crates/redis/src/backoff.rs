//! Delays before the next attempt: exponential, with full jitter, so that many clients do not come back at the same moment.
//! <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>

use std::time::Duration;

use cinnabar_port::random;

use crate::settings::Settings;

/// A connection that lasted this long counts as successful even if it was not used, so the next failure is the first one.
pub const STABLE_AFTER: Duration = Duration::from_secs(5);
const FIRST_RETRY: Duration = Duration::from_millis(50);

/// Before a connection is tried again that failed this many times in a row.
pub fn before_reconnecting(settings: &Settings, failures: u32) -> Duration {
    with_jitter(settings.reconnect_longest_wait.min(doubled(settings.reconnect_first_wait, failures.min(16))))
}

/// Before this attempt of a request; the longest is 1.6 s.
pub fn before_retrying(attempt: u32) -> Duration {
    with_jitter(doubled(FIRST_RETRY, attempt.min(5)))
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times))
}

fn with_jitter(longest: Duration) -> Duration {
    longest.mul_f64(random::fraction())
}
