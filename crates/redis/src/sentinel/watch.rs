//! Subscribes to one sentinel at a time, so that a fail-over is noticed even if the old primary still responds.

use std::{sync::Arc, time::Duration};

use cinnabar_port::{Reply, error::Result};
use parking_lot::Mutex;
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

use super::super::{
    backoff, dial::Dialler, endpoint::Endpoint, login::proves_server_is_up, native::stream::Stream, pool::Pool,
    resp::Commands,
};
use super::{
    LIMIT, Sentinels,
    query::{Named, query},
    ranked,
};
use crate::settings::Address;

/// How often sentinels are polled while the primary is not responding.
const POLL_EVERY: Duration = Duration::from_millis(250);

/// After this many polls, the interval grows by the factor `SLOW_FACTOR`.
const FAST_POLLS: u32 = 120;
const SLOW_FACTOR: u32 = 8;

/// Owns the task that follows the sentinels; dropping or closing it ends the task.
pub struct Watch {
    sentinels: Arc<Sentinels>,
    dialler: Arc<Dialler>,
    state: Mutex<State>,
}

enum State {
    Idle,
    Running(AbortHandle),
    Closed,
}

impl Watch {
    pub fn new(sentinels: Arc<Sentinels>, dialler: Arc<Dialler>) -> Self {
        Self { sentinels, dialler, state: Mutex::new(State::Idle) }
    }

    /// Starts the task.
    pub fn start(&self, pool: &Pool) {
        let mut state = self.state.lock();
        if matches!(*state, State::Idle) {
            let (sentinels, dialler, pool) = (self.sentinels.clone(), self.dialler.clone(), pool.clone());
            let watching = async move {
                tokio::select! {
                    () = listen(&sentinels, &dialler, &pool) => {}
                    () = poll_while_down(&sentinels, &dialler, &pool) => {}
                }
            };
            *state = State::Running(tokio::spawn(watching).abort_handle());
        }
    }

    /// The address of the primary, if a sentinel has named it.
    pub fn primary(&self) -> Option<Endpoint> {
        self.sentinels.latest()
    }

