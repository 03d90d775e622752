//! One connection for messages, and its subscriptions.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use cinnabar_port::{
    Reply, Topic,
    error::{Error, Kind, Result},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::registry::Registry;
use crate::{native::stream::Stream, pool, redirection::moved_slot, resp::Commands, settings::Settings, slot::slot_of};

/// Changes the subscriptions of a connection.
pub enum Instruction {
    Subscribe(Topic),
    /// Ignored if the topic has a listener again.
    Unsubscribe(Topic),
    /// The same for a topic whose only listener was rejected. The connection stays open for a while.
    Refused(Topic),
    /// Another connection takes over, once this one has reported that it delivers no more.
    Leave(Topic),
}

/// The queue of instructions for a connection.
pub type Instructions = mpsc::UnboundedReceiver<Instruction>;

/// A connection to one server. When it is dropped, all its confirmed subscriptions are lost.
pub struct MessageConnection<'a> {
    stream: Stream,
    registry: &'a Registry,
    /// Subscriptions confirmed by the server.
    confirmed: HashSet<Topic>,
    /// Pending commands, in order. Each names one topic, so each gets one reply.
    pending: VecDeque<(u64, Pending)>,
    /// The last command for each topic, whose reply counts, and whether it was to subscribe.
    last: HashMap<Topic, (u64, bool)>,
    next: u64,
    /// Subscriptions that the server rejects after having confirmed them before. They are retried here, since listeners cannot
    /// retry.
    refused: HashSet<Topic>,
    retry_at: Instant,
    /// Receives topics that must move to another connection, if there can be one.
    leaving: Option<Leaving<'a>>,
    /// Whether it has received a message.
    has_received: bool,
}

/// Receives a topic that this connection delivers no more.
pub type Leaving<'a> = &'a (dyn Fn(Topic, Departure) + Send + Sync);

/// Why a topic has left a connection.
pub enum Departure {
    /// The node has just lost the slot.
    Lost,
    /// The node does not serve the slot.
    Rejected(Error),
    /// It was asked to leave.
    Requested,
}

enum Pending {
    Subscribe(Topic),
    Unsubscribe(Topic),
    Ping,
}

impl<'a> MessageConnection<'a> {
    pub fn new(mut stream: Stream, registry: &'a Registry, leaving: Option<Leaving<'a>>) -> Self {
        stream.allow_large_replies();
        let (confirmed, pending, last, refused) = (HashSet::new(), VecDeque::new(), HashMap::new(), HashSet::new());
        let retry_at = Instant::now();
        Self { stream, registry, confirmed, pending, last, next: 0, refused, retry_at, leaving, has_received: false }
    }

    /// Whether it has received a message, so that it counts as successful however soon it ended.
    pub fn has_received(&self) -> bool {
        self.has_received
    }

    /// Subscribes to these topics and listens until the connection ends; `None` if it is no longer needed.
    pub async fn listen(
        &mut self,
        topics: Vec<Topic>,
        instructions: &mut Instructions,
        settings: &Arc<Settings>,
    ) -> Option<()> {
        for topic in topics {
            // Nothing more can be sent over a broken stream, and one that accepts nothing would cost a timeout for each topic.
            if self.request(Pending::Subscribe(topic)).await.is_err() {
                return Some(());
            }
        }
        let mut last_received = Instant::now();
        loop {
            let quiet = if self.pending.is_empty() { settings.keepalive } else { pool::unresponsive_after(settings) };
            // Instructions come first, so that messages already received are not delivered after an unsubscribe.
            tokio::select! {
                biased;
                instruction = instructions.recv() => {
                    if self.pending.is_empty() {
                        // It was idle because nothing was pending: the reply is pending from now on.
                        last_received = Instant::now();
                    }
                    if self.execute(instruction?).await.is_err() {
                        return Some(());
                    }
                }
                () = sleep_until(self.retry_at), if !self.refused.is_empty() => {
                    self.retry_at = Instant::now() + settings.keepalive;
                    for topic in std::mem::take(&mut self.refused) {
                        if self.registry.has_listener(&topic) && self.request(Pending::Subscribe(topic)).await.is_err() {
                            return Some(());
                        }
                    }
                }
                reply = self.stream.receive() => {
                    last_received = Instant::now();
                    let Ok(reply) = reply else { return Some(()) };
                    if self.take_all(reply).is_none() {
                        return Some(());
                    }
                }
                () = sleep_until(last_received + quiet) => {
                    // A reply is overdue, or it is time to send a PING.
                    if !self.pending.is_empty() || self.request(Pending::Ping).await.is_err() {
                        return Some(());
                    }
                    last_received = Instant::now();
                }
            }
        }
    }

