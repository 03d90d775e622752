//! Commands that need a dedicated connection: blocking ones, and those whose replies are not known to be safe to pipeline.

use std::time::Duration;

use bytes::Bytes;

/// A command on a dedicated connection, which is closed after it.
#[derive(Debug, Clone)]
pub struct DedicatedCommand {
    /// Its name in upper case.
    pub name: String,
    /// Its blocking timeout, if it blocks.
    pub blocking: Option<BlockingTimeout>,
}

/// The blocking timeout of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockingTimeout {
    /// The index of the argument that contains it.
    pub argument: usize,
    /// Whether the argument is in milliseconds rather than seconds.
    pub in_millis: bool,
    /// The timeout; `None` blocks forever.
    pub timeout: Option<Duration>,
}

/// How much later than the caller's timeout the deadline of the call is. A server checks blocking timeouts ten times a second, and
/// an element popped for a caller that has given up would be lost.
const GRACE: Duration = Duration::from_millis(500);

/// Longer than any process lives.
const LONGEST: Duration = Duration::from_secs(1 << 31);

impl BlockingTimeout {
    /// Returns the timeout of the call: the caller's own limit, otherwise the blocking timeout plus the default timeout.
    pub fn call_timeout(&self, limit: Option<Duration>, default: Duration) -> Duration {
        limit.unwrap_or_else(|| self.timeout.unwrap_or_default().saturating_add(default)).min(LONGEST) + GRACE
    }

    /// Whether it would still block after the caller's limit.
    pub fn exceeds(&self, limit: Duration) -> bool {
        self.timeout.is_none_or(|timeout| timeout > limit)
    }

    /// Shortens the timeout in the arguments so that the server replies within the remaining time.
    pub fn shorten_to(&self, remaining: Duration, args: &mut [Bytes]) {
        let longest = remaining.saturating_sub(GRACE).max(Duration::from_millis(1));
        if !self.exceeds(longest) {
            return;
        }
        if let Some(arg) = args.get_mut(self.argument) {
            let millis = longest.as_millis();
            *arg = Bytes::from(if self.in_millis {
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
    fn the_server_stops_blocking_before_the_deadline_of_the_call() {
        for (timeout, in_millis, limit, sent) in [
            (None, false, None, "5.000"),
            (None, true, None, "5000"),
            (None, false, Some(SECOND / 10), "0.100"),
            (None, true, Some(Duration::ZERO), "1"),
            (Some(30 * SECOND), false, None, "unchanged"),
            (Some(30 * SECOND), false, Some(2 * SECOND), "2.000"),
            (Some(2 * SECOND), false, Some(2 * SECOND), "unchanged"),
        ] {
            let mut args = [Bytes::from_static(b"q"), Bytes::from_static(b"unchanged")];
            let blocking = BlockingTimeout { argument: 1, in_millis, timeout };
            blocking.shorten_to(blocking.call_timeout(limit, 5 * SECOND), &mut args);
            assert_eq!(args[1], sent);
        }
    }

    #[test]
    fn a_blocking_timeout_is_added_to_the_default_timeout() {
        let blocking = |timeout| BlockingTimeout { argument: 0, in_millis: false, timeout };
        assert_eq!(blocking(Some(30 * SECOND)).call_timeout(None, 5 * SECOND), 35 * SECOND + GRACE);
        assert_eq!(blocking(Some(30 * SECOND)).call_timeout(Some(SECOND), 5 * SECOND), SECOND + GRACE);
        assert_eq!(blocking(None).call_timeout(None, 5 * SECOND), 5 * SECOND + GRACE);
    }
}
