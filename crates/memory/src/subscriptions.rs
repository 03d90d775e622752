//! Pub/sub: listeners by topic, and messages that are still to be delivered.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use cinnabar_port::{Message, MessageListener, Topic};

use super::glob;

/// A message with the listeners that it had when it was published.
pub struct Publication {
    pub listeners: Vec<MessageListener>,
    pub message: Message,
}

/// Listeners and pending messages.
#[derive(Default)]
pub struct Subscriptions {
    topics: HashMap<Topic, Vec<(u64, MessageListener)>>,
    /// The patterns among the topics, by the id of their first listener: each is compared with every channel.
    patterns: BTreeMap<u64, Topic>,
    by_id: HashMap<u64, Topic>,
    last_id: u64,
    pending: VecDeque<Publication>,
    /// Whether a thread is delivering messages. Only one does at a time, so that all listeners get them in the order of publishing.
    delivering: bool,
}

impl Subscriptions {
    pub fn subscribe(&mut self, topic: Topic, listener: MessageListener) -> u64 {
        self.last_id += 1;
        let listeners = self.topics.entry(topic.clone()).or_default();
        if listeners.is_empty() && matches!(topic, Topic::Pattern(_)) {
            self.patterns.insert(self.last_id, topic.clone());
        }
        listeners.push((self.last_id, listener));
        self.by_id.insert(self.last_id, topic);
        self.last_id
    }

    pub fn unsubscribe(&mut self, id: u64) -> Option<MessageListener> {
        let topic = self.by_id.remove(&id)?;
        let listeners = self.topics.get_mut(&topic)?;
        let at = listeners.iter().position(|(other, _)| *other == id)?;
        let (_, removed) = listeners.remove(at);
        if listeners.is_empty() {
            self.topics.remove(&topic);
            self.patterns.retain(|_, pattern| *pattern != topic);
        }
        Some(removed)
    }

    /// Queues a message for delivery and returns the number of its listeners. Listeners to the channel itself get it before those to
    /// patterns.
    pub fn publish(&mut self, topic: &Topic, payload: Bytes) -> usize {
        let channel = topic.name();
        let sharded = matches!(topic, Topic::Shard(_));
        let matching = self.patterns.values().filter(|pattern| !sharded && glob::matches(pattern.name(), channel));
        let listeners: Vec<MessageListener> = std::iter::once(topic)
            .chain(matching)
            .flat_map(|topic| self.topics.get(topic).into_iter().flatten())
            .map(|(_, listener)| listener.clone())
            .collect();
        let count = listeners.len();
        if count > 0 {
            let message = Message { channel: channel.clone(), payload };
            self.pending.push_back(Publication { listeners, message });
        }
        count
    }

    /// Starts delivery and returns the first message, or `None` if the queue is empty or another thread is delivering.
    pub fn start_delivery(&mut self) -> Option<Publication> {
        if self.delivering { None } else { self.next_delivery() }
    }

    /// Returns the next message to the thread that started delivery; `None` ends it.
    pub fn next_delivery(&mut self) -> Option<Publication> {
        let next = self.pending.pop_front();
        self.delivering = next.is_some();
        next
    }
}
