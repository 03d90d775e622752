//! Subscriptions: connections of their own, which subscribe anew whenever they are made anew.
//!
//! All channels share one connection. Each pattern has its own: fred does not say which pattern a message came by, and
//! Redis sends a message once for every pattern that matches it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fred::{clients::Client, interfaces::PubsubInterface, prelude::*, types::RespVersion};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc, oneshot},
    time::timeout,
};

use super::{node, reply};
use crate::{
    error::{Error, Kind, Result},
    settings::Settings,
    store::{Listener, Message, Topic},
};

/// Everything this process listens to on one server.
pub struct Subscriber {
    settings: Arc<Settings>,
    next: AtomicU64,
    feeds: Mutex<HashMap<Option<Bytes>, Feed>>,
}

/// One connection and what is heard over it.
#[derive(Clone)]
struct Feed {
    listeners: Arc<Listeners>,
    orders: mpsc::UnboundedSender<Order>,
}

/// Who listens to what.
#[derive(Default)]
struct Listeners(Mutex<HashMap<Topic, Vec<(u64, Listener)>>>);

enum Order {
    Subscribe(Topic, oneshot::Sender<Result<()>>),
    Unsubscribe(Topic),
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, HashMap<Topic, Vec<(u64, Listener)>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn add(&self, topic: &Topic, id: u64, listener: Listener) {
        self.lock().entry(topic.clone()).or_default().push((id, listener));
    }

    /// Takes one away and says which topic nobody hears any more.
    fn remove(&self, id: u64) -> Option<Topic> {
        let mut all = self.lock();
        let topic = all.iter().find(|(_, who)| who.iter().any(|(other, _)| *other == id))?.0.clone();
        let who = all.get_mut(&topic)?;
        who.retain(|(other, _)| *other != id);
        if !who.is_empty() {
            return None;
        }
        all.remove(&topic);
        Some(topic)
    }

    fn topics(&self) -> Vec<Topic> {
        self.lock().keys().cloned().collect()
    }

    fn hear(&self, pattern: Option<&Bytes>, message: Message) {
        let topic = match pattern {
            Some(pattern) => Topic::Pattern(pattern.clone()),
            None => Topic::Channel(message.channel.clone()),
        };
        // Called outside the lock: a listener may well end its own subscription.
        let who = self.lock().get(&topic).cloned().unwrap_or_default();
        for (_, listener) in who {
            listener(message.clone());
        }
    }
}

impl Subscriber {
    pub fn new(settings: &Settings) -> Self {
        Self { settings: Arc::new(settings.clone()), next: AtomicU64::new(1), feeds: Mutex::default() }
    }

