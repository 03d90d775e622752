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
    sharding_unsupported,
};
use napi::Env;
use tokio::time::Instant;

use super::{
    node_api::{Js, RawValue, Value},
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
struct SubscribeOptions {
    topic: Topic,
    bounds: Bounds,
    /// Whether messages are delivered as Buffers.
    buffers: bool,
}

impl SubscribeOptions {
    fn read(js: Js, name: Value, options: Value, database: u8) -> Result<Self> {
        let channel = keys::channel(database, channel(js, name)?);
        let flag = |name, label| -> Result<bool> {
            Ok(js.option(options, name)?.map(|flag| js.flag(flag, label)).transpose()? == Some(true))
        };
        let topic = match (flag(c"pattern", "options.pattern")?, flag(c"sharded", "options.sharded")?) {
            (false, false) => Topic::Channel(channel),
            (true, false) => Topic::Pattern(channel),
            (false, true) => Topic::Shard(channel),
            (true, true) => return Err(Error::argument("sharded channels have no patterns: name each channel")),
        };
        let mut bounds = Bounds::default();
        if let Some(messages) = js.option(options, c"messages")? {
            bounds.messages = count(js, messages, "options.buffer.messages")?;
        }
        if let Some(bytes) = js.option(options, c"bytes")? {
            bounds.bytes = count(js, bytes, "options.buffer.bytes")?;
        }
        if let Some(overflow) = js.option(options, c"overflow")? {
            bounds.overflow = match js.text(overflow, "options.overflow")?.as_str() {
                "drop-oldest" => Overflow::DropOldest,
                "error" => Overflow::End,
                _ => return Err(Error::argument(r#"options.overflow must be "drop-oldest" or "error""#)),
            };
        }
        Ok(Self { topic, bounds, buffers: flag(c"buffers", "options.buffers")? })
    }
}

fn count(js: Js, value: Value, name: &str) -> Result<usize> {
    match js.whole(value, name)? {
        0 => Err(Error::argument(format!("{name} must be at least 1"))),
        count => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
    }
}

/// Subscribes, and notifies `reader` of messages.
pub fn subscribe(core: &ServiceCore, env: &Env, name: Value, options: Value, reader: Value) -> RawValue {
    let js = Js(env.raw());
    let database = core.settings().channel_database();
    let prepared = SubscribeOptions::read(js, name, options, database)
        .and_then(|SubscribeOptions { topic, bounds, buffers }| Ok((topic, Reader::new(js, reader, bounds, buffers)?)));
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
