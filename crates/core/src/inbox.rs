//! A bounded buffer of messages and events that JavaScript has not read yet. Entries keep their order, and a gap stands where some
//! are missing.
//!
//! Any thread may push. The reader is woken once and takes some at a time. Nothing here knows JavaScript: the reader belongs to the
//! bridge.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::Bytes;
use cinnabar_port::{
    error::{Error, Kind},
    runtime::{self, LARGE},
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// The capacity of an inbox, and what happens when it is exceeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// How many entries may be pending. Default 10,000.
    pub messages: usize,
    /// How many bytes may be pending. Default 16 MiB. A single entry always fits, however large.
    pub bytes: usize,
    /// Default `DropOldest`.
    pub overflow: Overflow,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: 10_000, bytes: 16 << 20, overflow: Overflow::DropOldest }
    }
}

/// What happens to an entry that exceeds the capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest entries are dropped, and a gap takes their place.
    DropOldest,
    /// Pending entries are still delivered; then the inbox ends with `E_BACKPRESSURE`.
    End,
    /// It is rejected. For callers that can read it again later.
    Reject,
}

/// A message or an event for JavaScript.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// UTF-8, JSON as a rule.
    pub text: Bytes,
    /// What is delivered with it.
    pub label: Label,
}

/// What is delivered with an entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Label {
    /// Nothing: the reader listens to a single channel.
    None,
    /// A name: a channel, a kind of event.
    Name(Bytes),
    /// A number in a sequence.
    Number(u64),
}

/// What a reader takes, in order.
#[derive(Debug, Clone)]
pub enum Taken {
    /// An entry that was pushed.
    Entry(Entry),
    /// How many entries are missing here; `None` if unknown.
    Gap(Option<u64>),
    /// Nothing follows. The error is the reason, if there is one.
    End(Option<Error>),
}

/// The result of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The entry is pending.
    Queued,
    /// The entry was rejected: see `Overflow::Reject`.
    Full,
    /// The inbox has ended.
    Ended,
}

/// Entries for one reader.
pub struct Inbox {
    bounds: Bounds,
    /// Called when there is something to take, and not again until everything has been taken.
    wake: Box<dyn Fn() + Send + Sync>,
    state: Mutex<State>,
    drained: Notify,
}

#[derive(Default)]
struct State {
    pending: VecDeque<Pending>,
    messages: usize,
    bytes: usize,
    /// How many entries are missing before the first pending one,
    missing: u64,
    /// and whether an unknown number is missing there too.
    missing_unknown: bool,
    /// Whether the reader was woken and has not taken everything since.
    woken: bool,
    end: End,
}

enum Pending {
    Entry(Entry),
    Gap(Option<u64>),
}

#[derive(Default)]
enum End {
    #[default]
    Open,
    /// Entries are no longer accepted; the end has not been delivered yet.
    Pending(Option<Error>),
    Delivered,
}

/// Shorter texts are copied, because each would otherwise keep the whole read buffer alive.
const SHORT: usize = 16 << 10;

impl Inbox {
    /// Creates an empty inbox. `wake` is called from the thread that pushes, with no lock held.
    pub fn new(bounds: Bounds, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { bounds, wake: Box::new(wake), state: Mutex::default(), drained: Notify::new() }
    }

    /// Adds an entry, if there is room or room can be made.
    pub fn push(&self, entry: Entry) -> Pushed {
        let mut state = self.state.lock();
        if !matches!(state.end, End::Open) {
            return Pushed::Ended;
        }
        let bytes = entry.bytes();
        while state.messages > 0 && !self.fits(&state, bytes) {
            match self.bounds.overflow {
                Overflow::DropOldest => state.drop_oldest(),
                Overflow::Reject => return Pushed::Full,
                Overflow::End => {
                    state.end = End::Pending(Some(self.too_slow()));
                    self.wake_after(state);
                    return Pushed::Ended;
                }
            }
        }
        let entry = entry.detached(state.messages > 0);
        state.pending.push_back(Pending::Entry(entry));
        state.messages += 1;
        state.bytes += bytes;
        if state.bytes > LARGE {
            runtime::trim_memory_soon();
        }
        self.wake_after(state);
        Pushed::Queued
    }

    /// Adds a gap: how many entries are missing, or `None` if that is unknown.
    pub fn push_gap(&self, missed: Option<u64>) {
        let mut state = self.state.lock();
        if matches!(state.end, End::Open) && missed != Some(0) {
            state.push_gap(missed);
            self.wake_after(state);
        }
    }

    /// Ends the inbox after the pending entries.
    pub fn end(&self, error: Option<Error>) {
        let mut state = self.state.lock();
        if matches!(state.end, End::Open) {
            state.end = End::Pending(error);
            self.wake_after(state);
        }
    }

