//! The listeners of each topic, the callers that wait for a confirmation, and the listeners that may have missed messages.

use std::collections::HashMap;

use bytes::Bytes;
use cinnabar_port::{
    Delivery, Message, MessageListener, Topic,
    error::{Error, Result},
};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::oneshot;

/// Receives the result of a subscription.
pub type Confirmation = oneshot::Sender<Result<()>>;

/// The listeners, by topic.
#[derive(Default)]
pub struct Registry(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    topics: HashMap<Topic, Entry>,
    ids: HashMap<u64, Topic>,
}

#[derive(Default)]
struct Entry {
    listeners: SmallVec<[Listening; 1]>,
    waiting: Vec<Confirmation>,
}

struct Listening {
    id: u64,
    listener: MessageListener,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its subscription was not confirmed yet, so it cannot have missed anything.
    New,
    Heard,
    /// Its connection has ended, and it may have missed messages since.
    Lost,
    /// The same, and it was notified of that.
    Notified,
}

impl Registry {
    /// Adds a listener; `done` receives the result of its subscription.
    pub fn add(&self, topic: &Topic, id: u64, listener: MessageListener, done: Confirmation) {
        let mut entries = self.0.lock();
        entries.ids.insert(id, topic.clone());
        let entry = entries.topics.entry(topic.clone()).or_default();
        entry.listeners.push(Listening { id, listener, state: State::New });
        entry.waiting.push(done);
    }

    /// Removes a listener; returns its topic if that has no other listener.
    pub fn remove(&self, id: u64) -> Option<Topic> {
        let mut entries = self.0.lock();
        let topic = entries.ids.remove(&id)?;
        let entry = entries.topics.get_mut(&topic)?;
        let at = entry.listeners.iter().position(|one| one.id == id)?;
        let removed = entry.listeners.remove(at);
        let last = entry.listeners.is_empty().then(|| entries.topics.remove(&topic));
        drop(entries);
        // Dropped without the lock: dropping it may call the engine.
        drop(removed);
        last.map(|_| topic)
    }

    /// Returns all topics with listeners.
    pub fn topics(&self) -> Vec<Topic> {
        self.0.lock().topics.keys().cloned().collect()
    }

    /// Whether there is no listener.
    pub fn is_empty(&self) -> bool {
        self.0.lock().topics.is_empty()
    }

    /// Whether this topic has a listener.
    pub fn has_listener(&self, topic: &Topic) -> bool {
        self.0.lock().topics.contains_key(topic)
    }

    /// Delivers a message to the listeners of this topic.
    pub fn deliver(&self, topic: &Topic, channel: Bytes, payload: Bytes) {
        let mut listeners = self.each(topic, |one| Some(one.listener.clone()));
        let message = Message { channel, payload };
        if let Some(last) = listeners.pop() {
            for listener in listeners {
                listener(Delivery::Message(message.clone()));
            }
            last(Delivery::Message(message));
        }
    }

    /// The server has confirmed: messages published from now on are delivered. Listeners that may have missed some are notified first.
    pub fn confirm(&self, topic: &Topic) {
        let missed = self.each(topic, |one| {
            let before = std::mem::replace(&mut one.state, State::Heard);
            matches!(before, State::Lost | State::Notified).then(|| one.listener.clone())
        });
        missed.into_iter().for_each(|listener| listener(Delivery::Gap(None)));
        self.complete(topic, || Ok(()));
    }

    /// The subscription is no longer confirmed.
    pub fn lose(&self, topic: &Topic) {
        self.each(topic, |one| {
            if one.state == State::Heard {
                one.state = State::Lost;
            }
            None
        });
    }

    /// The server has rejected the subscription. Waiting callers get the error; listeners whose subscription had been confirmed are
    /// notified once of missing messages. Returns whether there are any of the latter: the server may accept it again.
    pub fn refuse(&self, topic: &Topic, error: &Error) -> bool {
        let mut any = false;
        let missed = self.each(topic, |one| {
            any |= one.state != State::New;
            let is_news = one.state == State::Lost;
            if is_news {
                one.state = State::Notified;
            }
            is_news.then(|| one.listener.clone())
        });
        missed.into_iter().for_each(|listener| listener(Delivery::Gap(None)));
        self.fail(topic, error);
        any
    }

    /// Fails the callers that wait for this topic.
    pub fn fail(&self, topic: &Topic, error: &Error) {
        self.complete(topic, || Err(error.clone()));
    }

    fn complete(&self, topic: &Topic, result: impl Fn() -> Result<()>) {
        let waiting = self.0.lock().topics.get_mut(topic).map(|entry| std::mem::take(&mut entry.waiting));
        for done in waiting.into_iter().flatten() {
            let _ = done.send(result());
        }
    }

    /// Selects listeners of a topic. They are called outside the lock, since one may end its own subscription.
    fn each(
        &self,
        topic: &Topic,
        select: impl FnMut(&mut Listening) -> Option<MessageListener>,
    ) -> SmallVec<[MessageListener; 4]> {
        let mut entries = self.0.lock();
        entries.topics.get_mut(topic).into_iter().flat_map(|entry| &mut entry.listeners).filter_map(select).collect()
    }
}
