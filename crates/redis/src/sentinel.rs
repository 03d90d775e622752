//! The primary that sentinels name.
//!
//! For each new connection all sentinels are queried, and none is trusted: a sentinel may be behind by seconds, and a former
//! primary reports itself as one for as long. The primary of the latest fail-over is tried first.

mod query;
mod watch;

use std::{fmt, sync::Arc, time::Duration};

use cinnabar_port::{
    Event, EventEmitter, EventKind,
    error::{Error, Kind, Result},
};
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::watch::Sender,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::{
    dial::{Dialler, is_primary, with_parallel_attempts},
    endpoint::Endpoint,
    link::Link,
    login::Login,
};
use crate::settings::{Address, Listed, Secret, Server, Settings};
use query::{Named, query};
pub use watch::Watch;

/// How long the others may take once one sentinel has named a primary.
const GRACE: Duration = Duration::from_millis(100);
/// How long one sentinel may take.
const LIMIT: Duration = Duration::from_secs(2);
/// The most sentinels that are discovered from others.
const MAX_DISCOVERED: usize = 32;

/// The sentinels of one service.
pub struct Sentinels {
    name: String,
    configured: Vec<Address>,
    username: Option<String>,
    password: Option<Secret>,
    settings: Arc<Settings>,
    events: Arc<EventEmitter>,
    discovered: Mutex<Vec<Address>>,
    /// The epoch of the latest known fail-over, and the primary since then.
    latest: Sender<Option<(u64, Endpoint)>>,
}

impl Sentinels {
    /// Creates the sentinels of these settings. Sends nothing yet.
    pub fn new(settings: Arc<Settings>, events: Arc<EventEmitter>) -> Result<Self> {
        let Server::Sentinel { addresses, name, username, password } = &settings.server else {
            return Err(Error::new(Kind::Internal, "no sentinels are configured"));
        };
        Ok(Self {
            name: name.clone(),
            configured: addresses.clone(),
            username: username.clone(),
            password: password.clone(),
            events,
            discovered: Mutex::default(),
            latest: Sender::new(None),
            settings,
        })
    }

    /// Connects to a server that is named by a sentinel and reports itself as a primary.
    ///
    /// # Errors
    /// If no sentinel responds or knows the name, or if the named servers are no primaries or cannot be reached.
    pub async fn dial(self: &Arc<Self>, dialler: &Arc<Dialler>) -> Result<(Endpoint, Link)> {
        let mut latest = self.latest.subscribe();
        loop {
            latest.mark_unchanged();
            tokio::select! {
                dialled = with_parallel_attempts(self.settings.connect_timeout, |limit| self.attempt(dialler, limit)) => return dialled,
                // There is no point in waiting for the former primary any longer.
                _ = latest.changed() => {}
            }
        }
    }

