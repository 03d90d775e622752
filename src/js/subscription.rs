//! Subscriptions: messages on their way to a JavaScript handler.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use napi::{Env, sys::ValueType};

use super::{
    bridge::{Core, Handed},
    completions::Done,
    env::{Js, Value},
    operation::Operation,
};
use crate::{
    answer::Answer,
    error::{Error, Result},
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
        Ok((channel, core.store(js)?, runtime::get()?))
    });
    let (channel, store, runtime) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Handed(bridge.rejected(js, error)),
    };
    let (promise, ticket) = bridge.promise(js, Operation { name: "SUBSCRIBE", empty: None });
    let Some(ticket) = ticket else { return Handed(promise) };
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    bridge.keep_handler(js, id, handler);
    let completions = bridge.completions.clone();
    let subscriptions = core.subscriptions.clone();
    let listener: Listener = {
        let completions = completions.clone();
        Arc::new(move |heard| completions.push(Done::Heard(id, heard)))
    };
    let topic = if is_pattern { Topic::Pattern(channel) } else { Topic::Channel(channel) };
    runtime.spawn(async move {
        let subscribed = store.subscribe(topic, listener).await;
        let answer = subscribed.map(|number| {
            subscriptions.lock().insert(id, (store, number));
            Answer::Number(id as f64)
        });
        if answer.is_err() {
            completions.push(Done::Unheard(id));
        }
        completions.push(Done::Calls(vec![(answer, ticket)]));
    });
    Handed(promise)
}
