//! Subscriptions: messages for a JavaScript reader.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use cinnabar_core::{
    inbox::{Bounds, Entry, Inbox, Label, Overflow, Pushed},
    keys,
    store::Store,
};
use cinnabar_port::{
    Call, Delivery, Message, MessageListener, Reply, Request, Step, Topic,
    error::{Error, Result},
    number::MAX_SAFE_INTEGER,
    sharding_unsupported,
};
use napi::Env;
use tokio::time::Instant;

use super::{
    node_api::{Js, RawValue, Value},
    option_reader::OptionReader,
    service_core::{Ending, Opening, Reader, Resource, Resources, ServiceCore},
};

struct Subscription {
    store: Arc<Store>,
    /// The id of the subscription in the store.
    number: u64,
    inbox: Arc<Inbox>,
}

impl Resource for Subscription {
    fn end(self: Box<Self>, _: Option<Instant>) -> Ending {
        self.store.unsubscribe(self.number);
        None
    }

    fn is_over(&self) -> bool {
        self.inbox.is_ended()
    }
}

/// Returns the name of a channel.
pub fn channel(js: Js, value: Value) -> Result<Bytes> {
    let channel = js.text(value, "channel")?;
    match channel.len() {
        0 => Err(Error::argument("channel must not be empty")),
        1..=65_536 => Ok(channel.into()),
        length => Err(Error::argument(format!("a channel of {length} bytes is longer than the 65536 allowed"))),
    }
}

/// Publishes JSON, or bytes unchanged; returns how many connections received it.
pub fn publish(channel: Bytes, value: Bytes, sharded: bool) -> Call<i64> {
    if !sharded {
        return Call::new(Request::command("PUBLISH", [channel, value]), Reply::int);
    }
    let request = Request::keyed("SPUBLISH", [channel, value]);
    Call::round([request], |replies| replies.last().map_err(sharding_unsupported)?.int().map(Step::Done))
}

/// The options of a subscription.
pub struct SubscribeOptions {
    pattern: bool,
    sharded: bool,
    bounds: Bounds,
    /// Whether messages are delivered as Buffers.
    buffers: bool,
}

impl OptionReader<'_> {
    /// `{ pattern, sharded, buffer: { messages, bytes }, overflow, buffers }`.
    pub fn subscribe(self) -> Result<SubscribeOptions> {
        let (pattern, sharded) = (self.flag(c"pattern", false)?, self.flag(c"sharded", false)?);
        let mut bounds = Bounds::default();
        if let Some(buffer) = self.group(c"buffer")? {
            bounds.messages = buffer.whole_or(c"messages", 1..=MAX_SAFE_INTEGER, bounds.messages)?;
            bounds.bytes = buffer.whole_or(c"bytes", 1..=MAX_SAFE_INTEGER, bounds.bytes)?;
        }
        let overflows = [("drop-oldest", Overflow::DropOldest), ("error", Overflow::End)];
        bounds.overflow = self.word_or(c"overflow", overflows, bounds.overflow)?;
        Ok(SubscribeOptions { pattern, sharded, bounds, buffers: self.flag(c"buffers", false)? })
    }
}

impl SubscribeOptions {
    fn topic(&self, channel: Bytes) -> Result<Topic> {
        match (self.pattern, self.sharded) {
            (false, false) => Ok(Topic::Channel(channel)),
            (true, false) => Ok(Topic::Pattern(channel)),
            (false, true) => Ok(Topic::Shard(channel)),
            (true, true) => Err(Error::argument("sharded channels have no patterns: name each channel")),
        }
    }
}

/// Subscribes, and notifies `reader` of messages.
pub fn subscribe(core: &ServiceCore, env: &Env, name: Value, options: Value, reader: Value) -> RawValue {
    let js = Js(env.raw());
    let database = core.settings().channel_database();
    let prepare = || {
        let channel = keys::channel(database, channel(js, name)?);
        let options = OptionReader::of_argument(js, options).subscribe()?;
        Ok((options.topic(channel)?, Reader::new(js, reader, options.bounds, options.buffers)?))
    };
    let prepared = prepare();
    let opening = Opening { name: "SUBSCRIBE", late: "no subscription within the time that was given" };
    core.open(js, opening, prepared, |(topic, reader), open_store, number| {
        let inbox = core.add_reader(js, number, reader);
        let named = matches!(topic, Topic::Pattern(_)).then_some(database);
        let listener = listener(number, inbox.clone(), Arc::downgrade(core.resources()), named);
        let store = open_store.store().clone();
        async move {
            let number = store.subscribe(topic, listener).await?;
            Ok(Subscription { store, number, inbox })
        }
    })
}

/// Puts messages into the inbox, with channel names without their database prefix, and ends the subscription once the inbox is
/// closed.
fn listener(id: u64, inbox: Arc<Inbox>, resources: Weak<Resources>, named: Option<u8>) -> MessageListener {
    Arc::new(move |delivery| match delivery {
        Delivery::Gap(missed) => inbox.push_gap(missed),
        Delivery::Message(Message { channel, payload: text }) => {
            let label = match named.map(|database| keys::caller_channel(database, &channel)) {
                None => Label::None,
                Some(Some(channel)) => Label::Name(channel),
                // A channel of another database.
                Some(None) => return,
            };
            if inbox.push(Entry { text, label }) == Pushed::Ended
                && let Some(resources) = resources.upgrade()
            {
                resources.end(id);
            }
        }
    })
}
