//! Publishing: who listens, and what is still to be handed over.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use cinnabar_port::{Message, MessageListener, Topic};

use super::glob;

/// A message with those who listened when it was published.
pub struct Delivery {
    pub listeners: Vec<MessageListener>,
    pub message: Message,
}

/// Listeners, and messages on their way.
#[derive(Default)]
pub struct Hub {
    topics: HashMap<Topic, Vec<(u64, MessageListener)>>,
    /// The patterns among them by the number of their first listener: each is compared with every channel.
    patterns: BTreeMap<u64, Topic>,
    numbers: HashMap<u64, Topic>,
    last_id: u64,
    waiting: VecDeque<Delivery>,
    /// Somebody hands messages over now. One at a time, so that everybody sees them in the order of publishing.
    delivering: bool,
}

impl Hub {
    pub fn subscribe(&mut self, topic: Topic, listener: MessageListener) -> u64 {
        self.last_id += 1;
        let listeners = self.topics.entry(topic.clone()).or_default();
        if listeners.is_empty() && matches!(topic, Topic::Pattern(_)) {
            self.patterns.insert(self.last_id, topic.clone());
        }
        listeners.push((self.last_id, listener));
        self.numbers.insert(self.last_id, topic);
        self.last_id
    }

    pub fn unsubscribe(&mut self, id: u64) -> Option<MessageListener> {
        let topic = self.numbers.remove(&id)?;
        let listeners = self.topics.get_mut(&topic)?;
        let at = listeners.iter().position(|(other, _)| *other == id)?;
        let (_, gone) = listeners.remove(at);
        if listeners.is_empty() {
            self.topics.remove(&topic);
            self.patterns.retain(|_, pattern| *pattern != topic);
        }
        Some(gone)
    }

    /// Puts a message on its way; how many will get it. Those who listen to the channel itself get it first.
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
            self.waiting.push_back(Delivery { listeners, message });
        }
        count
    }

    /// The first message to hand over; `None` when there is none or somebody is at it already.
    pub fn start_delivery(&mut self) -> Option<Delivery> {
        if self.delivering { None } else { self.next_delivery() }
    }

    /// The next message for the one who started; `None` ends it.
    pub fn next_delivery(&mut self) -> Option<Delivery> {
        let next = self.waiting.pop_front();
        self.delivering = next.is_some();
        next
    }
}
