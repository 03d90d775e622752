//! The driver for Redis and Valkey. No other crate uses the network.

#![forbid(unsafe_code)]

mod backoff;
mod breaker;
mod cluster;
mod command;
mod connection;
mod dial;
mod endpoint;
#[cfg(feature = "fred")]
mod fred;
mod key_order;
mod key_watch;
mod link;
mod login;
mod native;
mod one;
mod plan;
mod pool;
mod redirection;
mod resp;
mod retry;
mod scripts;
mod sentinel;
mod server;
pub mod settings;
mod slot;
mod source;
mod subscribe;
mod tls;
mod transaction;
mod waiting;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_port::error::{Error, Kind, Result};
use futures_util::future::BoxFuture;
use tokio::{sync::watch, time::Instant};

use cinnabar_port::{EventEmitter, KeyListener, MessageListener, Reply, Request, Status, Topic};
use cluster::Cluster;
use dial::Dialler;
use endpoint::Endpoint;
pub use key_watch::KeyWatch;
use key_watch::Watcher;
use one::One;
use sentinel::Sentinels;
use settings::{Address, Driver, Settings};
use source::Source;
use subscribe::Subscriber;

/// The replies of a round.
pub enum Delivery {
    /// To all its requests, in order.
    All(Vec<Result<Reply>>),
    /// To the requests at these positions.
    Some(Vec<(usize, Result<Reply>)>),
}

impl Delivery {
    /// Returns each reply with the position of its request.
    pub fn into_some(self) -> Vec<(usize, Result<Reply>)> {
        match self {
            Self::All(replies) => replies.into_iter().enumerate().collect(),
            Self::Some(replies) => replies,
        }
    }

    /// Iterates over the replies, each with the position of its request.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Result<Reply>)> {
        let (all, some) = match self {
            Self::All(replies) => (replies.as_mut_slice(), <&mut [_]>::default()),
            Self::Some(replies) => (<&mut [_]>::default(), replies.as_mut_slice()),
        };
        all.iter_mut().enumerate().chain(some.iter_mut().map(|(at, reply)| (*at, reply)))
    }
}

/// Receives replies as they arrive.
pub type Deliver<'a> = &'a mut (dyn FnMut(Delivery) + Send);

/// The servers, and the connections to them.
///
/// Its futures are boxed: a crate that awaits a future of another crate gets a copy of the code of that future, and of all that it
/// awaits.
pub struct Engine {
    servers: Servers,
    driver: Driver,
    subscriber: Subscriber,
    settings: Arc<Settings>,
    /// For messages and pushes, which the native driver receives.
    messages: Arc<Dialler>,
    source: Source,
    closed: watch::Sender<()>,
}

enum Servers {
    One(Box<One>),
    Cluster(Arc<Cluster>),
}

impl Engine {
    /// Creates an engine. It connects at the first call.
    pub fn new(settings: &Settings, events: Arc<EventEmitter>) -> Result<Self> {
        let settings = Arc::new(settings.clone());
        let dialler = Arc::new(Dialler::new(settings.clone(), settings.driver));
        let one = |source: Source| {
            let one = One::new(settings.clone(), dialler.clone(), source.clone(), events.clone());
            (Servers::One(Box::new(one)), source)
        };
        let (servers, source) = match &settings.server {
            settings::Server::Tcp { host, port } => {
                one(Source::Fixed(Endpoint::Tcp(Address { host: host.clone(), port: *port })))
            }
            settings::Server::Unix(path) => one(Source::Fixed(Endpoint::Unix(path.clone()))),
            settings::Server::Sentinel { .. } => {
                one(Source::Named(Arc::new(Sentinels::new(settings.clone(), events.clone())?)))
            }
            settings::Server::Cluster(seeds) => {
                let cluster = Arc::new(Cluster::new(settings.clone(), dialler.clone(), seeds, events.clone()));
                (Servers::Cluster(cluster.clone()), Source::AnyOf(cluster))
            }
            settings::Server::Memory(_) => return Err(Error::new(Kind::Internal, "the embedded store has no server")),
        };
        let cluster = match &servers {
            Servers::Cluster(cluster) => Some(cluster.clone()),
            Servers::One(_) => None,
        };
        let messages = Arc::new(Dialler::new(settings.clone(), Driver::Native));
        let subscriber = Subscriber::new(settings.clone(), messages.clone(), source.clone(), cluster);
        let (closed, driver) = (watch::Sender::default(), settings.driver);
        Ok(Self { servers, driver, subscriber, settings, messages, source, closed })
    }

