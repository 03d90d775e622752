//! How the breaker of a failed server is probed and closed again.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use cinnabar_port::{
    BreakerState, Event, EventKind, Reply,
    error::{Error, Kind, Result},
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::Server;
use crate::{
    breaker::{Admission, Outcomes},
    login::proves_server_is_up,
    resp::Commands,
};

/// How soon a server is probed after its breaker has opened. After a short outage, callers must not wait for the whole
/// `openMs`.
const SOON: Duration = Duration::from_secs(1);
/// If the breaker opens again before it was closed for this long, the wait before the next probe doubles.
const RESTLESS: Duration = Duration::from_secs(60);

/// The history of the breaker's openings, and whether the probing task is running.
#[derive(Default)]
pub struct Openings(Mutex<History>, AtomicBool);

#[derive(Default)]
struct History {
    /// How often it opened again without being closed for long.
    again: u32,
    /// When it last opened, or was last probed while it was open.
    since: Option<Instant>,
    closed: Option<Instant>,
}

impl Openings {
    /// Counts an opening.
    fn opened(&self, now: Instant) {
        let mut history = self.0.lock();
        let first = history.since.is_none();
        let calm = history.closed.take().is_some_and(|closed| now - closed >= RESTLESS);
        history.again = if first || calm { 0 } else { history.again.saturating_add(1) };
        history.since = Some(now);
    }

    fn closed(&self, now: Instant) {
        self.0.lock().closed = Some(now);
    }

    /// Records a probe after which it is still open.
    fn probed(&self, now: Instant) {
        self.0.lock().since = Some(now);
    }

    /// When the server is to be probed next.
    fn due(&self, longest: Duration) -> Option<Instant> {
        let history = self.0.lock();
        let pause = SOON.saturating_mul(2_u32.saturating_pow(history.again)).min(longest);
        history.since.map(|since| since + pause)
    }
}

impl Server {
    /// Probes the server with a PING, so that no caller's request is risked.
    pub(super) async fn probe(&self, admission: Admission, deadline: Instant) -> Result<()> {
        let since = Instant::now();
        let until = deadline.min(since + self.breaker.settings().probe_timeout);
        let reply = self.ping(until).await;
        let mut outcomes = Outcomes::default();
        outcomes.count(&reply, since.elapsed(), self.breaker.settings());
        self.breaker.record(admission, outcomes, Instant::now());
        self.report_breaker();
        reply.map(drop).map_err(|error| {
            let message = format!("{} is still not responding: {}", self.name, error.message());
            Error::new(Kind::Unavailable, message).because_of(&error)
        })
    }

    async fn ping(&self, until: Instant) -> Result<Reply> {
        let member = self.pool.take(until).await?;
        let mut ping = Commands::default();
        ping.push_words(&[b"PING"]);
        let pong = member.connection.submit(ping).replies(until).await.pop();
        match pong {
            Some(Err(error)) if proves_server_is_up(&error) => Ok(Reply::Nil),
            Some(pong) => pong,
            None => Err(Error::new(Kind::Unavailable, "no reply to a PING")),
        }
    }

    /// Probes the server while its breaker is open. If the reply is fast enough, the breaker becomes half-open early.
    async fn probe_early(&self) {
        let settings = self.breaker.settings();
        let since = Instant::now();
        let reply = self.ping(since + settings.probe_timeout).await;
        if reply.is_ok() && since.elapsed() < settings.slow_call {
            self.breaker.reconnected(Instant::now());
            self.report_breaker();
        }
    }

    /// Notifies the breaker of new connections, so that a recovered server is not blocked for the whole `openMs`.
    pub(super) fn note_reconnect(&self) {
        if self.pool.is_useless() {
            return;
        }
        let made = self.pool.made();
        if self.made.swap(made, Ordering::Relaxed) != made {
            self.breaker.reconnected(Instant::now());
        }
    }

    pub(super) fn report_breaker(&self) {
        let Some(state) = self.breaker.unreported_change(Instant::now()) else { return };
        match state {
            BreakerState::Open => {
                self.openings.opened(Instant::now());
                self.spawn_probing();
            }
            BreakerState::Closed => self.openings.closed(Instant::now()),
            BreakerState::HalfOpen => {}
        }
        let (what, text) = match state {
            BreakerState::Open => (EventKind::BreakerOpen, "fails too often: calls are rejected for now"),
            BreakerState::HalfOpen => (EventKind::BreakerHalfOpen, "is being probed"),
            BreakerState::Closed => (EventKind::BreakerClosed, "has recovered: calls are sent again"),
        };
        self.events.emit(&Event::new(what, self.name.clone(), format!("{} {text}", self.name)));
    }

    fn spawn_probing(&self) {
        if self.openings.1.swap(true, Ordering::AcqRel) {
            return;
        }
        let (me, longest) = (self.me.clone(), self.breaker.settings().open_for);
        tokio::spawn(async move {
            loop {
                let due = me.upgrade().and_then(|server| server.openings.due(longest));
                sleep_until(due.unwrap_or_else(Instant::now)).await;
                let Some(server) = me.upgrade() else { return };
                if server.breaker.snapshot(Instant::now()).state != BreakerState::Open {
                    server.openings.1.store(false, Ordering::Release);
                    return;
                }
                // It may have opened again meanwhile, and is then probed later.
                if server.openings.due(longest) <= Some(Instant::now()) {
                    server.probe_early().await;
                    server.openings.probed(Instant::now());
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(30);

    #[test]
    fn a_server_that_keeps_failing_is_probed_less_and_less_often() {
        let (openings, mut now) = (Openings::default(), Instant::now());
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            openings.opened(now);
            assert_eq!(openings.due(LONGEST), Some(now + Duration::from_secs(seconds)));
            // It replies to a probe, and fails again as soon as calls are sent.
            now += Duration::from_secs(seconds);
            openings.closed(now);
        }
    }

    #[test]
    fn probes_without_a_reply_keep_their_interval() {
        let (openings, mut now) = (Openings::default(), Instant::now());
        openings.opened(now);
        for _ in 0..5 {
            now += SOON;
            assert_eq!(openings.due(LONGEST), Some(now));
            openings.probed(now);
        }
    }

    #[test]
    fn only_a_breaker_that_was_closed_for_a_while_begins_anew() {
        let (openings, mut now) = (Openings::default(), Instant::now());
        let pause = |now: Instant| {
            openings.opened(now);
            openings.due(LONGEST).map(|due| due - now)
        };
        assert_eq!(pause(now), Some(SOON));
        // During an hour of outage it did not work.
        now += Duration::from_secs(3600);
        assert_eq!(pause(now), Some(SOON * 2));
        openings.closed(now);
        now += RESTLESS - SOON;
        assert_eq!(pause(now), Some(SOON * 4));
        openings.closed(now);
        now += RESTLESS;
        assert_eq!(pause(now), Some(SOON));
    }
}