    async fn attempt(self: &Arc<Self>, dialler: &Arc<Dialler>, limit: Duration) -> Result<(Endpoint, Link)> {
        let until = Instant::now() + limit;
        let known = self.latest.borrow().clone();
        let mut named = self.named(dialler, limit / 2).await?;
        // Sentinels that are behind must not lead back to a former primary.
        named.extend(known.clone().map(|(epoch, endpoint)| Named { endpoint, epoch, others: Vec::new() }));
        let mut all = ranked(named).into_iter();
        let mut refused = None;
        while let Some(named) = all.next() {
            let share = until.saturating_duration_since(Instant::now()) / (all.len() + 1) as u32;
            let tried = timeout(share, try_primary(dialler, &named.endpoint, share)).await.unwrap_or_else(|_| {
                Err(Error::new(Kind::Unavailable, format!("no reply from {} within {share:?}", named.endpoint)))
            });
            match tried {
                Ok(link) => {
                    self.settle_on(&named, known.as_ref());
                    return Ok((named.endpoint, link));
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let why = refused.unwrap_or_else(|| Error::new(Kind::Unavailable, "no sentinel named one"));
        let message = format!("no primary for {self}: {}", why.message());
        Err(Error::new(why.kind, message).with_source(why))
    }

    /// Returns the primaries named by the sentinels that respond.
    async fn named(self: &Arc<Self>, dialler: &Arc<Dialler>, limit: Duration) -> Result<Vec<Named>> {
        let mut asked = JoinSet::new();
        for address in self.addresses() {
            let (sentinels, dialler) = (self.clone(), dialler.clone());
            asked.spawn(async move {
                let reply = query(&sentinels, &dialler, &address, limit.min(LIMIT)).await;
                (address, reply)
            });
        }
        let (mut named, mut ignorant, mut refused, mut until) = (Vec::<Named>::new(), Vec::new(), None, None);
        loop {
            let next = match until {
                None => asked.join_next().await,
                Some(until) => timeout_at(until, asked.join_next()).await.unwrap_or(None),
            };
            match next {
                None => break,
                Some(Ok((_, Ok(Some(reply))))) => {
                    until.get_or_insert_with(|| Instant::now() + GRACE);
                    named.push(reply);
                }
                Some(Ok((address, Ok(None)))) => ignorant.push(address),
                // A rejected password has to be fixed, no matter how many others are down.
                Some(Ok((_, Err(error)))) => {
                    refused = refused.filter(|old: &Error| old.kind == Kind::Auth).or(Some(error));
                }
                Some(Err(_)) => {}
            }
        }
        if let Some(newest) = named.iter().max_by_key(|named| named.epoch) {
            self.discover(&newest.others);
            return Ok(named);
        }
        let asked = self.addresses();
        let error = match refused {
            Some(error) if error.kind == Kind::Auth || ignorant.is_empty() => {
                let message =
                    format!("no sentinel for {:?} is responding ({}): {}", self.name, Listed(&asked), error.message());
                Error::new(error.kind, message).with_source(error)
            }
            _ => {
                let message =
                    format!("no sentinel knows a primary named {:?} (asked {})", self.name, Listed(&ignorant));
                Error::new(Kind::Unavailable, message)
            }
        };
        Err(error)
    }

    /// Returns the configured sentinels, then the discovered ones. The former are never dropped: their names may resolve to new
    /// addresses.
    fn addresses(&self) -> Vec<Address> {
        self.configured.iter().chain(&*self.discovered()).cloned().collect()
    }

    fn discover(&self, others: &[Address]) {
        let new = others.iter().filter(|address| !self.configured.contains(address));
        *self.discovered() = new.take(MAX_DISCOVERED).cloned().collect();
    }

    fn discovered(&self) -> MutexGuard<'_, Vec<Address>> {
        self.discovered.lock()
    }

    /// Returns the address of the primary, if a sentinel has named it.
    pub fn latest(&self) -> Option<Endpoint> {
        self.latest.borrow().as_ref().map(|(_, endpoint)| endpoint.clone())
    }

    /// Waits until a sentinel names another primary than this one.
    pub async fn moved_from(&self, endpoint: &Endpoint) {
        let mut latest = self.latest.subscribe();
        // The sender is `self`, so this ends only with a change.
        let _ = latest.wait_for(|latest| latest.as_ref().is_some_and(|(_, other)| other != endpoint)).await;
    }

    /// Records a confirmed primary, found when `known` was the latest one. It may belong to an older fail-over, since the sentinels
    /// may have been set up anew; but a primary recorded in the meantime is newer.
    fn settle_on(&self, named: &Named, known: Option<&(u64, Endpoint)>) {
        let is_latest = self.latest.borrow().as_ref() == known;
        if is_latest {
            self.replace(named);
        }
    }

    /// Records the primary that a sentinel names, unless the sentinel is behind; returns whether it was recorded.
    fn observe(&self, named: &Named) -> bool {
        let behind = self.latest.borrow().as_ref().is_some_and(|(epoch, _)| named.epoch < *epoch);
        if !behind {
            self.replace(named);
        }
        !behind
    }

    fn replace(&self, named: &Named) {
        let mut before = None;
        self.latest.send_if_modified(|latest| {
            let moves = latest.as_ref().is_none_or(|(_, endpoint)| *endpoint != named.endpoint);
            before = latest.replace((named.epoch, named.endpoint.clone())).map(|(_, endpoint)| endpoint);
            moves
        });
        if let Some(before) = before.filter(|before| *before != named.endpoint) {
            let text = format!("{} is the primary of {:?} now, replacing {before}", named.endpoint, self.name);
            self.events.emit(&Event::new(EventKind::Failover, named.endpoint.to_string(), text));
        }
    }

    /// The credentials for sentinels.
    fn login(&self) -> Login<'_> {
        Login { username: self.username.as_deref(), password: self.password.as_ref().map(Secret::reveal), database: 0 }
    }
}

impl fmt::Display for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at sentinels {}", self.name, Listed(&self.configured))
    }
}

/// Returns each endpoint once, ordered by its latest fail-over and by the number of sentinels that name it.
fn ranked(named: Vec<Named>) -> Vec<Named> {
    let mut endpoints: Vec<(Named, usize)> = Vec::new();
    for named in named {
        match endpoints.iter_mut().find(|(other, _)| other.endpoint == named.endpoint) {
            Some((other, votes)) => {
                other.epoch = other.epoch.max(named.epoch);
                *votes += 1;
            }
            None => endpoints.push((named, 1)),
        }
    }
    endpoints.sort_by_key(|(named, votes)| std::cmp::Reverse((named.epoch, *votes)));
    endpoints.into_iter().map(|(named, _)| named).collect()
}

/// Connects to this server, if it is a primary.
async fn try_primary(dialler: &Dialler, endpoint: &Endpoint, limit: Duration) -> Result<Link> {
    let mut link = dialler.attempt(endpoint, limit).await?;
    match is_primary(&mut link).await {
        Ok(true) => Ok(link),
        // Without the permission for ROLE, the sentinels have to be trusted.
        Err(error) if error.kind == Kind::Auth => Ok(link),
        Ok(false) => Err(Error::new(
            Kind::Unavailable,
            format!("{endpoint} was named as the primary, but reports that it is a replica"),
        )),
        Err(error) => {
            let message = format!("{endpoint} closed the connection: {}", error.message());
            Err(Error::new(Kind::Unavailable, message).because_of(&error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(port: u16, epoch: u64) -> Named {
        Named { endpoint: Endpoint::Tcp(Address { host: "h".into(), port }), epoch, others: Vec::new() }
    }

    #[test]
    fn the_latest_fail_over_outweighs_any_number_of_sentinels_that_are_behind() {
        let endpoints = |list| ranked(list).into_iter().map(|named| named.endpoint.to_string()).collect::<Vec<_>>();
        assert_eq!(endpoints(vec![named(1, 4), named(1, 4), named(2, 5)]), ["h:2", "h:1"]);
        assert_eq!(endpoints(vec![named(1, 0), named(2, 0), named(2, 0)]), ["h:2", "h:1"]);
    }
}