    /// Ends the inbox and drops the pending entries, because nothing will be taken any more.
    pub fn close(&self) {
        let mut state = self.state.lock();
        let closed = State { end: End::Delivered, ..State::default() };
        let dropped = std::mem::replace(&mut *state, closed);
        drop(state);
        drop(dropped);
        self.drained.notify_waiters();
    }

    /// Whether entries are no longer accepted.
    pub fn is_ended(&self) -> bool {
        !matches!(self.state.lock().end, End::Open)
    }

    /// Waits until everything has been taken, or the inbox was closed.
    pub async fn drained(&self) {
        loop {
            let mut drained = std::pin::pin!(self.drained.notified());
            // Registered before the check, so that an entry taken in between is not missed.
            drained.as_mut().enable();
            if self.state.lock().messages == 0 {
                return;
            }
            drained.await;
        }
    }

    /// Takes up to `max_entries` pending entries of up to `max_bytes` bytes, but at least one; also returns whether more are pending. Once
    /// everything has been taken, the next push wakes the reader again.
    pub fn take(&self, max_entries: usize, max_bytes: usize) -> (Vec<Taken>, bool) {
        let mut state = self.state.lock();
        let mut taken = Vec::with_capacity(max_entries.min(state.pending.len() + 2));
        if state.missing > 0 {
            taken.push(Taken::Gap(Some(std::mem::take(&mut state.missing))));
        }
        if std::mem::take(&mut state.missing_unknown) {
            taken.push(Taken::Gap(None));
        }
        let mut bytes = 0;
        while taken.len() < max_entries && bytes < max_bytes {
            match state.pending.pop_front() {
                None => break,
                Some(Pending::Gap(missed)) => taken.push(Taken::Gap(missed)),
                Some(Pending::Entry(entry)) => {
                    let size = entry.bytes();
                    bytes += size;
                    state.bytes -= size;
                    state.messages -= 1;
                    taken.push(Taken::Entry(entry));
                }
            }
        }
        let more = !state.pending.is_empty();
        if !more {
            if let End::Pending(error) = &mut state.end {
                taken.push(Taken::End(error.take()));
                state.end = End::Delivered;
            }
            state.woken = false;
            if state.pending.capacity() > 1024 {
                // Frees the memory of a burst.
                state.pending = VecDeque::new();
            }
            drop(state);
            self.drained.notify_waiters();
        }
        (taken, more)
    }

    fn fits(&self, state: &State, bytes: usize) -> bool {
        state.messages < self.bounds.messages && state.bytes.saturating_add(bytes) <= self.bounds.bytes
    }

    fn too_slow(&self) -> Error {
        let Bounds { messages, bytes, .. } = self.bounds;
        let text =
            format!("more than {messages} messages or {bytes} bytes waited for a reader slower than its channel");
        Error::new(Kind::Backpressure, text)
    }

    /// Wakes the reader outside the lock, unless it has been woken already.
    fn wake_after(&self, mut state: MutexGuard<'_, State>) {
        let woken = std::mem::replace(&mut state.woken, true);
        drop(state);
        if !woken {
            (self.wake)();
        }
    }
}

impl State {
    fn drop_oldest(&mut self) {
        while let Some(first) = self.pending.pop_front() {
            match first {
                Pending::Gap(None) => self.missing_unknown = true,
                Pending::Gap(Some(missed)) => self.missing += missed,
                Pending::Entry(entry) => {
                    self.missing += 1;
                    self.messages -= 1;
                    self.bytes -= entry.bytes();
                    return;
                }
            }
        }
    }

    /// Adjacent gaps are merged, so that they take no memory.
    fn push_gap(&mut self, missed: Option<u64>) {
        match (self.pending.back_mut(), missed) {
            (None, None) => self.missing_unknown = true,
            (None, Some(missed)) => self.missing += missed,
            (Some(Pending::Gap(before)), _) => *before = before.zip(missed).map(|(one, other)| one + other),
            (Some(Pending::Entry(_)), _) => self.pending.push_back(Pending::Gap(missed)),
        }
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        match &self.label {
            Label::Name(name) => self.text.len() + name.len(),
            Label::None | Label::Number(_) => self.text.len(),
        }
    }

    /// Copies its parts if they could keep a much larger buffer alive for long.
    fn detached(mut self, is_queued: bool) -> Self {
        if is_queued || self.text.len() < SHORT {
            self.text = Bytes::copy_from_slice(&self.text);
        }
        if let Label::Name(name) = &mut self.label {
            *name = Bytes::copy_from_slice(name);
        }
        self
    }
}