    async fn execute(&mut self, instruction: Instruction) -> Result<()> {
        match instruction {
            Instruction::Subscribe(topic) if self.confirmed.contains(&topic) => self.registry.confirm(&topic),
            Instruction::Subscribe(topic) => self.subscribe(topic).await?,
            // The topic may have a listener again.
            Instruction::Unsubscribe(topic) | Instruction::Refused(topic) if self.registry.has_listener(&topic) => {}
            // The server has not confirmed it, and no command for it is pending.
            Instruction::Refused(topic) if !self.confirmed.contains(&topic) && !self.last.contains_key(&topic) => {
                self.refused.remove(&topic);
            }
            Instruction::Refused(topic) | Instruction::Unsubscribe(topic) => self.unsubscribe(topic).await?,
            Instruction::Leave(topic) => {
                self.confirmed.remove(&topic);
                if let Some(leaving) = self.leaving {
                    leaving(topic.clone(), Departure::Requested);
                }
                self.unsubscribe(topic).await?;
            }
        }
        Ok(())
    }

    async fn subscribe(&mut self, topic: Topic) -> Result<()> {
        match self.last.get(&topic) {
            Some((_, true)) => Ok(()),
            _ => self.request(Pending::Subscribe(topic)).await,
        }
    }

    async fn unsubscribe(&mut self, topic: Topic) -> Result<()> {
        self.confirmed.remove(&topic);
        self.refused.remove(&topic);
        self.request(Pending::Unsubscribe(topic)).await
    }

    async fn request(&mut self, pending: Pending) -> Result<()> {
        let mut commands = Commands::default();
        match &pending {
            Pending::Subscribe(Topic::Channel(name)) => commands.push_words(&[b"SUBSCRIBE", name]),
            Pending::Subscribe(Topic::Pattern(name)) => commands.push_words(&[b"PSUBSCRIBE", name]),
            Pending::Subscribe(Topic::Shard(name)) => commands.push_words(&[b"SSUBSCRIBE", name]),
            Pending::Unsubscribe(Topic::Channel(name)) => commands.push_words(&[b"UNSUBSCRIBE", name]),
            Pending::Unsubscribe(Topic::Pattern(name)) => commands.push_words(&[b"PUNSUBSCRIBE", name]),
            Pending::Unsubscribe(Topic::Shard(name)) => commands.push_words(&[b"SUNSUBSCRIBE", name]),
            Pending::Ping => commands.push_words(&[b"PING"]),
        }
        self.next += 1;
        match &pending {
            Pending::Subscribe(topic) => drop(self.last.insert(topic.clone(), (self.next, true))),
            Pending::Unsubscribe(topic) => drop(self.last.insert(topic.clone(), (self.next, false))),
            Pending::Ping => {}
        }
        self.pending.push_back((self.next, pending));
        self.stream.send(commands).await
    }

    /// Handles this reply and all others that have arrived with it; `None` if one of them is invalid.
    fn take_all(&mut self, first: Result<Reply>) -> Option<()> {
        let mut reply = first;
        loop {
            self.take(reply)?;
            match self.stream.decode() {
                Ok(Some(next)) => reply = next,
                Ok(None) => return Some(()),
                Err(_) => return None,
            }
        }
    }

