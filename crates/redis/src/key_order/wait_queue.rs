//! The calls that wait for the keys of one slot, in the order in which they were made.

use std::collections::VecDeque;

use super::WaitReason;

/// A call that waits for a key.
pub struct Entry {
    /// Its number in the order of all calls.
    pub sequence: u64,
    pub key: u64,
    /// The group it is to be sent with, 0 until that is known.
    pub group: u64,
    pub turn: WaitReason,
    /// Whether a later call on the key was executed meanwhile.
    pub overtaken: bool,
}

#[derive(Default)]
pub struct WaitQueue(VecDeque<Entry>);

impl WaitQueue {
    pub fn insert(&mut self, entry: Entry) {
        let at = self.0.partition_point(|other| other.sequence <= entry.sequence);
        self.0.insert(at, entry);
    }

    /// Removes the entries of a call; returns whether a later call overtook it.
    pub fn remove(&mut self, sequence: u64) -> bool {
        let overtaken = self.entries_of(sequence).any(|entry| entry.overtaken);
        if self.0.front().is_some_and(|first| first.sequence == sequence) {
            while self.0.front().is_some_and(|first| first.sequence == sequence) {
                self.0.pop_front();
            }
        } else {
            let (from, to) = self.range(sequence);
            drop(self.0.drain(from..to));
        }
        overtaken
    }

    pub fn join(&mut self, sequence: u64, group: u64) {
        let (from, to) = self.range(sequence);
        self.0.range_mut(from..to).for_each(|entry| entry.group = group);
    }

    pub fn entries_of(&self, sequence: u64) -> impl Iterator<Item = &Entry> {
        let (from, to) = self.range(sequence);
        self.0.range(from..to)
    }

    /// The entries of earlier calls.
    pub fn before(&mut self, sequence: u64) -> impl Iterator<Item = &mut Entry> {
        let (from, _) = self.range(sequence);
        self.0.range_mut(..from)
    }

    /// Whether the first `count` entries belong to this group.
    pub fn begins_with(&self, count: usize, group: u64) -> bool {
        self.0.len() >= count && self.0.range(..count).all(|entry| entry.group == group)
    }

    /// The group of the first entry.
    pub fn first(&self) -> Option<u64> {
        self.0.front().map(|entry| entry.group)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn range(&self, sequence: u64) -> (usize, usize) {
        let from = self.0.partition_point(|entry| entry.sequence < sequence);
        let to = self.0.partition_point(|entry| entry.sequence <= sequence);
        (from, to)
    }
}
