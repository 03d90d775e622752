//! A list.

use std::collections::VecDeque;

use bytes::Bytes;

/// Estimated cost of an element beyond its bytes.
const PER_ITEM: usize = 64;

/// A list.
#[derive(Default)]
pub struct List {
    items: VecDeque<Bytes>,
    size: usize,
}

/// An end of a list.
#[derive(Clone, Copy)]
pub enum End {
    Left,
    Right,
}

impl List {
    pub fn items(&self) -> &VecDeque<Bytes> {
        &self.items
    }

    pub fn size(&self) -> usize {
        self.size
    }

    pub fn push(&mut self, item: Bytes, end: End) {
        self.size += item.len() + PER_ITEM;
        match end {
            End::Left => self.items.push_front(item),
            End::Right => self.items.push_back(item),
        }
    }

    pub fn pop(&mut self, end: End) -> Option<Bytes> {
        let item = match end {
            End::Left => self.items.pop_front(),
            End::Right => self.items.pop_back(),
        }?;
        self.size -= item.len() + PER_ITEM;
        Some(item)
    }

    /// Returns the position of an index; a negative one is counted from the end.
    pub fn position(&self, index: i64) -> Option<usize> {
        let index = if index < 0 { index.checked_add(self.items.len() as i64)? } else { index };
        usize::try_from(index).ok().filter(|i| *i < self.items.len())
    }

    /// Replaces the item at a position. Returns false if the position is out of range.
    pub fn set(&mut self, position: usize, item: Bytes) -> bool {
        let Some(old) = self.items.get_mut(position) else { return false };
        self.size = self.size + item.len() - old.len();
        *old = item;
        true
    }

    /// Removes items equal to this one: the first `count`, the last ones if it is negative, all if it is 0. Returns how many.
    pub fn remove(&mut self, item: &Bytes, count: i64) -> usize {
        let before = self.items.len();
        let mut left = if count == 0 { u64::MAX } else { count.unsigned_abs() };
        let mut retain = |other: &Bytes| {
            let remove = left > 0 && other == item;
            left -= u64::from(remove);
            !remove
        };
        if count < 0 {
            let mut retained: VecDeque<Bytes> = VecDeque::with_capacity(before);
            self.items.drain(..).rev().filter(|item| retain(item)).for_each(|item| retained.push_front(item));
            self.items = retained;
        } else {
            self.items.retain(|item| retain(item));
        }
        self.size = self.items.iter().map(|item| item.len() + PER_ITEM).sum();
        before - self.items.len()
    }
}