    /// Handles a message or the reply to a command; `None` if it is neither.
    fn take(&mut self, reply: Result<Reply>) -> Option<()> {
        let mut parts = match reply {
            Err(error) => return self.replied(Err(error)),
            Ok(Reply::Array(parts)) => parts.into_iter(),
            Ok(_) => return self.replied(Ok(())),
        };
        let mut next = || match parts.next() {
            Some(Reply::Bulk(bytes)) => Some(bytes),
            _ => None,
        };
        match &next()?[..] {
            b"message" => self.deliver(Topic::Channel, next()?, next()?),
            b"smessage" => self.deliver(Topic::Shard, next()?, next()?),
            b"pmessage" => {
                let (pattern, channel, payload) = (next()?, next()?, next()?);
                self.has_received = true;
                self.registry.deliver(&Topic::Pattern(pattern), channel, payload);
            }
            b"sunsubscribe" => {
                let topic = Topic::Shard(next()?);
                let pending = matches!(self.pending.front(), Some((_, Pending::Unsubscribe(other))) if *other == topic);
                if pending {
                    return self.replied(Ok(()));
                }
                self.slot_left(topic);
            }
            _ => return self.replied(Ok(())),
        }
        Some(())
    }

    fn deliver(&mut self, topic: fn(Bytes) -> Topic, channel: Bytes, payload: Bytes) {
        let topic = topic(channel.clone());
        self.has_received = true;
        // Topics that have left are received on another connection, and a message must not be delivered twice.
        if self.leaving.is_none() || self.confirmed.contains(&topic) {
            self.registry.deliver(&topic, channel, payload);
        }
    }

    /// The slot of a channel has left this node.
    fn slot_left(&mut self, topic: Topic) {
        if self.confirmed.remove(&topic) {
            self.registry.lose(&topic);
            if let Some(leaving) = self.leaving {
                leaving(topic, Departure::Lost);
            }
        }
    }

    fn replied(&mut self, result: Result<()>) -> Option<()> {
        if let (Err(error), Some((_, Pending::Subscribe(topic) | Pending::Unsubscribe(topic)))) =
            (&result, self.pending.front())
            && is_of_another_slot(error, topic)
        {
            // The slot of a channel moved before our unsubscribe arrived, and the server has replied to both.
            return Some(());
        }
        let (topic, subscribed) = match self.pending.pop_front()? {
            (number, Pending::Subscribe(topic) | Pending::Unsubscribe(topic))
                if self.last.get(&topic).is_some_and(|(last, _)| *last == number) =>
            {
                let last = self.last.remove(&topic);
                (topic, last.is_some_and(|(_, subscribe)| subscribe))
            }
            _ => return Some(()),
        };
        if subscribed {
            self.settle(topic, result);
        }
        Some(())
    }

    fn settle(&mut self, topic: Topic, result: Result<()>) {
        match (result, self.leaving) {
            (Ok(()), _) => {
                self.registry.confirm(&topic);
                self.confirmed.insert(topic);
            }
            (Err(error), Some(leaving)) if error.kind == Kind::Unavailable || moved_slot(&error).is_some() => {
                self.lost(&topic);
                leaving(topic, Departure::Rejected(error));
            }
            (Err(error), _) => {
                self.lost(&topic);
                if self.registry.refuse(&topic, &error) {
                    // It may be permitted again later; messages published until then are missed.
                    self.refused.insert(topic);
                }
            }
        }
    }

    fn lost(&mut self, topic: &Topic) {
        if self.confirmed.remove(topic) {
            self.registry.lose(topic);
        }
    }
}

impl Drop for MessageConnection<'_> {
    fn drop(&mut self) {
        self.confirmed.iter().for_each(|topic| self.registry.lose(topic));
    }
}

fn is_of_another_slot(error: &Error, topic: &Topic) -> bool {
    let Topic::Shard(channel) = topic else { return false };
    moved_slot(error).is_some_and(|slot| slot != slot_of(channel))
}

#[cfg(test)]
mod tests;
