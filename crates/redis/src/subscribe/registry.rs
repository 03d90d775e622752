//! Who listens to what, who waits for a confirmation, and who has missed something since.

use std::collections::HashMap;

use bytes::Bytes;
use cinnabar_port::{
    Delivery, Message, MessageListener, Topic,
    error::{Error, Result},
};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::oneshot;

/// Gets the answer to one who wants to listen.
pub type Answer = oneshot::Sender<Result<()>>;

/// Listeners by what they listen to.
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
    waiting: Vec<Answer>,
}

struct Listening {
    id: u64,
    listener: MessageListener,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was confirmed for it yet, so that it cannot have missed anything.
    New,
    Heard,
    /// What it listened over has ended, and it may have missed something since.
    Lost,
    /// The same, and it was told that.
    Told,
}

impl Registry {
    /// One more listener; `done` hears what becomes of that.
    pub fn add(&self, topic: &Topic, id: u64, listener: MessageListener, done: Answer) {
        let mut entries = self.0.lock();
        entries.ids.insert(id, topic.clone());
        let entry = entries.topics.entry(topic.clone()).or_default();
        entry.listeners.push(Listening { id, listener, state: State::New });
        entry.waiting.push(done);
    }

    /// Takes one away and says which topic nobody hears any more.
    pub fn remove(&self, id: u64) -> Option<Topic> {
        let mut entries = self.0.lock();
        let topic = entries.ids.remove(&id)?;
        let entry = entries.topics.get_mut(&topic)?;
        let at = entry.listeners.iter().position(|one| one.id == id)?;
        let gone = entry.listeners.remove(at);
        let last = entry.listeners.is_empty().then(|| entries.topics.remove(&topic));
        drop(entries);
        // Dropped with no lock held: what it holds may call the engine.
        drop(gone);
        last.map(|_| topic)
    }

    /// Everything that anybody listens to.
    pub fn topics(&self) -> Vec<Topic> {
        self.0.lock().topics.keys().cloned().collect()
    }

    /// Whether nobody listens to anything.
    pub fn is_empty(&self) -> bool {
        self.0.lock().topics.is_empty()
    }

    /// Whether anybody listens to this.
    pub fn is_heard(&self, topic: &Topic) -> bool {
        self.0.lock().topics.contains_key(topic)
    }

    /// Hands a message to those who listen to this topic.
    pub fn hear(&self, topic: &Topic, channel: Bytes, payload: Bytes) {
        let mut listeners = self.each(topic, |one| Some(one.listener.clone()));
        let message = Message { channel, payload };
        if let Some(last) = listeners.pop() {
            for listener in listeners {
                listener(Delivery::Message(message.clone()));
            }
            last(Delivery::Message(message));
        }
    }

    /// The server has confirmed: what is published from here on is heard. Whoever may have missed something is told first.
    pub fn confirm(&self, topic: &Topic) {
        let missed = self.each(topic, |one| {
            let before = std::mem::replace(&mut one.state, State::Heard);
            matches!(before, State::Lost | State::Told).then(|| one.listener.clone())
        });
        missed.into_iter().for_each(|listener| listener(Delivery::Gap(None)));
        self.answer(topic, || Ok(()));
    }

    /// What was confirmed holds no longer.
    pub fn lose(&self, topic: &Topic) {
        self.each(topic, |one| {
            if one.state == State::Heard {
                one.state = State::Lost;
            }
            None
        });
    }

    /// The server refuses. Whoever waits hears why; whoever listened before hears once that messages are missing. Answers
    /// whether there is anybody of the latter: the server may change its mind.
    pub fn refuse(&self, topic: &Topic, error: &Error) -> bool {
        let mut any = false;
        let missed = self.each(topic, |one| {
            any |= one.state != State::New;
            let tell = one.state == State::Lost;
            if tell {
                one.state = State::Told;
            }
            tell.then(|| one.listener.clone())
        });
        missed.into_iter().for_each(|listener| listener(Delivery::Gap(None)));
        self.fail(topic, error);
        any
    }

    /// Tells whoever waits for this topic that it failed.
    pub fn fail(&self, topic: &Topic, error: &Error) {
        self.answer(topic, || Err(error.clone()));
    }

    fn answer(&self, topic: &Topic, result: impl Fn() -> Result<()>) {
        let waiting = self.0.lock().topics.get_mut(topic).map(|entry| std::mem::take(&mut entry.waiting));
        for done in waiting.into_iter().flatten() {
            let _ = done.send(result());
        }
    }

    /// Listeners are called outside the lock: one may well end its own subscription.
    fn each(
        &self,
        topic: &Topic,
        look: impl FnMut(&mut Listening) -> Option<MessageListener>,
    ) -> SmallVec<[MessageListener; 4]> {
        self.0
            .lock()
            .topics
            .get_mut(topic)
            .into_iter()
            .flat_map(|entry| &mut entry.listeners)
            .filter_map(look)
            .collect()
    }
}
