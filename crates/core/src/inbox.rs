//! What waits for JavaScript: bounded however slow its reader is, in order, and what is missing is told where it is missing.
//!
//! Whoever hears something offers it from any thread; JavaScript is woken once and takes some at a time. Knows nothing of
//! JavaScript itself: what takes from it is the bridge's.

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

/// How much may wait, and what becomes of what is too much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Notes that may wait. Default 10,000.
    pub messages: usize,
    /// Their bytes. Default 16 MiB. A single note is never too much, however large.
    pub bytes: usize,
    /// Default `DropOldest`.
    pub overflow: Overflow,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: 10_000, bytes: 16 << 20, overflow: Overflow::DropOldest }
    }
}

/// What becomes of what is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest of what waits go, and a gap stands in their place.
    DropOldest,
    /// What waits is still delivered; then it ends with `E_BACKPRESSURE`.
    End,
    /// It is not taken, and whoever offers it is told so: for those who can get it again later.
    Reject,
}

/// One thing to hand to JavaScript.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// UTF-8, JSON as a rule.
    pub text: Bytes,
    /// What goes with it.
    pub label: Label,
}

/// What goes with a note.
#[derive(Debug, Clone, PartialEq)]
pub enum Label {
    /// What its reader knows already: the one channel that it listens to.
    None,
    /// A name: a channel, a kind of event.
    Name(Bytes),
    /// A number in a sequence.
    Number(u64),
}

/// What comes out, in order.
#[derive(Debug, Clone)]
pub enum Taken {
    /// What was offered.
    Entry(Entry),
    /// So much is missing here, or nobody knows how much.
    Gap(Option<u64>),
    /// Nothing follows, and why.
    End(Option<Error>),
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits.
    Queued,
    /// There is no room: see `Overflow::Reject`.
    Full,
    /// Nobody takes anything any more.
    Ended,
}

/// Notes on their way to one reader.
pub struct Inbox {
    bounds: Bounds,
    /// Called when there is something to take, once until it has been taken.
    wake: Box<dyn Fn() + Send + Sync>,
    state: Mutex<State>,
    drained: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    messages: usize,
    bytes: usize,
    /// What is missing before the first of those that wait: so many,
    lost: u64,
    /// and some that nobody has counted.
    lost_unknown: bool,
    /// The reader was woken and has not taken everything since.
    woken: bool,
    end: End,
}

enum Waiting {
    Entry(Entry),
    Gap(Option<u64>),
}

#[derive(Default)]
enum End {
    #[default]
    Open,
    /// Nothing more is taken in; the reader has still to be told.
    Pending(Option<Error>),
    Delivered,
}

/// Shorter texts are copied when they come: each would otherwise hold all the bytes that were read along with it.
const SHORT: usize = 16 << 10;

impl Inbox {
    /// An empty one. `wake` is called from the thread that offers, with no lock held.
    pub fn new(bounds: Bounds, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { bounds, wake: Box::new(wake), state: Mutex::default(), drained: Notify::new() }
    }

