//! Publishing: who listens, and what is still to be handed over.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::answer::{Answer, Outcome};
use super::db::Db;
use super::glob;
use super::table::Spec;
use crate::store::{Listener, Message, Topic};

pub const COMMANDS: &[Spec] = &[Spec::new("PUBLISH", 3, publish).keyless()];

/// A message with those who listened when it was published.
pub struct Delivery {
    pub listeners: Vec<Listener>,
    pub message: Message,
}

/// Listeners, and messages on their way.
#[derive(Default)]
pub struct Hub {
    listeners: BTreeMap<u64, (Topic, Listener)>,
    last_id: u64,
    waiting: VecDeque<Delivery>,
    /// Somebody hands messages over now. One at a time, so that everybody sees them in the order of publishing.
    delivering: bool,
}

impl Hub {
    pub fn subscribe(&mut self, topic: Topic, listener: Listener) -> u64 {
        self.last_id += 1;
        self.listeners.insert(self.last_id, (topic, listener));
        self.last_id
    }

    pub fn unsubscribe(&mut self, id: u64) -> Option<(Topic, Listener)> {
        self.listeners.remove(&id)
    }

    /// Puts a message on its way; how many will get it.
    pub fn publish(&mut self, message: Message) -> usize {
        let listens = |topic: &Topic| match topic {
            Topic::Channel(name) => *name == message.channel,
            Topic::Pattern(pattern) => glob::matches(pattern, &message.channel),
        };
        let all = self.listeners.values().filter(|(topic, _)| listens(topic));
        let listeners: Vec<Listener> = all.map(|(_, listener)| listener.clone()).collect();
        let count = listeners.len();
        if count > 0 {
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

fn publish(db: &mut Db, args: &[Bytes]) -> Outcome {
    let [channel, payload] = args else { return Ok(Answer::Int(0)) };
    Ok(Answer::count(db.hub.publish(Message { channel: channel.clone(), payload: payload.clone() })))
}
