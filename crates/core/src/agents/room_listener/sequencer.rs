//! What a listener gets next, by the numbers of messages alone.

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, hash::BuildHasher};

use bytes::Bytes;
use foldhash::fast::FixedState;

use crate::features::room::History;

/// Messages that are recognised when they come again: more than a history has.
const RECENT: usize = 128;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Deliver this.
    Message(u64, Bytes),
    /// Tell that so many are missing, or that nobody knows how many.
    Gap(Option<u64>),
    /// Learn what was sent after this number.
    History(u64),
    /// Hear what is next.
    Live,
}

/// Where a listener stands.
pub struct Sequencer {
    last: Last,
    /// To be delivered before anything else.
    ahead: VecDeque<Next>,
    /// Something may be missing: the history has to say.
    lost: bool,
    /// The numbers have gone back: the whole history has to say from where on.
    back: bool,
    /// What was delivered last, by number and hash.
    recent: VecDeque<(u64, u64)>,
    /// What was heard before this place was sent before the history was read.
    overlap: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Last {
    /// From the next one on, whichever that is.
    Unset,
    /// From the first on: of all, or of those that are kept.
    Start { of_all: bool },
    /// From the one behind this number on.
    At(u64),
}

impl Sequencer {
    /// One who wants what was sent after a number; from now on without one; from 0 on what is kept.
    pub fn new(since: Option<u64>) -> Self {
        let last = match since {
            None => Last::Unset,
            Some(0) => Last::Start { of_all: false },
            Some(number) => Last::At(number),
        };
        let (ahead, recent) = (VecDeque::new(), VecDeque::new());
        Self { last, ahead, lost: true, back: false, recent, overlap: 0 }
    }

    /// What is to be done next; `delivered` once that is done.
    pub fn next(&self) -> Next {
        match self.ahead.front() {
            Some(next) => next.clone(),
            None if self.lost => Next::History(self.asks()),
            None => Next::Live,
        }
    }

    /// A message or a gap was delivered.
    pub fn delivered(&mut self) {
        self.ahead.pop_front();
    }

    /// Something may be missing.
    pub fn lost(&mut self) {
        self.lost = true;
    }

    /// Whether a message of this number would follow, or leave a hole.
    pub fn lacks(&self, number: u64) -> bool {
        !matches!(self.last, Last::At(last) if number <= last)
    }

    /// A message that was heard at a place; whether it was taken, or comes after what the history has to say.
    pub fn hear(&mut self, place: u64, number: u64, text: Bytes) -> bool {
        match self.last {
            Last::At(last) if number == last + 1 => {
                self.deliver(number, text);
                true
            }
            Last::At(last) if number <= last => {
                // It came by the history already, unless the store has lost some and gives their numbers once more.
                self.lost |= place >= self.overlap && !self.recent.contains(&(number, hash(&text)));
                true
            }
            _ => {
                self.lost = true;
                false
            }
        }
    }

    /// The number after which the history is wanted. It has the last one too, which must still be the same.
    fn asks(&self) -> u64 {
        match self.last {
            _ if self.back => 0,
            Last::Unset => u64::MAX,
            Last::Start { .. } => 0,
            Last::At(last) => last.saturating_sub(1),
        }
    }

    /// The history as it was when everything before `place` had been heard. `next` is the number of what will be heard next,
    /// as far as that is known: up to there the history counts.
    pub fn learn(&mut self, history: History, place: u64, next: Option<u64>) {
        let asked = self.asks();
        self.lost = false;
        self.overlap = place;
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
                // A number that the store does not know: nobody can tell what was sent after it.
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
        self.fill(history, from, end, next, asked);
    }

    /// Delivers what the history has behind `from`, and tells what it does not have any more.
    fn fill(&mut self, history: History, from: u64, end: u64, next: Option<u64>, asked: u64) {
        let stop = next.map_or(end, |next| next - 1);
        let (first, more) = (history.first, history.more);
        // What was lost when a numbering ended nobody can count.
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
        if at < stop && more && at > asked.saturating_add(1) {
            // There is more than one read returns, and the next part starts after a gap.
            self.lost = true;
        } else if at < stop {
            self.gap(missed(at, stop + 1));
            self.last = Last::At(stop);
        }
    }

    /// The store knows of no message.
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
        let kept = history.messages.iter().find(|(number, _)| *number == last);
        let differs = matches!((known, kept), (Some((_, known)), Some((_, kept))) if *known != hash(kept));
        end >= last && !differs && !self.back
    }

    /// Where a history that gave numbers once more left what was delivered: before the first that was not.
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
