//! Listeners to the events of a queue.

use std::sync::Arc;

use bytes::Bytes;
use cinnabar_core::{
    agents::ChannelSubscription,
    features::queue,
    inbox::{Bounds, Entry, Inbox, Label, Pushed},
};
use cinnabar_port::{Delivery, MessageListener, Topic, error::Result, runtime};
use napi::Env;
use napi_derive::napi;
use tokio::sync::Notify;

use super::output;
use crate::js::{
    errors::closed,
    ids,
    node_api::{Js, Value},
    open_store::OpenStore,
    service_core::ServiceCore,
};

/// A listener to the events of a queue.
#[napi]
pub struct QueueListener {
    core: ServiceCore,
    reader: u64,
    end: Arc<Notify>,
}

// Also when its environment ends.
impl Drop for QueueListener {
    fn drop(&mut self) {
        self.end.notify_one();
    }
}

impl QueueListener {
    /// Notifies `reader` of events: first of `null`, once it is subscribed, then of arrays of `[name, details]`. It ends with `E_CLOSED`
    /// when the service is disconnected.
    pub fn start(js: Js, core: &ServiceCore, queue: &queue::Queue, reader: Value) -> Result<Self> {
        let (open_store, runtime) = (core.open_store(js)?, runtime::get()?);
        let number = ids::next();
        let inbox = core.environment().add_reader(js, number, reader, Bounds::default(), false, ());
        let topic = Topic::Channel(queue.events_channel());
        let end = Arc::new(Notify::new());
        let (in_flight, ended) = (OpenStore::begin(open_store), end.clone());
        runtime.spawn(async move {
            let begun = {
                let inbox = inbox.clone();
                move || {
                    inbox.push(note(Bytes::from_static(b"null")));
                }
            };
            let hearing = ChannelSubscription::of(
                in_flight.store().clone(),
                topic,
                listener(inbox.clone(), ended.clone()),
                begun,
            );
            tokio::select! {
                () = in_flight.closing() => inbox.end(Some(closed())),
                () = ended.notified() => {}
            }
            drop(hearing);
        });
        Ok(Self { core: core.clone(), reader: number, end })
    }
}

#[napi]
impl QueueListener {
    /// Ends the listener; may be called twice.
    #[napi]
    pub fn end(&self, env: Env) {
        self.end.notify_one();
        self.core.environment().drop_reader(Js(env.raw()), self.reader);
    }
}

/// Puts events into the inbox, until it has ended.
fn listener(inbox: Arc<Inbox>, end: Arc<Notify>) -> MessageListener {
    Arc::new(move |delivery| match delivery {
        Delivery::Gap(missed) => inbox.push_gap(missed),
        Delivery::Message(message) => {
            let text = output::events(queue::events(&message.payload));
            if inbox.push(note(text)) == Pushed::Ended {
                end.notify_one();
            }
        }
    })
}

fn note(text: Bytes) -> Entry {
    Entry { text, label: Label::None }
}
