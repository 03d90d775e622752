//! Readers of inboxes: JavaScript functions that are called when there is something to take.

use std::{any::Any, sync::Arc};

use cinnabar_core::inbox::{Bounds, Inbox, Label, Taken};

use super::Environment;
use crate::js::{
    completions::Completion,
    node_api::{Js, Reference, Value},
};

/// The most that a reader takes at a time.
const MAX_MESSAGES: usize = 64;
const MAX_BYTES: usize = 1 << 20;

/// A function, with its inbox.
pub struct RegisteredReader {
    function: Reference,
    inbox: Arc<Inbox>,
    /// Whether it receives texts as Buffers.
    buffers: bool,
    _guard: Box<dyn Any>,
}

impl Environment {
    /// Registers a reader of an inbox until `drop_reader`, and keeps the process alive until then. It is called with its id when there is
    /// something to `take`, once until it has taken everything, and without arguments when the inbox was closed from elsewhere.
    /// `guard` is dropped on this thread with the reader.
    pub fn add_reader(
        &self,
        js: Js,
        number: u64,
        function: Value,
        bounds: Bounds,
        buffers: bool,
        guard: impl Any,
    ) -> Arc<Inbox> {
        let completions = self.completions.clone();
        let inbox = Arc::new(Inbox::new(bounds, move || completions.push(Completion::ReaderReady(number))));
        match js.create_reference(function) {
            Some(function) => {
                let reader = RegisteredReader { function, inbox: inbox.clone(), buffers, _guard: Box::new(guard) };
                self.readers.borrow_mut().insert(number, reader);
                self.keep_alive(js, 1);
            }
            None => inbox.close(),
        }
        inbox
    }

    /// Releases a reader and its inbox, and calls it without arguments.
    pub fn drop_reader(&self, js: Js, id: u64) {
        if let Some(reader) = self.remove_reader(js, id) {
            let _ = js.call(reader, &[]);
        }
    }

    /// Releases all of them, at the end of the environment.
    pub fn drop_readers(&self, js: Js) {
        for (_, reader) in self.readers.take() {
            reader.inbox.close();
            js.delete_reference(reader.function);
        }
    }

    /// Notifies a reader that there is something to take.
    pub fn wake_reader(&self, js: Js, id: u64) {
        let reader = self.readers.borrow().get(&id).map(|reader| js.reference_value(&reader.function));
        if let Some(reader) = reader {
            let _ = js.call(reader, &[js.number(id as f64)]);
        }
    }

    /// Returns some of the messages pending for this reader, in one array: whether there are more, followed by pairs; `null` if there
    /// are none. A pair is a text or Buffer with its channel, its number, or `true` for the reader's own channel; or the number
    /// of missed messages, if known, with `undefined`; or, at the end, an error, if any, with `null`.
    pub fn take(&self, js: Js, id: u64) -> Value {
        let reader = self.readers.borrow().get(&id).map(|reader| (reader.inbox.clone(), reader.buffers));
        let Some((inbox, buffers)) = reader else { return js.null() };
        let (taken, more) = inbox.take(MAX_MESSAGES, MAX_BYTES);
        if taken.is_empty() {
            return js.null();
        }
        let pairs = js.array(taken.len() * 2 + 1);
        js.set_index(pairs, 0, js.boolean(more));
        let mut at = 1;
        for taken in taken {
            let (first, second) = self.pair(js, id, taken, buffers);
            js.set_index(pairs, at, first);
            js.set_index(pairs, at + 1, second);
            at += 2;
        }
        pairs
    }

    fn pair(&self, js: Js, id: u64, taken: Taken, buffers: bool) -> (Value, Value) {
        match taken {
            Taken::Entry(entry) => {
                let label = match &entry.label {
                    Label::None => Ok(js.boolean(true)),
                    Label::Name(name) => js.string(name),
                    Label::Number(number) => Ok(js.number(*number as f64)),
                };
                // Invalid UTF-8 is always delivered as a Buffer.
                let text = match buffers || std::str::from_utf8(&entry.text).is_err() {
                    true => js.buffer(&entry.text),
                    false => js.string(&entry.text),
                };
                match (text, label) {
                    (Ok(text), Ok(label)) => (text, label),
                    // Longer than strings of JavaScript may be: reported as missing.
                    _ => (js.number(1.0), js.undefined()),
                }
            }
            Taken::Gap(missed) => {
                (missed.map_or_else(|| js.undefined(), |missed| js.number(missed as f64)), js.undefined())
            }
            Taken::End(error) => {
                self.remove_reader(js, id);
                (error.map_or_else(|| js.undefined(), |error| self.failure(js, &error, None)), js.null())
            }
        }
    }

    /// Returns the reader's function.
    fn remove_reader(&self, js: Js, id: u64) -> Option<Value> {
        let reader = self.readers.borrow_mut().remove(&id)?;
        let function = js.reference_value(&reader.function);
        js.delete_reference(reader.function);
        self.keep_alive(js, -1);
        reader.inbox.close();
        Some(function)
    }
}
