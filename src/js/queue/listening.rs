//! Hearing what happens to the jobs of a queue.

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use napi_derive::napi;
use tokio::sync::Notify;

use super::answer;
use crate::{
    agents::Hearing,
    answer::Answer,
    error::Result,
    features::queue,
    js::{
        bridge::Core,
        env::{Js, Value},
        opened::Opened,
        told::Teller,
    },
    runtime,
    store::{Heard, Listener, Topic},
};

/// Messages that may wait for JavaScript, and their bytes.
const MOST_MESSAGES: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;

/// Somebody who hears what happens to jobs.
#[napi]
pub struct QueueListening {
    end: Arc<Notify>,
}

/// Held by what is told: with the environment, the hearing ends.
struct Ear(Arc<Notify>);

impl Drop for Ear {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl QueueListening {
    /// Tells `told`: `['listening']` once it hears, `['events', …]`, `['gap', missed]` where something is missing, and
    /// `['closed']` when the service is disconnected.
    pub fn start(js: Js, core: &Rc<Core>, queue: &queue::Queue, told: Value) -> Result<Self> {
        let (opened, runtime) = (core.opened(js)?, runtime::get()?);
        let end = Arc::new(Notify::new());
        let teller = core.bridge().keep_told(js, told, Ear(end.clone()));
        let teller = teller.ok_or_else(|| js.refuse(told, "told", "a function"))?;
        let topic = Topic::Channel(queue.events_channel());
        let (under_way, ended) = (Opened::begin(opened), end.clone());
        runtime.spawn(async move {
            let begun = {
                let teller = teller.clone();
                move || teller.tell(Answer::List(vec![Answer::word("listening")]))
            };
            let hearing = Hearing::of(under_way.store().clone(), topic, listener(teller.clone()), begun);
            let closed = tokio::select! {
                () = under_way.closing() => true,
                () = ended.notified() => false,
            };
            drop((hearing, under_way));
            if closed {
                teller.tell(Answer::List(vec![Answer::word("closed")]));
            }
            teller.end();
        });
        Ok(Self { end })
    }
}

#[napi]
impl QueueListening {
    /// Ends it; may be called twice.
    #[napi]
    pub fn end(&self) {
        self.end.notify_one();
    }
}

/// Hands messages over, or says that some are missing where too many wait already.
fn listener(teller: Teller) -> Listener {
    let behind = AtomicBool::new(false);
    Arc::new(move |heard| match heard {
        Heard::Gap(missed) => teller.tell(gap(missed)),
        Heard::Message(message) => {
            let bytes = message.payload.len();
            if teller.waiting() >= MOST_MESSAGES || teller.waiting_bytes() + bytes > MOST_BYTES {
                // Said in its place, and once until there is room again: how many more there will be nobody knows yet.
                if !behind.swap(true, Ordering::Relaxed) {
                    teller.tell(gap(None));
                }
                return;
            }
            behind.store(false, Ordering::Relaxed);
            let mut told = vec![Answer::word("events")];
            told.extend(queue::events(&message.payload).into_iter().map(answer::event));
            teller.tell_weighing(Answer::List(told), bytes);
        }
    })
}

fn gap(missed: Option<u64>) -> Answer {
    Answer::List(vec![Answer::word("gap"), missed.into()])
}
