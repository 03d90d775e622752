//! Decides what a listener gets next, by the numbers of the messages alone.

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, hash::BuildHasher};

use bytes::Bytes;
use foldhash::fast::FixedState;

use crate::features::room::History;

/// The number of messages that are recognised when they are received again: more than a history has.
const RECENT: usize = 128;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Deliver this message.
    Message(u64, Bytes),
    /// Report that so many messages are missing; `None` if it is unknown how many.
    Gap(Option<u64>),
    /// Read the messages sent after this number.
    History(u64),
    /// Process the next live message.
    Live,
}

/// The state of a listener.
pub struct Sequencer {
    last: Last,
    /// To be delivered before anything else.
    ahead: VecDeque<Next>,
    /// Messages may be missing: the history has to be read.
    lost: bool,
    /// The numbers went back: the whole history has to be read.
    back: bool,
    /// The messages delivered last, by number and hash.
    recent: VecDeque<(u64, u64)>,
    /// Messages received before this position were sent before the history was read.
    overlap: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Last {
    /// From the next message on, whatever its number.
    Unset,
    /// From the first message on: the first ever, or the first that is stored.
    Start { of_all: bool },
    /// From the message after this number on.
    At(u64),
}

impl Sequencer {
    /// For a listener that wants the messages after a number; without one, from now on; for 0, all that are stored.
    pub fn new(since: Option<u64>) -> Self {
        let last = match since {
            None => Last::Unset,
            Some(0) => Last::Start { of_all: false },
            Some(number) => Last::At(number),
        };
        let (ahead, recent) = (VecDeque::new(), VecDeque::new());
        Self { last, ahead, lost: true, back: false, recent, overlap: 0 }
    }

    /// What is to be done next; call `delivered` once it is done.
    pub fn next(&self) -> Next {
        match self.ahead.front() {
            Some(next) => next.clone(),
            None if self.lost => Next::History(self.history_from()),
            None => Next::Live,
        }
    }

    /// Records that a message or a gap was delivered.
    pub fn delivered(&mut self) {
        self.ahead.pop_front();
    }

    /// Records that messages may be missing.
    pub fn lost(&mut self) {
        self.lost = true;
    }

    /// Whether a message of this number is the next one, or leaves a gap.
    pub fn is_missing(&self, number: u64) -> bool {
        !matches!(self.last, Last::At(last) if number <= last)
    }

    /// Receives a message at a position; returns whether it was accepted. Otherwise it has to be received again, after
    /// the history.
    pub fn receive(&mut self, position: u64, number: u64, text: Bytes) -> bool {
        match self.last {
            Last::At(last) if number == last + 1 => {
                self.deliver(number, text);
                true
            }
            Last::At(last) if number <= last => {
                // It was part of the history, unless the store has lost some messages and assigns their numbers again.
                self.lost |= position >= self.overlap && !self.recent.contains(&(number, hash(&text)));
                true
            }
            _ => {
                self.lost = true;
                false
            }
        }
    }

    /// The number after which the history is needed. It includes the last delivered message, which must still be the
    /// same.
    fn history_from(&self) -> u64 {
        match self.last {
            _ if self.back => 0,
            Last::Unset => u64::MAX,
            Last::Start { .. } => 0,
            Last::At(last) => last.saturating_sub(1),
        }
    }

    /// Merges the history as it was when everything before `position` had been received. `next` is the number of the
    /// next message to be received, if known: up to there the history is delivered.
    pub fn learn(&mut self, history: History, position: u64, next: Option<u64>) {
        let requested_from = self.history_from();
        self.lost = false;
        self.overlap = position;
        let Some(end) = history.last else { return self.learn_nothing(next) };
        let (from, next) = match self.last {
            Last::Unset => return self.last = Last::At(end),
            Last::Start { of_all: true } => (history.first.saturating_sub(1), next),
            Last::Start { of_all: false } => {
                let first = history.messages.first().map(|(number, _)| *number).or(next);
                (first.map_or(end, |first| first - 1), next)
            }
            Last::At(last) if self.is_same(&history, last, end) => (last, next),
            Last::At(_) if self.recent.is_empty() => {
                // The store does not know this number, so it is unknown what was sent after it.
                self.gap(None);
                return self.last = Last::At(end);
            }
            Last::At(_) if !self.back => {
                (self.lost, self.back) = (true, true);
                return;
            }
            Last::At(_) => (self.rejoin(&history), None),
        };
        self.back = false;
        self.fill(history, from, end, next, requested_from);
    }

    /// Delivers the messages of the history after `from`, and reports those that it no longer has.
    fn fill(&mut self, history: History, from: u64, end: u64, next: Option<u64>, requested_from: u64) {
        let stop = next.map_or(end, |next| next - 1);
        let (first, more) = (history.first, history.more);
        // How many were lost when a numbering ended is unknown.
        let missed = |at: u64, number: u64| (first <= at + 1 || first > number).then_some(number - at - 1);
        let mut at = from;
        for (number, text) in history.messages {
            if number <= at || number > stop {
                continue;
            }
            if number > at + 1 {
                self.gap(missed(at, number));
            }
            self.deliver(number, text);
            at = number;
        }
        self.last = Last::At(at.max(from));
        if at < stop && more && at > requested_from.saturating_add(1) {
            // There is more than one read returns, and the next part starts after a gap.
            self.lost = true;
        } else if at < stop {
            self.gap(missed(at, stop + 1));
            self.last = Last::At(stop);
        }
    }

    /// The store has no messages.
    fn learn_nothing(&mut self, next: Option<u64>) {
        self.back = false;
        if matches!(self.last, Last::At(_)) || next.is_some() {
            self.gap(None);
        }
        self.last = next.map_or(Last::Start { of_all: true }, |next| Last::At(next - 1));
    }

    /// Whether the numbers of a history are those that were delivered.
    fn is_same(&self, history: &History, last: u64, end: u64) -> bool {
        let known = self.recent.back().filter(|(number, _)| *number == last);
        let stored = history.messages.iter().find(|(number, _)| *number == last);
        let differs = matches!((known, stored), (Some((_, known)), Some((_, stored))) if *known != hash(stored));
        end >= last && !differs && !self.back
    }

    /// Returns where a history that assigned numbers again differs from what was delivered: the number before the
    /// first new message.
    fn rejoin(&mut self, history: &History) -> u64 {
        self.gap(None);
        let is_known = |(number, text): &(u64, Bytes)| self.recent.contains(&(*number, hash(text)));
        let common = history.messages.iter().rposition(is_known).map_or(0, |common| common + 1);
        let first = history.messages.get(common).map(|(number, _)| number - 1);
        let known = history.messages.last().filter(|_| first.is_none() && history.more);
        // Later messages are compared with the last one of this part.
        let known = known.map(|(number, text)| {
            self.recent.push_back((*number, hash(text)));
            *number
        });
        first.or(known).or(history.last).unwrap_or_default()
    }

    fn deliver(&mut self, number: u64, text: Bytes) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((number, hash(&text)));
        self.last = Last::At(number);
        self.ahead.push_back(Next::Message(number, text));
    }

    fn gap(&mut self, missed: Option<u64>) {
        self.ahead.push_back(Next::Gap(missed));
    }
}

fn hash(text: &Bytes) -> u64 {
    FixedState::default().hash_one(&text[..])
}
