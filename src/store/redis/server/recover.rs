//! How the breaker of a failed server is probed and closed again.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::Server;
use crate::{
    error::{Error, Kind, Result},
    store::{
        BreakerState, Event, EventKind, Reply,
        redis::{
            breaker::{Pass, Tally},
            dial::is_answer,
            resp::Commands,
        },
    },
};

/// How soon a server is probed after its breaker has opened. After a short outage, callers must not wait for the whole
/// `openMs`.
const SOON: Duration = Duration::from_secs(1);
/// If the breaker opens again within this time, the wait before the next probe doubles.
const RESTLESS: Duration = Duration::from_secs(60);

/// How often the breaker opened in a row, when it last did, and whether the probing task is running.
#[derive(Default)]
pub struct Trips(Mutex<(u32, Option<Instant>)>, AtomicBool);

impl Trips {
    /// Counts an opening; returns how long to wait before the server is probed.
    fn count(&self, now: Instant, longest: Duration) -> Duration {
        let mut trips = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let restless = trips.1.is_some_and(|last| now - last < RESTLESS);
        let count = if restless { trips.0.saturating_add(1) } else { 0 };
        *trips = (count, Some(now));
        SOON.saturating_mul(2_u32.saturating_pow(count)).min(longest)
    }
}

impl Server {
    /// Probes the server with a PING, so that no caller's request is risked.
    pub(super) async fn probe(&self, pass: Pass, deadline: Instant) -> Result<()> {
        let since = Instant::now();
        let until = deadline.min(since + self.breaker.settings().probe_timeout);
        let answer = self.ping(until).await;
        let mut tally = Tally::default();
        tally.count(&answer, since.elapsed(), self.breaker.settings());
        self.breaker.record(pass, tally, Instant::now());
        self.tell_breaker();
        answer.map(drop).map_err(|error| {
            Error::new(Kind::Unavailable, format!("{} is still not responding: {}", self.name, error.message()))
        })
    }

    async fn ping(&self, until: Instant) -> Result<Reply> {
        let member = self.pool.take(until).await?;
        let mut ping = Commands::default();
        ping.push_words(&[b"PING"]);
        let pong = member.connection.hand_over(ping).replies(until).await.pop();
        match pong {
            Some(Err(error)) if is_answer(&error) => Ok(Reply::Nil),
            Some(pong) => pong,
            None => Err(Error::new(Kind::Unavailable, "no reply to a PING")),
        }
    }

    /// Probes the server while its breaker is open. If the reply is fast enough, the breaker becomes half-open early.
    async fn look(&self) {
        let settings = self.breaker.settings();
        let since = Instant::now();
        let answer = self.ping(since + settings.probe_timeout).await;
        if answer.is_ok() && since.elapsed() < settings.slow_call {
            self.breaker.reconnected(Instant::now());
            self.tell_breaker();
        }
    }

    /// Notifies the breaker of new connections, so that a recovered server is not blocked for the whole `openMs`.
    pub(super) fn tell_reconnected(&self) {
        if self.pool.is_useless() {
            return;
        }
        let made = self.pool.made();
        if self.made.swap(made, Ordering::Relaxed) != made {
            self.breaker.reconnected(Instant::now());
        }
    }

    pub(super) fn tell_breaker(&self) {
        let Some(state) = self.breaker.news(Instant::now()) else { return };
        if state == BreakerState::Open {
            self.look_after();
        }
        let (what, text) = match state {
            BreakerState::Open => (EventKind::BreakerOpen, "fails too often: calls are rejected for now"),
            BreakerState::HalfOpen => (EventKind::BreakerHalfOpen, "is being probed"),
            BreakerState::Closed => (EventKind::BreakerClosed, "has recovered: calls are sent again"),
        };
        self.events.emit(&Event::new(what, self.name.clone(), format!("{} {text}", self.name)));
    }

    fn look_after(&self) {
        let pause = self.trips.count(Instant::now(), self.breaker.settings().open_for);
        if self.trips.1.swap(true, Ordering::AcqRel) {
            return;
        }
        let me = self.me.clone();
        tokio::spawn(async move {
            loop {
                sleep(pause).await;
                let Some(server) = me.upgrade() else { return };
                if server.breaker.snapshot(Instant::now()).state != BreakerState::Open {
                    server.trips.1.store(false, Ordering::Release);
                    return;
                }
                server.look().await;
            }
        });
    }
}
