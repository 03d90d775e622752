//! Subscriptions: messages on their way to a JavaScript handler.

use std::{
    collections::HashMap,
    pin::pin,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use napi::{Env, sys::ValueType};

use super::{
    bridge::{Core, Handed, closed},
    completions::Done,
    env::{Js, Value},
    opened::Opened,
    operation::Operation,
};
use crate::{
    answer::Answer,
    error::{Error, Kind, Result},
    runtime,
    store::{Listener, Store, Topic},
};

/// Numbers of handlers, never used twice in a process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A service's open subscriptions: the handler's number → the store and the store's number.
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

    /// The handlers' numbers.
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

/// Calls `handler` for every message; the promise's number ends it.
pub fn subscribe(core: &Rc<Core>, env: &Env, name: Value, is_pattern: bool, handler: Value) -> Handed {
    let js = Js(env.raw());
    let bridge = core.bridge();
    let prepared = channel(js, name).and_then(|channel| {
        if js.kind(handler) != ValueType::napi_function {
            return Err(js.refuse(handler, "handler", "a function"));
        }
        Ok((channel, core.opened(js)?, runtime::get()?))
    });
    let (channel, opened, runtime) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Handed(bridge.rejected(js, error)),
    };
    let (promise, ticket) = bridge.promise(js, Operation { name: "SUBSCRIBE", empty: None });
    let Some(ticket) = ticket else { return Handed(promise) };
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let backlog = bridge.keep_handler(js, id, handler);
    let completions = bridge.completions.clone();
    let subscriptions = core.subscriptions.clone();
    let listener: Listener = {
        let completions = completions.clone();
        Arc::new(move |heard| backlog.offer(id, heard, &completions))
    };
    let topic = if is_pattern { Topic::Pattern(channel) } else { Topic::Channel(channel) };
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
            Ok(Answer::Number(id as f64))
        });
        if answer.is_err() {
            completions.push(Done::Unheard(id));
        }
        completions.push(Done::Calls(vec![(answer, ticket)]));
        if pending {
            // Its caller was told no; what comes of it after all is not left behind.
            drop(under_way);
            if let Ok(number) = subscribing.await {
                store.unsubscribe(number);
            }
        }
    });
    Handed(promise)
}

fn late() -> Error {
    Error::new(Kind::Timeout, "no subscription within the time that was given")
}