    /// Runs a round; returns one reply per request, in order.
    pub fn execute(&self, batch: Vec<Request>, deadline: Instant) -> BoxFuture<'_, Vec<Result<Reply>>> {
        Box::pin(async move {
            let nothing = || Err(Error::new(Kind::Internal, "a request got no reply"));
            let mut replies: Vec<_> = batch.iter().map(|_| nothing()).collect();
            let mut deliver = |delivery| match delivery {
                Delivery::All(all) => replies = all,
                Delivery::Some(some) => some.into_iter().for_each(|(at, reply)| replies[at] = reply),
            };
            self.execute_streaming(batch, deadline, &mut deliver).await;
            replies
        })
    }

    /// Runs a round; each reply is delivered as it arrives.
    pub fn execute_streaming<'a>(
        &'a self,
        batch: Vec<Request>,
        deadline: Instant,
        deliver: Deliver<'a>,
    ) -> BoxFuture<'a, ()> {
        if self.driver == Driver::Fred {
            let checked: Vec<_> = batch.iter().map(check_for_fred).collect();
            if checked.iter().any(Result::is_err) {
                return self.execute_checked(batch, checked, deadline, deliver);
            }
        }
        match &self.servers {
            Servers::One(one) => Box::pin(one.execute(batch, deadline, deliver)),
            Servers::Cluster(cluster) => Box::pin(cluster.execute(batch, deadline, deliver)),
        }
    }

    /// Rejects what the driver cannot run before anything is sent, and runs the rest.
    fn execute_checked<'a>(
        &'a self,
        batch: Vec<Request>,
        checked: Vec<Result<()>>,
        deadline: Instant,
        deliver: Deliver<'a>,
    ) -> BoxFuture<'a, ()> {
        let (mut requests, mut positions, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
        for (position, (request, checked)) in batch.into_iter().zip(checked).enumerate() {
            match checked {
                Ok(()) => {
                    requests.push(request);
                    positions.push(position);
                }
                Err(why) => rejected.push((position, Err(why))),
            }
        }
        Box::pin(async move {
            deliver(Delivery::Some(rejected));
            if !requests.is_empty() {
                let mut deliver_rest = |delivery: Delivery| {
                    let replies = delivery.into_some().into_iter();
                    let replies = replies.filter_map(|(at, reply)| Some((*positions.get(at)?, reply)));
                    deliver(Delivery::Some(replies.collect()));
                };
                self.execute_streaming(requests, deadline, &mut deliver_rest).await;
            }
        })
    }

    /// Connects if necessary, and waits until a connection is established.
    pub fn connect(&self) -> BoxFuture<'_, Result<()>> {
        match &self.servers {
            Servers::One(one) => Box::pin(one.connect()),
            Servers::Cluster(cluster) => Box::pin(cluster.connect()),
        }
    }

    /// Whether a connection is available.
    pub fn is_connected(&self) -> bool {
        match &self.servers {
            Servers::One(one) => one.is_connected(),
            Servers::Cluster(cluster) => cluster.is_connected(),
        }
    }

    /// Returns the current status.
    pub fn status(&self) -> Status {
        match &self.servers {
            Servers::One(one) => one.status(),
            Servers::Cluster(cluster) => cluster.status(),
        }
    }

    /// Subscribes; messages published after this has returned are delivered.
    pub fn subscribe(&self, topic: Topic, listener: MessageListener) -> BoxFuture<'_, Result<u64>> {
        Box::pin(self.subscriber.subscribe(topic, listener))
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, id: u64) {
        self.subscriber.unsubscribe(id);
    }

    /// Reports changes of keys with this prefix until the result is dropped, and every `interval` up to when they are known.
    pub fn watch_keys(&self, prefix: Bytes, interval: Duration, listener: KeyListener) -> KeyWatch {
        let servers = match &self.servers {
            Servers::One(one) => key_watch::Servers::One(self.source.clone(), one.pool().clone()),
            Servers::Cluster(cluster) => key_watch::Servers::Cluster(cluster.clone()),
        };
        let (settings, dialler) = (self.settings.clone(), self.messages.clone());
        Watcher { settings, dialler, servers, prefix, interval }.start(listener, self.closed.subscribe())
    }

    /// Closes all connections.
    pub fn close(&self) {
        let _ = self.closed.send(());
        match &self.servers {
            Servers::One(one) => one.close(),
            Servers::Cluster(cluster) => cluster.close(),
        }
        self.subscriber.close();
    }
}

#[cfg(feature = "fred")]
fn check_for_fred(request: &Request) -> Result<()> {
    fred::shape::check(request)
}

#[cfg(not(feature = "fred"))]
fn check_for_fred(_: &Request) -> Result<()> {
    Ok(())
}
