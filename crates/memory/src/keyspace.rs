//! The keys with their values. All changes of values are made here, so that sizes and deadlines stay correct.

use std::collections::BTreeSet;

use bytes::Bytes;
use indexmap::IndexMap;

use super::key_watch::ChangedKeys;
use super::resp_value::CommandError;
use super::size::{PER_DEADLINE, PER_KEY, copied};
use super::value::{Kind, Value};

/// All keys with their values.
pub struct Keyspace {
    /// Removal moves the last entry into the gap (`swap_remove`), which is what `scan.rs` relies on.
    pub(super) entries: IndexMap<Bytes, Entry>,
    /// Keys by deadline, so that expired ones are found without a search.
    pub(super) deadlines: BTreeSet<(i64, Bytes)>,
    used: usize,
    pub(super) max: usize,
    micros: i64,
    /// The number of the running command or script. Keys that it has accessed are not evicted.
    pub(super) tick: u64,
    /// Whether the running command or script has changed something.
    pub(super) has_written: bool,
    pub(super) random: u64,
    pub counters: Counters,
    pub changed: ChangedKeys,
}

/// The counters of `INFO stats`.
#[derive(Default)]
pub struct Counters {
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    pub evicted: u64,
}

/// The value of a key, with its deadline and the time of its last use.
pub(super) struct Entry {
    pub value: Value,
    /// Milliseconds since 1970.
    pub deadline: Option<i64>,
    /// The `tick` of its last use.
    pub used_at: u64,
    pub size: usize,
}

impl Keyspace {
    pub fn new(max: usize) -> Self {
        Self {
            entries: IndexMap::new(),
            deadlines: BTreeSet::new(),
            used: 0,
            max,
            micros: 0,
            tick: 0,
            has_written: false,
            random: 0x9E37_79B9_7F4A_7C15,
            counters: Counters::default(),
            changed: ChangedKeys::default(),
        }
    }

    /// Starts a command or a script.
    pub fn begin(&mut self, micros: i64) {
        self.tick += 1;
        self.has_written = false;
        self.micros = micros;
    }

    /// Returns the current time in microseconds since 1970.
    pub fn micros(&self) -> i64 {
        self.micros
    }

