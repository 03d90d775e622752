//! Requests that need a dedicated connection: blocking commands, and commands whose replies are not known to be safe to
//! pipeline.

use std::time::Duration;

use bytes::Bytes;

/// A command on a dedicated connection, which is closed after it.
#[derive(Debug, Clone)]
pub struct Apart {
    /// Its name in upper case.
    pub name: String,
    /// Its blocking timeout.
    pub wait: Option<Wait>,
}

/// The blocking timeout of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The index of the argument that contains it.
    pub at: usize,
    /// Whether it is in milliseconds rather than seconds.
    pub millis: bool,
    /// The timeout; `None` blocks forever.
    pub time: Option<Duration>,
}

/// A server checks blocking timeouts ten times a second. The deadline of the call is this much later than the caller's timeout:
/// an element popped for a caller that has gone would be lost.
const LATE: Duration = Duration::from_millis(500);

/// Longer than any process lives.
const LONGEST: Duration = Duration::from_secs(1 << 31);

impl Wait {
    /// How long the call may take: the caller's own limit, otherwise the blocking timeout plus the default timeout `usual`.
    pub fn call_time(&self, bound: Option<Duration>, usual: Duration) -> Duration {
        bound.unwrap_or_else(|| self.time.unwrap_or_default().saturating_add(usual)).min(LONGEST) + LATE
    }

    /// Whether it would still block after the caller's limit.
    pub fn outlasts(&self, bound: Duration) -> bool {
        self.time.is_none_or(|time| time > bound)
    }

    /// Shortens the timeout in the arguments so that the server replies within the remaining time.
    pub fn end_within(&self, left: Duration, args: &mut [Bytes]) {
        let longest = left.saturating_sub(LATE).max(Duration::from_millis(1));
        if !self.outlasts(longest) {
            return;
        }
        if let Some(arg) = args.get_mut(self.at) {
            let millis = longest.as_millis();
            *arg = Bytes::from(if self.millis {
                millis.to_string()
            } else {
                format!("{}.{:03}", millis / 1000, millis % 1000)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_server_stops_waiting_before_nobody_waits_for_it() {
        for (time, millis, bound, sent) in [
            (None, false, None, "5.000"),
            (None, true, None, "5000"),
            (None, false, Some(SECOND / 10), "0.100"),
            (None, true, Some(Duration::ZERO), "1"),
            (Some(30 * SECOND), false, None, "as it was"),
            (Some(30 * SECOND), false, Some(2 * SECOND), "2.000"),
            (Some(2 * SECOND), false, Some(2 * SECOND), "as it was"),
        ] {
            let mut args = [Bytes::from_static(b"q"), Bytes::from_static(b"as it was")];
            let wait = Wait { at: 1, millis, time };
            wait.end_within(wait.call_time(bound, 5 * SECOND), &mut args);
            assert_eq!(args[1], sent);
        }
    }

    #[test]
    fn a_wait_of_its_own_is_added_to_the_time_of_other_calls() {
        let wait = |time| Wait { at: 0, millis: false, time };
        assert_eq!(wait(Some(30 * SECOND)).call_time(None, 5 * SECOND), 35 * SECOND + LATE);
        assert_eq!(wait(Some(30 * SECOND)).call_time(Some(SECOND), 5 * SECOND), SECOND + LATE);
        assert_eq!(wait(None).call_time(None, 5 * SECOND), 5 * SECOND + LATE);
    }
}
