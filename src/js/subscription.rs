//! Subscriptions: messages on their way to a JavaScript reader.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use cinnabar_core::{
    answer::Answer,
    inbox::{About, Bounds, Inbox, Note, Offered, Overflow},
    keys,
    store::Store,
};
use cinnabar_port::{
    Call, Heard, Listener, Message, Reply, Request, Step, Topic,
    error::{Error, Kind, Result},
    runtime, unsharded,
};
use napi::{Env, sys::ValueType};

use super::{
    completions::Completion,
    errors::closed,
    node_api::{Js, RawValue, Value},
    opened::Opened,
    operation::Operation,
    service_core::ServiceCore,
};

/// A service's open subscriptions: the reader's number → the store and the store's number.
#[derive(Default)]
pub struct Subscriptions(Mutex<HashMap<u64, (Arc<Store>, u64)>>);

impl Subscriptions {
    /// Ends one.
    pub fn end(&self, id: u64) {
        let ended = self.lock().remove(&id);
        if let Some((store, number)) = ended {
            store.unsubscribe(number);
        }
    }

    /// The readers' numbers.
    pub fn ids(&self) -> Vec<u64> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Arc<Store>, u64)>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A channel's name as it goes over the wire.
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
    Call::round([request], |replies| replies.one().map_err(unsharded)?.int().map(Step::Done))
}

/// What to listen to, and how much of it may wait.
struct Wanted {
    topic: Topic,
    bounds: Bounds,
    /// Whether messages are delivered as Buffers.
    buffers: bool,
}

impl Wanted {
    fn read(js: Js, name: Value, options: Value, database: u8) -> Result<Self> {
        let channel = keys::channel(database, channel(js, name)?);
        let flag = |name, said| -> Result<bool> {
            Ok(js.option(options, name)?.map(|flag| js.flag(flag, said)).transpose()? == Some(true))
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

/// Wakes `reader` for messages; the promise's number is what takes them and ends it.
pub fn subscribe(core: &ServiceCore, env: &Env, name: Value, options: Value, reader: Value) -> RawValue {
    let js = Js(env.raw());
    let bridge = core.environment();
    let database = core.settings().channel_database();
    let prepared = Wanted::read(js, name, options, database).and_then(|wanted| {
        if js.kind(reader) != ValueType::napi_function {
            return Err(js.refuse(reader, "reader", "a function"));
        }
        Ok((wanted, core.opened(js)?, runtime::get()?))
    });
    let (Wanted { topic, bounds, buffers }, opened, runtime) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return RawValue(bridge.rejected(js, &error)),
    };
    let (promise, ticket) = bridge.promise(js, Operation { name: "SUBSCRIBE", empty: None });
    let Some(ticket) = ticket else { return RawValue(promise) };
    let (id, inbox) = bridge.keep_reader(js, reader, bounds, buffers);
    let completions = bridge.completions.clone();
    let subscriptions = core.subscriptions().clone();
    let listener =
        listener(id, inbox.clone(), subscriptions.clone(), matches!(topic, Topic::Pattern(_)).then_some(database));
    let within = core.timeout();
    let under_way = Opened::begin(opened);
    runtime.spawn(async move {
        let store = under_way.store().clone();
        let mut subscribing = pin!(store.subscribe(topic, listener));
        let (answer, pending) = tokio::select! {
            subscribed = &mut subscribing => (subscribed, false),
            () = under_way.closing() => (Err(closed()), true),
            () = tokio::time::sleep(within) => (Err(late()), true),
        };
        let answer = answer.and_then(|number| {
            subscriptions.lock().insert(id, (store.clone(), number));
            // Whoever closes says so first and ends what it finds then: one of the two sees the other.
            if under_way.is_closing() {
                subscriptions.end(id);
                return Err(closed());
            }
            if inbox.is_ended() {
                subscriptions.end(id);
            }
            // At the end of its environment nobody closes it, and on a quiet channel no message finds its reader gone.
            inbox.on_close(move || subscriptions.end(id));
            Ok(Answer::Number(id as f64))
        });
        if answer.is_err() {
            completions.push(Completion::DropReader(id));
        }
        completions.push(Completion::Calls(vec![(answer, ticket)]));
        if pending {
            // Its caller was told no; what comes of it after all is not left behind.
            drop(under_way);
            if let Ok(number) = subscribing.await {
                store.unsubscribe(number);
            }
        }
    });
    RawValue(promise)
}

/// Puts messages into the inbox, with channel names without their database prefix, and ends the subscription once the inbox is
/// closed.
fn listener(id: u64, inbox: Arc<Inbox>, subscriptions: Arc<Subscriptions>, named: Option<u8>) -> Listener {
    Arc::new(move |heard| match heard {
        Heard::Gap(missed) => inbox.miss(missed),
        Heard::Message(Message { channel, payload: text }) => {
            let about = match named.map(|database| keys::plain_channel(database, &channel)) {
                None => About::Known,
                Some(Some(channel)) => About::Name(channel),
                // A channel of another database.
                Some(None) => return,
            };
            if inbox.offer(Note { text, about }) == Offered::Ended {
                subscriptions.end(id);
            }
        }
    })
}

fn late() -> Error {
    Error::new(Kind::Timeout, "no subscription within the time that was given")
}