    /// Returns the current time in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.micros / 1000
    }

    pub fn used(&self) -> usize {
        self.used
    }

    pub fn max(&self) -> usize {
        self.max
    }

    /// Returns the number of keys that have not expired.
    pub fn len(&mut self) -> usize {
        self.sweep(usize::MAX);
        self.entries.len()
    }

    /// Returns the number of keys with a deadline.
    pub fn expiring(&self) -> usize {
        self.deadlines.len()
    }

    /// Whether this key exists.
    pub fn contains(&mut self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }

    /// Marks a key as just used and returns its size; 0 if it does not exist.
    pub fn touch(&mut self, key: &[u8]) -> usize {
        self.find(key).and_then(|i| self.entries.get_index(i)).map_or(0, |(_, entry)| entry.size)
    }

    /// Returns the value of a key, of any type.
    pub fn value(&mut self, key: &[u8]) -> Option<&Value> {
        let i = self.find(key)?;
        self.entries.get_index(i).map(|(_, entry)| &entry.value)
    }

    /// Returns the value of a key if it has this type.
    pub fn get<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&T>, CommandError> {
        let found = self.find(key);
        match found {
            Some(_) => self.counters.hits += 1,
            None => self.counters.misses += 1,
        }
        let Some((_, entry)) = found.and_then(|i| self.entries.get_index(i)) else { return Ok(None) };
        T::of(&entry.value).map(Some).ok_or(CommandError::WRONG_TYPE)
    }

    /// Changes the value of a key, which is created if it does not exist; a collection that becomes empty is removed.
    pub fn edit<T: Kind, R>(&mut self, key: &Bytes, f: impl FnOnce(&mut T) -> R) -> Result<R, CommandError> {
        if self.find(key).is_none() {
            self.insert(copied(key), T::default().into_value(), None);
        }
        self.change(key, f).and_then(|done| done.ok_or(CommandError::NO_SUCH_KEY))
    }

    /// Changes the value of a key if it exists; a collection that becomes empty is removed.
    pub fn change<T: Kind, R>(&mut self, key: &[u8], f: impl FnOnce(&mut T) -> R) -> Result<Option<R>, CommandError> {
        let found = self.find(key).and_then(|i| self.entries.get_index_mut(i).map(|(_, entry)| (i, entry)));
        let Some((i, entry)) = found else { return Ok(None) };
        let done = f(T::of_mut(&mut entry.value).ok_or(CommandError::WRONG_TYPE)?);
        let is_empty = entry.value.is_empty_collection();
        self.measure(i);
        if is_empty {
            self.remove_at(i);
        }
        Ok(Some(done))
    }

    /// Sets the value and the deadline of a key, replacing a value of any type.
    pub fn put(&mut self, key: &Bytes, value: Value, deadline: Option<i64>) {
        match self.find(key) {
            Some(i) => {
                self.replace_at(i, value);
                self.set_deadline_at(i, deadline);
            }
            None => self.insert(copied(key), value, deadline),
        }
    }

    /// Sets the value of a key, replacing a value of any type; its deadline is retained.
    pub fn put_retaining_deadline(&mut self, key: &Bytes, value: Value) {
        match self.find(key) {
            Some(i) => self.replace_at(i, value),
            None => self.insert(copied(key), value, None),
        }
    }

    /// Removes a key and returns whether it existed.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.take(key).is_some()
    }

    /// Removes a key and returns its value and deadline.
    pub fn take(&mut self, key: &[u8]) -> Option<(Value, Option<i64>)> {
        let i = self.find(key)?;
        self.remove_at(i).map(|entry| (entry.value, entry.deadline))
    }

    /// Returns the deadline of a key: `None` if the key does not exist, `Some(None)` if it has no deadline.
    pub fn deadline(&mut self, key: &[u8]) -> Option<Option<i64>> {
        let i = self.find(key)?;
        self.entries.get_index(i).map(|(_, entry)| entry.deadline)
    }

    /// Sets the deadline of a key if it exists.
    pub fn set_deadline(&mut self, key: &[u8], deadline: Option<i64>) {
        if let Some(i) = self.find(key) {
            self.set_deadline_at(i, deadline);
        }
    }

    /// Removes all keys.
    pub fn clear(&mut self) {
        self.entries = IndexMap::new();
        self.deadlines.clear();
        self.used = 0;
        self.changed.add_all();
    }

    /// Removes at most `most` expired keys, oldest deadline first, and returns how many.
    pub fn sweep(&mut self, most: usize) -> usize {
        let now = self.now();
        let mut swept = 0;
        while swept < most && self.deadlines.first().is_some_and(|(deadline, _)| *deadline <= now) {
            if let Some((_, key)) = self.deadlines.pop_first()
                && let Some(i) = self.entries.get_index_of(&key)
            {
                self.remove_at(i);
                self.counters.expired += 1;
            }
            swept += 1;
        }
        swept
    }

    pub(super) fn remove_at(&mut self, i: usize) -> Option<Entry> {
        let (key, entry) = self.entries.swap_remove_index(i)?;
        self.changed.add(&key);
        self.used -= entry.size;
        if let Some(deadline) = entry.deadline {
            self.deadlines.remove(&(deadline, key));
        }
        Some(entry)
    }

    /// Returns the index of a key. An expired key is removed; no other function decides that.
    fn find(&mut self, key: &[u8]) -> Option<usize> {
        let now = self.now();
        let (i, _, entry) = self.entries.get_full_mut(key)?;
        if entry.deadline.is_some_and(|deadline| deadline <= now) {
            self.remove_at(i);
            self.counters.expired += 1;
            return None;
        }
        entry.used_at = self.tick;
        Some(i)
    }

    fn insert(&mut self, key: Bytes, value: Value, deadline: Option<i64>) {
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, key.clone()));
        }
        let (i, _) = self.entries.insert_full(key, Entry { value, deadline, used_at: self.tick, size: 0 });
        self.measure(i);
    }

    fn replace_at(&mut self, i: usize, value: Value) {
        if let Some((_, entry)) = self.entries.get_index_mut(i) {
            entry.value = value;
        }
        self.measure(i);
    }

    fn set_deadline_at(&mut self, i: usize, deadline: Option<i64>) {
        let Some((key, entry)) = self.entries.get_index_mut(i) else { return };
        if let Some(old) = std::mem::replace(&mut entry.deadline, deadline) {
            self.deadlines.remove(&(old, key.clone()));
        }
        if let Some(new) = deadline {
            self.deadlines.insert((new, key.clone()));
        }
        self.measure(i);
    }

    /// Updates the size of an entry that has changed.
    fn measure(&mut self, i: usize) {
        let Some((key, entry)) = self.entries.get_index_mut(i) else { return };
        self.changed.add(key);
        let deadline = if entry.deadline.is_some() { PER_DEADLINE } else { 0 };
        let size = PER_KEY + key.len() + entry.value.size() + deadline;
        let before = std::mem::replace(&mut entry.size, size);
        self.used = self.used + size - before;
    }
}
