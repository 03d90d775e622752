//! Requests that share a connection with nobody: what waits at the server, and what nobody can say the replies of.

use std::time::Duration;

use bytes::Bytes;

use super::Args;

/// A command on a connection of its own, which ends with it.
#[derive(Debug, Clone)]
pub struct Apart {
    /// Its name in capitals.
    pub name: String,
    /// How long it asks the server to wait.
    pub wait: Option<Wait>,
}

/// A wait at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Which of the arguments says how long.
    pub at: usize,
    /// Whether it says so in milliseconds; else it is in seconds.
    pub millis: bool,
    /// How long it is; `None` is for ever.
    pub time: Option<Duration>,
}

/// A server looks ten times a second for waits that are over. Its answer is waited for as much longer than its caller asked:
/// what it had taken for somebody who is gone would be lost.
const LATE: Duration = Duration::from_millis(500);

/// Longer than any process lives.
const LONGEST: Duration = Duration::from_secs(1 << 31);

impl Wait {
    /// How long its call may take, where its caller has bound it to a time, and where callers usually have `usual`.
    pub fn call_time(&self, bound: Option<Duration>, usual: Duration) -> Duration {
        bound.unwrap_or_else(|| self.time.unwrap_or_default().saturating_add(usual)).min(LONGEST) + LATE
    }

    /// Whether it would go on when the time is over that its caller has bound it to.
    pub fn outlasts(&self, bound: Duration) -> bool {
        self.time.is_none_or(|time| time > bound)
    }

    /// Changes the arguments so that the server's answer comes before what is left of the call's time is over.
    pub fn end_within(&self, left: Duration, args: &mut Args) {
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
            let mut args: Args = [Bytes::from_static(b"q"), Bytes::from_static(b"as it was")].into_iter().collect();
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
