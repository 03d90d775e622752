//! Listening to what happens to the jobs of a queue.

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
    node_api::{Js, Value},
    numbers,
    open_store::OpenStore,
    service_core::ServiceCore,
};

/// A listener for what happens to jobs.
#[napi]
pub struct QueueListening {
    core: ServiceCore,
    reader: u64,
    end: Arc<Notify>,
}

// Also when its environment ends.
impl Drop for QueueListening {
    fn drop(&mut self) {
        self.end.notify_one();
    }
}

impl QueueListening {
    /// Wakes `reader` for what happens: first `null`, once it is subscribed, then arrays of `[what, details]`. It ends with
    /// `E_CLOSED` when the service is disconnected.
    pub fn start(js: Js, core: &ServiceCore, queue: &queue::Queue, reader: Value) -> Result<Self> {
        let (open_store, runtime) = (core.open_store(js)?, runtime::get()?);
        let number = numbers::next();
        let inbox = core.environment().keep_reader(js, number, reader, Bounds::default(), false, ());
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
impl QueueListening {
    /// Ends it; may be called twice.
    #[napi]
    pub fn end(&self, env: Env) {
        self.end.notify_one();
        self.core.environment().drop_reader(Js(env.raw()), self.reader);
    }
}

/// Puts events into the inbox, until it has ended.
fn listener(inbox: Arc<Inbox>, end: Arc<Notify>) -> MessageListener {
    Arc::new(move |heard| match heard {
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
