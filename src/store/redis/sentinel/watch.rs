//! Listens to one sentinel at a time, so that a fail-over is followed although the former primary still answers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

use super::super::{
    dial::{Dialler, Place, is_answer},
    pool::{self, Pool},
    resp::Commands,
    wire::Wire,
};
use super::{
    LIMIT, Sentinels,
    ask::{Named, ask},
    ranked,
};
use crate::{error::Result, settings::Address, store::Reply};

/// How often they are asked while the primary does not answer.
const LOOK: Duration = Duration::from_millis(250);

/// So many times; then as much less often.
const OFTEN: u32 = 120;
const SELDOM: u32 = 8;

/// The task that listens, for as long as this lives and is not closed.
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

    /// Listens from now on.
    pub fn start(&self, pool: &Pool) {
        let mut state = self.lock();
        if matches!(*state, State::Idle) {
            let (sentinels, dialler, pool) = (self.sentinels.clone(), self.dialler.clone(), pool.clone());
            let watching = async move {
                tokio::select! {
                    () = listen(&sentinels, &dialler, &pool) => {}
                    () = look_around(&sentinels, &dialler, &pool) => {}
                }
            };
            *state = State::Running(tokio::spawn(watching).abort_handle());
        }
    }

    /// Where the primary is, if anybody has said so.
    pub fn primary(&self) -> Option<Place> {
        self.sentinels.latest()
    }

    /// Does not listen any more.
    pub fn close(&self) {
        if let State::Running(task) = std::mem::replace(&mut *self.lock(), State::Closed) {
            task.abort();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.close();
    }
}

/// For ever: to one sentinel until it falls silent, then to the next.
async fn listen(sentinels: &Sentinels, dialler: &Dialler, pool: &Pool) {
    let mut failures = 0;
    loop {
        for address in sentinels.addresses() {
            let line = Line { sentinels, dialler, pool, address: &address };
            if let Ok(Ok(mut wire)) = timeout(LIMIT, line.subscribe()).await {
                let since = Instant::now();
                line.look().await;
                // Why it ends does not matter: the next one is asked.
                let _ = line.hear(&mut wire).await;
                // One that hangs up at once is as good as none.
                if since.elapsed() >= pool::CALM {
                    failures = 0;
                }
            }
        }
        sleep(pool::wait(&sentinels.settings, failures)).await;
        failures += 1;
    }
}

/// While nothing answers, asks all of them again and again: the one that leads a fail-over names the new primary before it
/// tells of it, and the next attempt to connect may be a while away.
async fn look_around(sentinels: &Arc<Sentinels>, dialler: &Arc<Dialler>, pool: &Pool) {
    let mut in_vain = 0;
    loop {
        // An outage that goes on is nothing that sentinels are about to end.
        sleep(LOOK * if in_vain < OFTEN { 1 } else { SELDOM }).await;
        if pool.is_connected() {
            in_vain = 0;
            continue;
        }
        in_vain += 1;
        let named = sentinels.named(dialler, LIMIT).await.unwrap_or_default();
        if let Some(named) = ranked(named).into_iter().next()
            && sentinels.latest().is_some_and(|latest| latest != named.place)
            && sentinels.hear(&named)
        {
            pool.move_to(&named.place);
        }
    }
}

/// A sentinel that is listened to.
struct Line<'a> {
    sentinels: &'a Sentinels,
    dialler: &'a Dialler,
    pool: &'a Pool,
    address: &'a Address,
}

impl Line<'_> {
    async fn subscribe(&self) -> Result<Wire> {
        let until = tokio::time::Instant::now() + LIMIT;
        let place = Place::Tcp(self.address.clone());
        let mut wire = self.dialler.open(&place, &self.sentinels.entry(), until).await?;
        wire.ask(&[b"SUBSCRIBE", b"+switch-master", b"+promoted-slave"]).await?;
        Ok(wire)
    }

    /// What this sentinel says now: a fail-over may have come before it was listened to, and only an answer has its number.
    async fn look(&self) -> bool {
        match ask(self.sentinels, self.dialler, self.address, LIMIT).await {
            Ok(Some(named)) => {
                self.follow(&named);
                true
            }
            _ => false,
        }
    }

    fn follow(&self, named: &Named) {
        if self.sentinels.hear(named) {
            self.pool.move_to(&named.place);
        }
    }

    /// Until the sentinel is gone, or silent for two intervals of `keepalive`.
    async fn hear(&self, wire: &mut Wire) -> Result<()> {
        let mut asked = false;
        loop {
            let quiet: Duration = self.sentinels.settings.keepalive;
            match timeout(quiet, wire.receive()).await {
                Ok(heard) => {
                    asked = false;
                    let heard = match heard? {
                        Err(error) if is_answer(&error) => continue,
                        heard => heard?,
                    };
                    if promotes(&heard, &self.sentinels.name) {
                        self.look().await;
                    } else if let Some(place) = switched(&heard, &self.sentinels.name)
                        && !self.look().await
                    {
                        let epoch = self.sentinels.latest.borrow().as_ref().map_or(0, |(epoch, _)| *epoch);
                        self.follow(&Named { place, epoch, others: Vec::new() });
                    }
                }
                Err(_) if asked => return Ok(()),
                Err(_) => {
                    let mut ping = Commands::default();
                    ping.push_words(&[b"PING"]);
                    wire.send(ping).await?;
                    asked = true;
                }
            }
        }
    }
}

/// Where the primary of this name went, if this tells of it: `name host port host port`, the former place first.
fn switched(heard: &Reply, name: &str) -> Option<Place> {
    let Reply::Array(parts) = heard else { return None };
    let [Reply::Bulk(kind), Reply::Bulk(_), Reply::Bulk(text)] = &parts[..] else { return None };
    let words: Vec<_> = std::str::from_utf8(text).ok()?.split(' ').collect();
    let [whose, _, _, host, port] = words[..] else { return None };
    let place = Place::Tcp(Address { host: host.into(), port: port.parse().ok()? });
    (kind == "message" && whose == name).then_some(place)
}

/// Whether this tells of a new primary of this name: `slave address host port @ name host port`. The sentinel that leads a
/// fail-over names the new primary from here on, and says `+switch-master` only once every replica follows it.
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
        let to = |text| switched(&heard(text), "main").map(|place| place.to_string());
        assert_eq!(to("main 10.0.0.1 1 10.0.0.2 2").as_deref(), Some("10.0.0.2:2"));
        assert_eq!(to("other 10.0.0.1 1 10.0.0.2 2"), None);
        assert_eq!(to("main 10.0.0.1 1"), None);
    }
}
