//! The primary that sentinels name.
//!
//! Every connection asks all of them anew, by the names in the settings first, and believes none: a sentinel may be behind
//! by seconds, and a former primary calls itself one for as long. Whoever has seen the latest fail-over is tried first.

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
use query::{Named, ask};
pub use watch::Watch;

/// How long the others may take once one sentinel has named a primary.
const GRACE: Duration = Duration::from_millis(100);
/// How long one sentinel may take.
const LIMIT: Duration = Duration::from_secs(2);
/// Sentinels that were learned of; more is no sane answer.
const LEARNED: usize = 32;

/// The sentinels of one service.
pub struct Sentinels {
    name: String,
    configured: Vec<Address>,
    username: Option<String>,
    password: Option<Secret>,
    settings: Arc<Settings>,
    events: Arc<EventEmitter>,
    learned: Mutex<Vec<Address>>,
    /// Where the primary is, after the latest fail-over that anybody told of, and the number of that.
    latest: Sender<Option<(u64, Endpoint)>>,
}

impl Sentinels {
    /// Those of the settings. Asks nobody yet.
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
            learned: Mutex::default(),
            latest: Sender::new(None),
            settings,
        })
    }

    /// A connection to a server that is named and says itself that it is the primary.
    ///
    /// # Errors
    /// Why there is none: no sentinel answers, none knows the name, or who is named is no primary or cannot be reached.
    pub async fn dial(self: &Arc<Self>, dialler: &Arc<Dialler>) -> Result<(Endpoint, Link)> {
        let mut latest = self.latest.subscribe();
        loop {
            latest.mark_unchanged();
            tokio::select! {
                dialled = with_parallel_attempts(self.settings.connect_timeout, |limit| self.attempt(dialler, limit)) => return dialled,
                // Nothing is gained by waiting for the former primary any longer.
                _ = latest.changed() => {}
            }
        }
    }

    async fn attempt(self: &Arc<Self>, dialler: &Arc<Dialler>, limit: Duration) -> Result<(Endpoint, Link)> {
        let until = Instant::now() + limit;
        let known = self.latest.borrow().clone();
        let mut named = self.named(dialler, limit / 2).await?;
        // Sentinels that are behind must not lead back to a former primary.
        named.extend(known.clone().map(|(epoch, place)| Named { place, epoch, others: Vec::new() }));
        let mut all = ranked(named).into_iter();
        let mut refused = None;
        while let Some(named) = all.next() {
            let share = until.saturating_duration_since(Instant::now()) / (all.len() + 1) as u32;
            let tried = timeout(share, try_primary(dialler, &named.place, share)).await.unwrap_or_else(|_| {
                Err(Error::new(Kind::Unavailable, format!("no reply from {} within {share:?}", named.place)))
            });
            match tried {
                Ok(link) => {
                    self.settle_on(&named, known.as_ref());
                    return Ok((named.place, link));
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let why = refused.unwrap_or_else(|| Error::new(Kind::Unavailable, "no sentinel named one"));
        let message = format!("no primary for {self}: {}", why.message());
        Err(Error::new(why.kind, message).with_source(why))
    }

    /// Who is named, by whoever answers.
    async fn named(self: &Arc<Self>, dialler: &Arc<Dialler>, limit: Duration) -> Result<Vec<Named>> {
        let mut asked = JoinSet::new();
        for address in self.addresses() {
            let (sentinels, dialler) = (self.clone(), dialler.clone());
            asked.spawn(async move {
                let answer = ask(&sentinels, &dialler, &address, limit.min(LIMIT)).await;
                (address, answer)
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
                Some(Ok((_, Ok(Some(answer))))) => {
                    until.get_or_insert_with(|| Instant::now() + GRACE);
                    named.push(answer);
                }
                Some(Ok((address, Ok(None)))) => ignorant.push(address),
                // A refused password is what has to change, however many others are merely dead.
                Some(Ok((_, Err(error)))) => {
                    refused = refused.filter(|old: &Error| old.kind == Kind::Auth).or(Some(error));
                }
                Some(Err(_)) => {}
            }
        }
        if let Some(newest) = named.iter().max_by_key(|named| named.epoch) {
            self.learn(&newest.others);
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

    /// Those of the settings, and then those that were learned of. The former are never forgotten: they are names, and lead
    /// to wherever the sentinels are today.
    fn addresses(&self) -> Vec<Address> {
        self.configured.iter().chain(&*self.learned()).cloned().collect()
    }

    fn learn(&self, others: &[Address]) {
        let new = others.iter().filter(|address| !self.configured.contains(address));
        *self.learned() = new.take(LEARNED).cloned().collect();
    }

    fn learned(&self) -> MutexGuard<'_, Vec<Address>> {
        self.learned.lock()
    }

    /// Where the primary is, if anybody has said so.
    pub fn latest(&self) -> Option<Endpoint> {
        self.latest.borrow().as_ref().map(|(_, place)| place.clone())
    }

    /// Waits until somebody says that the primary is not there any more.
    pub async fn moved_from(&self, place: &Endpoint) {
        let mut latest = self.latest.subscribe();
        // The sender is `self`, so this ends only with an answer.
        let _ = latest.wait_for(|latest| latest.as_ref().is_some_and(|(_, other)| other != place)).await;
    }

    /// A primary by its own word, found when `known` was the latest. Even one of an older fail-over: the sentinels may have
    /// been set up anew. But what somebody else has learned in the meantime is newer.
    fn settle_on(&self, named: &Named, known: Option<&(u64, Endpoint)>) {
        let is_latest = self.latest.borrow().as_ref() == known;
        if is_latest {
            self.replace(named);
        }
    }

    /// What one sentinel says; whether it is not behind what is known already.
    fn hear(&self, named: &Named) -> bool {
        let behind = self.latest.borrow().as_ref().is_some_and(|(epoch, _)| named.epoch < *epoch);
        if !behind {
            self.replace(named);
        }
        !behind
    }

    fn replace(&self, named: &Named) {
        let mut before = None;
        self.latest.send_if_modified(|latest| {
            let moves = latest.as_ref().is_none_or(|(_, place)| *place != named.place);
            before = latest.replace((named.epoch, named.place.clone())).map(|(_, place)| place);
            moves
        });
        if let Some(before) = before.filter(|before| *before != named.place) {
            let text = format!("{} is the primary of {:?} now, replacing {before}", named.place, self.name);
            self.events.emit(&Event::new(EventKind::Failover, named.place.to_string(), text));
        }
    }

    /// Who we are to a sentinel.
    fn login(&self) -> Login<'_> {
        Login { username: self.username.as_deref(), password: self.password.as_ref().map(Secret::reveal), database: 0 }
    }
}

impl fmt::Display for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at sentinels {}", self.name, Listed(&self.configured))
    }
}

/// Each place once, by the latest fail-over that led there, and by how many say so.
fn ranked(named: Vec<Named>) -> Vec<Named> {
    let mut places: Vec<(Named, usize)> = Vec::new();
    for named in named {
        match places.iter_mut().find(|(other, _)| other.place == named.place) {
            Some((other, votes)) => {
                other.epoch = other.epoch.max(named.epoch);
                *votes += 1;
            }
            None => places.push((named, 1)),
        }
    }
    places.sort_by_key(|(named, votes)| std::cmp::Reverse((named.epoch, *votes)));
    places.into_iter().map(|(named, _)| named).collect()
}

/// A connection to this server, if it is a primary.
async fn try_primary(dialler: &Dialler, place: &Endpoint, limit: Duration) -> Result<Link> {
    let mut link = dialler.attempt(place, limit).await?;
    match is_primary(&mut link).await {
        Ok(true) => Ok(link),
        // A user who may not ask has to believe the sentinels.
        Err(error) if error.kind == Kind::Auth => Ok(link),
        Ok(false) => Err(Error::new(
            Kind::Unavailable,
            format!("{place} was named as the primary, but reports that it is a replica"),
        )),
        Err(error) => Err(Error::new(Kind::Unavailable, format!("{place} closed the connection: {}", error.message()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(port: u16, epoch: u64) -> Named {
        Named { place: Endpoint::Tcp(Address { host: "h".into(), port }), epoch, others: Vec::new() }
    }

    #[test]
    fn the_latest_fail_over_outweighs_any_number_of_sentinels_that_are_behind() {
        let places = |list| ranked(list).into_iter().map(|named| named.place.to_string()).collect::<Vec<_>>();
        assert_eq!(places(vec![named(1, 4), named(1, 4), named(2, 5)]), ["h:2", "h:1"]);
        assert_eq!(places(vec![named(1, 0), named(2, 0), named(2, 0)]), ["h:2", "h:1"]);
    }
}
