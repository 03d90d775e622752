//! Handlers of messages: what waits for them is bounded, and what they miss they are told.

use std::sync::{Arc, Mutex, MutexGuard};

use super::{
    completions::{Completions, Done},
    env::{Js, Kept, Value},
    promise::Inner,
};
use crate::{
    runtime::{self, LARGE},
    store::Heard,
};

/// Messages that may wait for one handler, and their bytes. A handler that is slower than its channel would otherwise fill
/// the memory.
const MOST_MESSAGES: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;

/// A handler, and what waits for it.
pub struct Handler {
    function: Kept,
    backlog: Arc<Backlog>,
}

/// What waits for a handler.
#[derive(Default)]
pub struct Backlog(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    messages: usize,
    bytes: usize,
    /// How many were dropped since the last that was kept.
    missed: u64,
}

impl Backlog {
    /// Sends something to the handler of this number, or counts it as missed where too much waits already.
    pub fn offer(&self, id: u64, heard: Heard, completions: &Completions) {
        // Held while pushing: a gap stands exactly where the messages are missing.
        let mut waiting = self.lock();
        if let Heard::Message(message) = &heard {
            let bytes = message.payload.len();
            let full = waiting.messages >= MOST_MESSAGES || waiting.bytes + bytes > MOST_BYTES;
            if full && waiting.messages > 0 {
                waiting.missed += 1;
                return;
            }
            if waiting.missed > 0 {
                completions.push(Done::Heard(id, Heard::Gap(Some(std::mem::take(&mut waiting.missed)))));
            }
            waiting.messages += 1;
            waiting.bytes += bytes;
            if waiting.bytes > LARGE {
                runtime::give_back_soon();
            }
        }
        completions.push(Done::Heard(id, heard));
    }

    /// A message was delivered. How many were missed, if nothing else is on its way that would say so.
    fn delivered(&self, bytes: usize) -> Option<u64> {
        let mut waiting = self.lock();
        waiting.messages = waiting.messages.saturating_sub(1);
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        let over = waiting.messages == 0 && waiting.missed > 0;
        over.then(|| std::mem::take(&mut waiting.missed))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Inner {
    /// Keeps a handler until `drop_handler`, and the process alive with it.
    pub fn keep_handler(&self, js: Js, id: u64, handler: Value) -> Arc<Backlog> {
        let backlog = Arc::<Backlog>::default();
        if let Some(function) = js.keep(handler) {
            self.handlers.borrow_mut().insert(id, Handler { function, backlog: backlog.clone() });
            self.hold(js, 1);
        }
        backlog
    }

    /// Lets a handler go.
    pub fn drop_handler(&self, js: Js, id: u64) {
        let handler = self.handlers.borrow_mut().remove(&id);
        if let Some(handler) = handler {
            js.forget(handler.function);
            self.hold(js, -1);
        }
    }

    /// Lets all of them go, at the end of the environment.
    pub fn drop_handlers(&self, js: Js) {
        for (_, handler) in self.handlers.take() {
            js.forget(handler.function);
        }
    }

    /// Calls a handler: with a value and its channel, or with the number of missed messages, or with nothing when nobody
    /// knows that number.
    pub fn hear(&self, js: Js, id: u64, heard: Heard) {
        let kept = self.handlers.borrow().get(&id).map(|handler| (js.kept(&handler.function), handler.backlog.clone()));
        let Some((handler, backlog)) = kept else { return };
        let missed = match heard {
            Heard::Message(message) => {
                let parse = self.function(js, |functions| &functions.parse);
                // Other programs publish plain text on the same channels: it is delivered as it is.
                let text = js.string(&message.payload);
                let value = text.and_then(|text| js.parse(parse, text).or(Ok(text)));
                if let (Ok(value), Ok(channel)) = (value, js.string(&message.channel)) {
                    let _ = js.call(handler, &[value, channel]);
                }
                backlog.delivered(message.payload.len())
            }
            Heard::Gap(None) => {
                let _ = js.call(handler, &[]);
                None
            }
            Heard::Gap(missed) => missed,
        };
        if let Some(missed) = missed {
            let _ = js.call(handler, &[js.number(missed as f64)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::store::Message;

    fn message(bytes: usize) -> Heard {
        Heard::Message(Message { channel: Bytes::from_static(b"c"), payload: vec![b'x'; bytes].into() })
    }

    fn kinds(completions: &Completions) -> String {
        let taken = completions.take(usize::MAX).into_iter().map(|done| match done {
            Done::Heard(_, Heard::Message(_)) => "m".to_owned(),
            Done::Heard(_, Heard::Gap(missed)) => format!("[{missed:?}]"),
            _ => "?".to_owned(),
        });
        taken.collect()
    }

    #[test]
    fn what_is_too_much_is_missed_and_said_where_it_is_missing() {
        let (backlog, completions) = (Backlog::default(), Completions::new());
        (0..MOST_MESSAGES + 3).for_each(|_| backlog.offer(1, message(1), &completions));
        assert_eq!(kinds(&completions), "m".repeat(MOST_MESSAGES));
        assert_eq!(backlog.delivered(1), None);
        backlog.offer(1, message(1), &completions);
        assert_eq!(kinds(&completions), "[Some(3)]m");
    }

    #[test]
    fn the_last_gap_is_said_though_no_message_follows() {
        let (backlog, completions) = (Backlog::default(), Completions::new());
        backlog.offer(1, message(MOST_BYTES + 1), &completions);
        backlog.offer(1, message(1), &completions);
        assert_eq!(kinds(&completions), "m", "one alone is never too much");
        assert_eq!(backlog.delivered(MOST_BYTES + 1), Some(1));
        assert_eq!(backlog.delivered(0), None, "said once");
    }
}
