//! Subscriptions: a connection of their own, which subscribes anew whenever it is made anew and says that something may have
//! been missed in between.

mod listeners;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{dial::Dialler, pool, resp::Commands, source::Source, wire::Wire};
use crate::{
    error::{Error, Kind, Result},
    settings::Settings,
    store::{Listener, Reply, Topic},
};
use listeners::Listeners;

/// Everything this process listens to on one server.
pub struct Subscriber {
    settings: Arc<Settings>,
    dialler: Arc<Dialler>,
    source: Source,
    next: AtomicU64,
    listeners: Arc<Listeners>,
    /// To the task that keeps the connection, while anybody listens.
    orders: Mutex<Option<mpsc::UnboundedSender<Order>>>,
}

enum Order {
    Subscribe(Topic, Answer),
    Unsubscribe(Topic),
}

type Answer = oneshot::Sender<Result<()>>;

/// Who waits for a confirmation.
type Waiting = HashMap<Topic, Vec<Answer>>;

impl Subscriber {
    pub fn new(settings: Arc<Settings>, dialler: Arc<Dialler>, source: Source) -> Self {
        let (next, listeners, orders) = (AtomicU64::new(1), Arc::default(), Mutex::default());
        Self { settings, dialler, source, next, listeners, orders }
    }

    /// Answers once the server has confirmed: what is published from then on is heard.
    pub async fn subscribe(&self, topic: Topic, listener: Listener) -> Result<u64> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.listeners.add(&topic, id, listener);
        let (done, answer) = oneshot::channel();
        self.order(Order::Subscribe(topic, done));
        let result = match timeout(self.settings.timeout, answer).await {
            Ok(Ok(result)) => result,
            Err(_) => Err(Error::new(Kind::Timeout, format!("no subscription within {:?}", self.settings.timeout))),
            Ok(Err(_)) => Err(Error::new(Kind::Closed, "this service was disconnected")),
        };
        if result.is_err() {
            self.unsubscribe(id);
        }
        result.map(|()| id)
    }

    pub fn unsubscribe(&self, id: u64) {
        let Some(topic) = self.listeners.remove(id) else { return };
        let mut orders = self.lock();
        if self.listeners.topics().is_empty() {
            // The task, and the connection with it, ends with its last sender.
            *orders = None;
        } else if let Some(orders) = &*orders {
            let _ = orders.send(Order::Unsubscribe(topic));
        }
    }

    pub fn close(&self) {
        *self.lock() = None;
    }

    fn order(&self, order: Order) {
        let mut orders = self.lock();
        let sender = orders.get_or_insert_with(|| {
            let (sender, inbox) = mpsc::unbounded_channel();
            let feed = Feed {
                settings: self.settings.clone(),
                dialler: self.dialler.clone(),
                source: self.source.clone(),
                listeners: self.listeners.clone(),
            };
            tokio::spawn(feed.keep(inbox));
            sender
        });
        let _ = sender.send(order);
    }

    fn lock(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<Order>>> {
        self.orders.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The task that keeps the connection.
struct Feed {
    settings: Arc<Settings>,
    dialler: Arc<Dialler>,
    source: Source,
    listeners: Arc<Listeners>,
}

impl Feed {
    /// Dials and listens, again and again, until nobody listens any more.
    async fn keep(self, mut inbox: mpsc::UnboundedReceiver<Order>) {
        let (mut failures, mut before, mut waiting) = (0, HashSet::new(), Waiting::new());
        loop {
            match self.source.dial(&self.dialler).await {
                Ok((place, wire)) => {
                    failures = 0;
                    let mut line = Line::new(wire, &self.listeners, &mut before, &mut waiting);
                    let needed = tokio::select! {
                        needed = line.listen(&mut inbox, &self.settings) => needed,
                        // What is published goes elsewhere, although the former server still answers.
                        () = self.source.left(&place) => Some(()),
                    };
                    if needed.is_none() {
                        return;
                    }
                    drop(line);
                    // Whoever else lost it at this moment must not be back at the same one.
                    sleep(pool::wait(&self.settings, 0)).await;
                }
                Err(error) => {
                    for done in waiting.drain().flat_map(|(_, waiting)| waiting) {
                        let _ = done.send(Err(error.clone()));
                    }
                    if refuse(&mut inbox, &error, pool::wait(&self.settings, failures)).await.is_none() {
                        return;
                    }
                    failures += 1;
                }
            }
        }
    }
}

/// One connection, and what was asked of it.
struct Line<'a> {
    wire: Wire,
    listeners: &'a Listeners,
    /// What was confirmed over a former connection and not over this one yet: messages may be missing.
    before: &'a mut HashSet<Topic>,
    /// What the server confirmed.
    confirmed: HashSet<Topic>,
    /// Commands without a reply, in order; the server answers each once, for we name one topic a command.
    asked: VecDeque<Asked>,
    /// They outlive the connection: to subscribe twice does no harm.
    waiting: &'a mut Waiting,
    /// What the server confirmed once and refuses now: it is asked again, for whoever listens cannot.
    refused: HashSet<Topic>,
    ask_again_at: Instant,
}

enum Asked {
    Subscribe(Topic),
    Unsubscribe(Topic),
    Ping,
}

impl<'a> Line<'a> {
    fn new(wire: Wire, listeners: &'a Listeners, before: &'a mut HashSet<Topic>, waiting: &'a mut Waiting) -> Self {
        before.retain(|topic| listeners.is_heard(topic));
        waiting.retain(|topic, _| listeners.is_heard(topic));
        let (confirmed, asked, refused) = (HashSet::new(), VecDeque::new(), HashSet::new());
        Self { wire, listeners, before, confirmed, asked, waiting, refused, ask_again_at: Instant::now() }
    }

    /// Until the connection ends; `None` when nobody needs it any more.
    async fn listen(&mut self, inbox: &mut mpsc::UnboundedReceiver<Order>, settings: &Settings) -> Option<()> {
        for topic in self.listeners.topics() {
            self.ask(Asked::Subscribe(topic)).await.ok();
        }
        let mut heard = Instant::now();
        loop {
            let quiet = if self.asked.is_empty() { settings.keepalive } else { pool::suspicion(settings) };
            tokio::select! {
                reply = self.wire.receive() => {
                    heard = Instant::now();
                    let Ok(reply) = reply else { return Some(()) };
                    if self.take(reply).is_none() {
                        return Some(());
                    }
                }
                order = inbox.recv() => {
                    if self.asked.is_empty() {
                        // It was quiet because nobody asked: what it owes, it owes from now on.
                        heard = Instant::now();
                    }
                    if self.obey(order?).await.is_err() {
                        return Some(());
                    }
                }
                () = sleep_until(self.ask_again_at), if !self.refused.is_empty() => {
                    self.ask_again_at = Instant::now() + settings.keepalive;
                    for topic in std::mem::take(&mut self.refused) {
                        if self.listeners.is_heard(&topic) && self.ask(Asked::Subscribe(topic)).await.is_err() {
                            return Some(());
                        }
                    }
                }
                () = sleep_until(heard + quiet) => {
                    // It owes an answer for too long, or is asked whether it is still there.
                    if !self.asked.is_empty() || self.ask(Asked::Ping).await.is_err() {
                        return Some(());
                    }
                    heard = Instant::now();
                }
            }
        }
    }

    async fn obey(&mut self, order: Order) -> Result<()> {
        match order {
            Order::Subscribe(topic, done) if self.confirmed.contains(&topic) => drop(done.send(Ok(()))),
            Order::Subscribe(topic, done) => {
                let waiting = self.waiting.entry(topic.clone()).or_default();
                waiting.push(done);
                let is_asked = |asked: &Asked| matches!(asked, Asked::Subscribe(other) if *other == topic);
                if !self.asked.iter().any(is_asked) {
                    self.ask(Asked::Subscribe(topic)).await?;
                }
            }
            // Somebody may have begun to listen since.
            Order::Unsubscribe(topic) if self.listeners.is_heard(&topic) => {}
            Order::Unsubscribe(topic) => {
                self.confirmed.remove(&topic);
                self.before.remove(&topic);
                self.ask(Asked::Unsubscribe(topic)).await?;
            }
        }
        Ok(())
    }

    async fn ask(&mut self, asked: Asked) -> Result<()> {
        let mut commands = Commands::default();
        let (subscribe, unsubscribe): (&[u8], &[u8]) = match &asked {
            Asked::Subscribe(Topic::Channel(_)) | Asked::Unsubscribe(Topic::Channel(_)) => {
                (b"SUBSCRIBE", b"UNSUBSCRIBE")
            }
            _ => (b"PSUBSCRIBE", b"PUNSUBSCRIBE"),
        };
        match &asked {
            Asked::Subscribe(topic) => commands.push_words(&[subscribe, name(topic)]),
            Asked::Unsubscribe(topic) => commands.push_words(&[unsubscribe, name(topic)]),
            Asked::Ping => commands.push_words(&[b"PING"]),
        }
        self.asked.push_back(asked);
        self.wire.send(commands).await
    }

    /// Takes a message or the answer to what was asked; `None` when it is neither.
    fn take(&mut self, reply: Result<Reply>) -> Option<()> {
        let mut parts = match reply {
            Err(error) => return self.answered(Err(error)),
            Ok(Reply::Array(parts)) => parts.into_iter(),
            Ok(_) => return self.answered(Ok(())),
        };
        let mut next = || match parts.next() {
            Some(Reply::Bulk(bytes)) => Some(bytes),
            _ => None,
        };
        match &next()?[..] {
            b"message" => {
                let (channel, payload) = (next()?, next()?);
                self.listeners.hear(&Topic::Channel(channel.clone()), channel, payload);
                Some(())
            }
            b"pmessage" => {
                let (pattern, channel, payload) = (next()?, next()?, next()?);
                self.listeners.hear(&Topic::Pattern(pattern), channel, payload);
                Some(())
            }
            _ => self.answered(Ok(())),
        }
    }

    fn answered(&mut self, result: Result<()>) -> Option<()> {
        let Asked::Subscribe(topic) = self.asked.pop_front()? else { return Some(()) };
        let waiting = self.waiting.remove(&topic);
        if result.is_ok() {
            self.confirmed.insert(topic.clone());
        } else if waiting.is_none() && self.before.contains(&topic) {
            // It may be allowed again some day, and what is published until then is missed.
            self.listeners.miss(&topic);
            self.refused.insert(topic);
            return Some(());
        }
        for done in waiting.into_iter().flatten() {
            let _ = done.send(result.clone());
        }
        if self.before.remove(&topic) {
            self.listeners.miss(&topic);
        }
        Some(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.before.extend(self.confirmed.drain());
    }
}

/// Says no to whoever asks during the wait before the next attempt.
async fn refuse(inbox: &mut mpsc::UnboundedReceiver<Order>, error: &Error, wait: Duration) -> Option<()> {
    let pause = sleep(wait);
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

fn name(topic: &Topic) -> &Bytes {
    match topic {
        Topic::Channel(name) | Topic::Pattern(name) => name,
    }
}