    /// Takes a note in, if there is room or room can be made.
    pub fn push(&self, entry: Entry) -> Pushed {
        let mut state = self.state.lock();
        if !matches!(state.end, End::Open) {
            return Pushed::Ended;
        }
        let bytes = entry.bytes();
        while state.messages > 0 && !self.has_room(&state, bytes) {
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
        let entry = entry.owned(state.messages > 0);
        state.waiting.push_back(Waiting::Entry(entry));
        state.messages += 1;
        state.bytes += bytes;
        if state.bytes > LARGE {
            runtime::trim_memory_soon();
        }
        self.wake_after(state);
        Pushed::Queued
    }

    /// Something is missing behind what waits: so much, or nobody knows how much.
    pub fn push_gap(&self, missed: Option<u64>) {
        let mut state = self.state.lock();
        if matches!(state.end, End::Open) && missed != Some(0) {
            state.push_gap(missed);
            self.wake_after(state);
        }
    }

    /// Nothing follows what waits.
    pub fn end(&self, error: Option<Error>) {
        let mut state = self.state.lock();
        if matches!(state.end, End::Open) {
            state.end = End::Pending(error);
            self.wake_after(state);
        }
    }

    /// Nobody will take anything any more: lets go of what waits.
    pub fn close(&self) {
        let mut state = self.state.lock();
        let gone = State { end: End::Delivered, ..State::default() };
        let gone = std::mem::replace(&mut *state, gone);
        drop(state);
        drop(gone);
        self.drained.notify_waiters();
    }

    /// Whether no note is taken in any more.
    pub fn is_ended(&self) -> bool {
        !matches!(self.state.lock().end, End::Open)
    }

    /// Waits until everything has been taken, or nothing will be.
    pub async fn drained(&self) {
        loop {
            let mut drained = std::pin::pin!(self.drained.notified());
            // Enlisted before looking: what is taken in between is heard.
            drained.as_mut().enable();
            if self.state.lock().messages == 0 {
                return;
            }
            drained.await;
        }
    }

    /// Up to so many of what waits, and of so many bytes, but at least one; and whether more waits. After everything has been
    /// taken, the next offer wakes the reader again.
    pub fn take(&self, most: usize, most_bytes: usize) -> (Vec<Taken>, bool) {
        let mut state = self.state.lock();
        let mut taken = Vec::with_capacity(most.min(state.waiting.len() + 2));
        if state.lost > 0 {
            taken.push(Taken::Gap(Some(std::mem::take(&mut state.lost))));
        }
        if std::mem::take(&mut state.lost_unknown) {
            taken.push(Taken::Gap(None));
        }
        let mut bytes = 0;
        while taken.len() < most && bytes < most_bytes {
            match state.waiting.pop_front() {
                None => break,
                Some(Waiting::Gap(missed)) => taken.push(Taken::Gap(missed)),
                Some(Waiting::Entry(entry)) => {
                    let size = entry.bytes();
                    bytes += size;
                    state.bytes -= size;
                    state.messages -= 1;
                    taken.push(Taken::Entry(entry));
                }
            }
        }
        let more = !state.waiting.is_empty();
        if !more {
            if let End::Pending(error) = &mut state.end {
                taken.push(Taken::End(error.take()));
                state.end = End::Delivered;
            }
            state.woken = false;
            if state.waiting.capacity() > 1024 {
                // Room for a burst is not kept for ever.
                state.waiting = VecDeque::new();
            }
            drop(state);
            self.drained.notify_waiters();
        }
        (taken, more)
    }

    fn has_room(&self, state: &State, bytes: usize) -> bool {
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
        while let Some(first) = self.waiting.pop_front() {
            match first {
                Waiting::Gap(None) => self.lost_unknown = true,
                Waiting::Gap(Some(missed)) => self.lost += missed,
                Waiting::Entry(entry) => {
                    self.lost += 1;
                    self.messages -= 1;
                    self.bytes -= entry.bytes();
                    return;
                }
            }
        }
    }

    /// Gaps next to each other become one: they must not fill the memory either.
    fn push_gap(&mut self, missed: Option<u64>) {
        match (self.waiting.back_mut(), missed) {
            (None, None) => self.lost_unknown = true,
            (None, Some(missed)) => self.lost += missed,
            (Some(Waiting::Gap(before)), _) => *before = before.zip(missed).map(|(one, other)| one + other),
            (Some(Waiting::Entry(_)), _) => self.waiting.push_back(Waiting::Gap(missed)),
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

    /// The same in memory of its own, where it might hold much more than itself for long.
    fn owned(mut self, waits: bool) -> Self {
        if waits || self.text.len() < SHORT {
            self.text = Bytes::copy_from_slice(&self.text);
        }
        if let Label::Name(name) = &mut self.label {
            *name = Bytes::copy_from_slice(name);
        }
        self
    }
}