    /// Ends the task.
    pub fn close(&self) {
        if let State::Running(task) = std::mem::replace(&mut *self.state.lock(), State::Closed) {
            task.abort();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs forever: follows one sentinel until it stops responding, then the next.
async fn listen(sentinels: &Sentinels, dialler: &Dialler, pool: &Pool) {
    let mut failures = 0;
    loop {
        for address in sentinels.addresses() {
            let follower = Follower { sentinels, dialler, pool, address: &address };
            if let Ok(Ok(mut stream)) = timeout(LIMIT, follower.subscribe()).await {
                let since = Instant::now();
                follower.poll().await;
                // The reason does not matter: the next sentinel is tried.
                let _ = follower.observe(&mut stream).await;
                // A connection that ends immediately counts as failed.
                if since.elapsed() >= backoff::STABLE_AFTER {
                    failures = 0;
                }
            }
        }
        sleep(backoff::before_reconnecting(&sentinels.settings, failures)).await;
        failures += 1;
    }
}

/// While the primary is down, polls all sentinels: the one that leads a fail-over returns the new primary before it announces
/// it, and the next attempt to connect may be some time away.
async fn poll_while_down(sentinels: &Arc<Sentinels>, dialler: &Arc<Dialler>, pool: &Pool) {
    let mut polls = 0;
    loop {
        // In a long outage, sentinels are unlikely to fail over soon.
        sleep(POLL_EVERY * if polls < FAST_POLLS { 1 } else { SLOW_FACTOR }).await;
        if pool.is_connected() {
            polls = 0;
            continue;
        }
        polls += 1;
        let named = sentinels.named(dialler, LIMIT).await.unwrap_or_default();
        if let Some(named) = ranked(named).into_iter().next()
            && sentinels.latest().is_some_and(|latest| latest != named.endpoint)
            && sentinels.observe(&named)
        {
            pool.move_to(&named.endpoint);
        }
    }
}

/// The sentinel that is being followed.
struct Follower<'a> {
    sentinels: &'a Sentinels,
    dialler: &'a Dialler,
    pool: &'a Pool,
    address: &'a Address,
}

impl Follower<'_> {
    async fn subscribe(&self) -> Result<Stream> {
        let until = tokio::time::Instant::now() + LIMIT;
        let endpoint = Endpoint::Tcp(self.address.clone());
        let mut stream = self.dialler.open(&endpoint, &self.sentinels.login(), until).await?;
        stream.request(&[b"SUBSCRIBE", b"+switch-master", b"+promoted-slave"]).await?;
        Ok(stream)
    }

    /// Queries the sentinel: a fail-over may have happened before the follower, and only a reply contains its epoch.
    async fn poll(&self) -> bool {
        match query(self.sentinels, self.dialler, self.address, LIMIT).await {
            Ok(Some(named)) => {
                self.follow(&named);
                true
            }
            _ => false,
        }
    }

    fn follow(&self, named: &Named) {
        if self.sentinels.observe(named) {
            self.pool.move_to(&named.endpoint);
        }
    }

    /// Runs until the connection ends or has received nothing for two intervals of `keepalive`.
    async fn observe(&self, stream: &mut Stream) -> Result<()> {
        let mut asked = false;
        loop {
            let quiet: Duration = self.sentinels.settings.keepalive;
            match timeout(quiet, stream.receive()).await {
                Ok(heard) => {
                    asked = false;
                    let heard = match heard? {
                        Err(error) if proves_server_is_up(&error) => continue,
                        heard => heard?,
                    };
                    if promotes(&heard, &self.sentinels.name) {
                        self.poll().await;
                    } else if let Some(endpoint) = switched(&heard, &self.sentinels.name)
                        && !self.poll().await
                    {
                        let epoch = self.sentinels.latest.borrow().as_ref().map_or(0, |(epoch, _)| *epoch);
                        self.follow(&Named { endpoint, epoch, others: Vec::new() });
                    }
                }
                Err(_) if asked => return Ok(()),
                Err(_) => {
                    let mut ping = Commands::default();
                    ping.push_words(&[b"PING"]);
                    stream.send(ping).await?;
                    asked = true;
                }
            }
        }
    }
}

/// The new address of this primary, if the message announces one: `name host port host port`, the old address first.
fn switched(heard: &Reply, name: &str) -> Option<Endpoint> {
    let Reply::Array(parts) = heard else { return None };
    let [Reply::Bulk(kind), Reply::Bulk(_), Reply::Bulk(text)] = &parts[..] else { return None };
    let words: Vec<_> = std::str::from_utf8(text).ok()?.split(' ').collect();
    let [whose, _, _, host, port] = words[..] else { return None };
    let endpoint = Endpoint::Tcp(Address { host: host.into(), port: port.parse().ok()? });
    (kind == "message" && whose == name).then_some(endpoint)
}

/// Whether the message announces the promotion of a replica of this primary: `slave address host port @ name host port`. The
/// sentinel that leads a fail-over returns the new primary from here on, and sends `+switch-master` only after all replicas
/// follow it.
fn promotes(heard: &Reply, name: &str) -> bool {
    let Reply::Array(parts) = heard else { return false };
    let [_, Reply::Bulk(channel), Reply::Bulk(text)] = &parts[..] else { return false };
    let text = std::str::from_utf8(text).unwrap_or_default();
    channel == "+promoted-slave" && text.split(" @ ").nth(1).and_then(|rest| rest.split(' ').next()) == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_switch_of_its_own_primary_is_followed() {
        let heard = |text| Reply::Array(vec![Reply::text("message"), Reply::text("+switch-master"), Reply::text(text)]);
        let to = |text| switched(&heard(text), "main").map(|endpoint| endpoint.to_string());
        assert_eq!(to("main 10.0.0.1 1 10.0.0.2 2").as_deref(), Some("10.0.0.2:2"));
        assert_eq!(to("other 10.0.0.1 1 10.0.0.2 2"), None);
        assert_eq!(to("main 10.0.0.1 1"), None);
    }
}
