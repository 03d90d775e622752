//! Who listens to what.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use bytes::Bytes;

use crate::store::{Heard, Listener, Message, Topic};

/// Listeners by what they listen to.
#[derive(Default)]
pub struct Listeners(Mutex<HashMap<Topic, Vec<(u64, Listener)>>>);

impl Listeners {
    pub fn add(&self, topic: &Topic, id: u64, listener: Listener) {
        self.lock().entry(topic.clone()).or_default().push((id, listener));
    }

    /// Takes one away and says which topic nobody hears any more.
    pub fn remove(&self, id: u64) -> Option<Topic> {
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

    pub fn topics(&self) -> Vec<Topic> {
        self.lock().keys().cloned().collect()
    }

    pub fn is_heard(&self, topic: &Topic) -> bool {
        self.lock().contains_key(topic)
    }

    /// Hands a message to those who listen to this topic.
    pub fn hear(&self, topic: &Topic, channel: Bytes, payload: Bytes) {
        let message = Message { channel, payload };
        for listener in self.of(topic) {
            listener(Heard::Message(message.clone()));
        }
    }

    /// Tells those who listen to this topic that messages may have been missed.
    pub fn miss(&self, topic: &Topic) {
        for listener in self.of(topic) {
            listener(Heard::Gap(None));
        }
    }

    /// They are called outside the lock: a listener may well end its own subscription.
    fn of(&self, topic: &Topic) -> Vec<Listener> {
        self.lock().get(topic).into_iter().flatten().map(|(_, listener)| listener.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Topic, Vec<(u64, Listener)>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