    /// Answers once the server has confirmed: what is published from then on is heard.
    pub async fn subscribe(&self, topic: Topic, listener: Listener) -> Result<u64> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let feed = self.feed(&topic);
        feed.listeners.add(&topic, id, listener);
        let (done, answer) = oneshot::channel();
        let sent = feed.orders.send(Order::Subscribe(topic, done)).is_ok();
        let answer = timeout(self.settings.timeout, answer).await;
        let result = match answer {
            Ok(Ok(result)) if sent => result,
            Err(_) => Err(Error::new(Kind::Timeout, format!("no subscription within {:?}", self.settings.timeout))),
            _ => Err(Error::new(Kind::Closed, "this service was disconnected")),
        };
        if result.is_err() {
            feed.listeners.remove(id);
        }
        result.map(|()| id)
    }

    pub fn unsubscribe(&self, id: u64) {
        let mut feeds = self.lock();
        for feed in feeds.values() {
            if let Some(topic) = feed.listeners.remove(id) {
                let _ = feed.orders.send(Order::Unsubscribe(topic));
                break;
            }
        }
        // A feed that nobody hears is let go; its task ends with its last sender.
        feeds.retain(|_, feed| !feed.listeners.lock().is_empty());
    }

    pub fn close(&self) {
        self.lock().clear();
    }

    fn feed(&self, topic: &Topic) -> Feed {
        let pattern = match topic {
            Topic::Channel(_) => None,
            Topic::Pattern(pattern) => Some(pattern.clone()),
        };
        let mut feeds = self.lock();
        let feed = feeds.entry(pattern.clone()).or_insert_with(|| {
            let (orders, inbox) = mpsc::unbounded_channel();
            let listeners = Arc::new(Listeners::default());
            tokio::spawn(keep_listening(self.settings.clone(), pattern, listeners.clone(), inbox));
            Feed { listeners, orders }
        });
        feed.clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<Bytes>, Feed>> {
        self.feeds.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

async fn keep_listening(
    settings: Arc<Settings>,
    pattern: Option<Bytes>,
    listeners: Arc<Listeners>,
    mut inbox: mpsc::UnboundedReceiver<Order>,
) {
    let mut failures = 0;
    loop {
        match node::dial(&settings, RespVersion::RESP3).await {
            Ok((client, task)) => {
                failures = 0;
                if listen(&client, task, pattern.as_ref(), &listeners, &mut inbox).await.is_none() {
                    let _ = timeout(Duration::from_secs(1), client.quit()).await;
                    return;
                }
            }
            Err(error) => {
                if refuse(&mut inbox, &error, node::wait(failures)).await.is_none() {
                    return;
                }
                failures += 1;
            }
        }
    }
}

/// Until the connection ends; `None` when nobody needs it any more.
async fn listen(
    client: &Client,
    mut task: fred::types::ConnectHandle,
    pattern: Option<&Bytes>,
    listeners: &Listeners,
    inbox: &mut mpsc::UnboundedReceiver<Order>,
) -> Option<()> {
    let mut messages = client.message_rx();
    for topic in listeners.topics() {
        let _ = start(client, &topic).await;
    }
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Ok(message) => listeners.hear(pattern, Message {
                    channel: message.channel.into_inner(),
                    payload: payload(message.value),
                }),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Some(()),
            },
            order = inbox.recv() => match order? {
                Order::Subscribe(topic, done) => drop(done.send(start(client, &topic).await)),
                Order::Unsubscribe(topic) => stop(client, &topic).await,
            },
            _ = &mut task => return Some(()),
        }
    }
}

/// Says no to whoever asks during the wait before the next attempt.
async fn refuse(inbox: &mut mpsc::UnboundedReceiver<Order>, error: &Error, wait: Duration) -> Option<()> {
    let pause = tokio::time::sleep(wait);
    tokio::pin!(pause);
    loop {
        tokio::select! {
            () = &mut pause => return Some(()),
            order = inbox.recv() => if let Order::Subscribe(_, done) = order? {
                let _ = done.send(Err(error.clone()));
            },
        }
    }
}

/// Subscribes and waits for the confirmation: fred answers when it has written, so a PING behind it is awaited too.
async fn start(client: &Client, topic: &Topic) -> Result<()> {
    let done = match topic {
        Topic::Channel(channel) => client.subscribe(text(channel)?).await,
        Topic::Pattern(pattern) => client.psubscribe(text(pattern)?).await,
    };
    done.map_err(reply::failure)?;
    client.ping::<Value>(None).await.map(drop).map_err(reply::failure)
}

async fn stop(client: &Client, topic: &Topic) {
    let _ = match topic {
        Topic::Channel(channel) => client.unsubscribe(text(channel).unwrap_or_default()).await,
        Topic::Pattern(pattern) => client.punsubscribe(text(pattern).unwrap_or_default()).await,
    };
}

fn text(bytes: &Bytes) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::argument("a channel must be text"))
}

fn payload(value: Value) -> Bytes {
    match value {
        Value::String(text) => text.into_inner(),
        Value::Bytes(bytes) => bytes,
        other => Bytes::from(other.into_string().unwrap_or_default()),
    }
}
