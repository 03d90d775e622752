//! Values that this process has read, so that reading them again costs no call.
//!
//! The store reports every key that changes, and up to when its reports are complete. A value is returned only while they are: at most
//! `max_staleness` ago. Whatever may have changed while it was being read is not kept, and after any doubt nothing is.

mod changes;
mod seen;
mod words;

use std::{
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use foldhash::fast::{FixedState, RandomState};
use parking_lot::{Mutex, RwLock};
use quick_cache::{Weighter, sync::Cache as Entries};
use smallvec::SmallVec;

use crate::{
    features::Moment,
    keys::{self, Prefix},
};
pub use changes::{Nears, watched};
use seen::Seen;
use words::CELLS;
pub use words::Words;

/// The memory of an entry besides its key and its value, in bytes.
const PER_ENTRY: usize = 192;
/// An estimate of the average entry, from which the number of buckets follows.
const AVERAGE_BYTES: usize = 512;
const TAG_CELLS: usize = 4096;

/// The values near to the callers, of one prefix of one store.
pub struct Near {
    prefix: Prefix,
    max_staleness: Duration,
    /// Whether only a confirmation shows that a value is right.
    is_strict: bool,
    entries: Entries<Bytes, Arc<NearEntry>, Bytesize, RandomState>,
    /// Keys that were read once. A value is kept when it is read again, since its ttl must be read too.
    seen: Seen,
    /// Up to when all changes are known.
    known: RwLock<Known>,
    /// What JavaScript checks itself.
    words: Arc<Words>,
    /// Counts the changes of tags, by their hashes.
    tags: Box<[AtomicU32]>,
    hasher: FixedState,
    /// Held while a change is recorded and while a value is checked and kept, so that neither happens in the middle of the other.
    recording: Mutex<()>,
}

/// The number of the last value that was kept near. Values of two near tiers never have the same.
static LAST_ID: AtomicU64 = AtomicU64::new(0);

/// Up to when all changes are known.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Known {
    /// They are not.
    No,
    UpTo(Moment),
    /// They are reported before they are acknowledged.
    Always,
}

/// The kind of a value, a number of its feature. Who asks for another kind does not find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NearKind(pub u8);

/// A value as it was read.
#[derive(Debug)]
pub struct NearEntry {
    /// Another value has another number.
    pub id: u64,
    kind: NearKind,
    /// The JSON.
    pub json: Bytes,
    /// When the call began that has read it.
    read_at: Moment,
    /// How long it lasts from then on.
    ttl: Duration,
    /// For how long it was fresh when it was stored, if it records that.
    pub life: Option<Duration>,
    generation: u64,
    /// Which cells of `tags` it depends on, and their counts.
    tags: TagCounts,
}

/// A value that was read, to be stored near.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// Its kind.
    pub kind: NearKind,
    /// The JSON.
    pub json: &'a Bytes,
    /// How long it lasts from the beginning of the read on.
    pub ttl: Duration,
    /// For how long it was fresh when it was stored, if it records that.
    pub life: Option<Duration>,
    /// The keys that change when it is not valid any more, besides its own.
    pub epoch_keys: &'a [Bytes],
}

/// The beginning of a read, after which nothing must have changed if its value is kept.
#[derive(Debug, Clone)]
pub struct Reading {
    at: Moment,
    generation: u64,
    cell: u64,
    tag_changes: u64,
    /// The counts of the tags that the value probably depends on.
    tags: TagCounts,
}

/// Counts of changes of tags, by their cells.
type TagCounts = SmallVec<[(u16, u32); 2]>;

/// What JavaScript needs to check a value itself.
#[derive(Debug)]
pub struct Copy {
    /// The value.
    pub entry: Arc<NearEntry>,
    /// Which word changes with the key, and what it says.
    pub cell: (usize, u64),
    /// The word that changes when anything may have changed.
    pub generation: u64,
    /// The word that changes with any tag, if the value has tags.
    pub tag_changes: Option<u64>,
    /// How long it lasts from now on.
    pub left: Duration,
}

/// A near tier, and the time of a call.
#[derive(Clone)]
pub struct NearAt {
    /// The near tier.
    pub near: Arc<Near>,
    /// The time.
    pub now: Moment,
    /// Whether the store has just confirmed that all changes are known.
    pub is_confirmed: bool,
    /// Whether the value that is read was not near a moment ago.
    pub is_missing: bool,
}

/// The bytes of an entry.
#[derive(Clone)]
struct Bytesize;

impl Weighter<Bytes, Arc<NearEntry>> for Bytesize {
    fn weight(&self, key: &Bytes, entry: &Arc<NearEntry>) -> u64 {
        (PER_ENTRY + key.len() + entry.json.len()) as u64
    }
}

impl Near {
    /// Creates an empty near tier for values of so many bytes.
    pub fn new(prefix: Prefix, max_bytes: u64, max_staleness: Duration, is_strict: bool) -> Self {
        let items = usize::try_from(max_bytes).unwrap_or(usize::MAX) / AVERAGE_BYTES;
        Self {
            prefix,
            max_staleness,
            is_strict,
            entries: Entries::with(
                items.max(16),
                max_bytes,
                Bytesize,
                RandomState::default(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
            seen: Seen::default(),
            known: RwLock::new(Known::No),
            words: Arc::default(),
            tags: (0..TAG_CELLS).map(|_| AtomicU32::new(0)).collect(),
            hasher: FixedState::default(),
            recording: Mutex::new(()),
        }
    }

    /// Returns what JavaScript checks itself.
    pub fn words(&self) -> &Arc<Words> {
        &self.words
    }

    /// A key has changed.
    pub fn changed(&self, key: &Bytes) {
        let _recording = self.recording.lock();
        // What JavaScript sees comes last: a copy that is made with it no longer finds the former value here.
        if keys::is_epoch(&self.prefix, key) {
            self.tags[self.tag_cell(key)].fetch_add(1, Ordering::AcqRel);
            self.words.count_tag_change();
        } else {
            self.entries.remove(key);
            self.words.count(self.cell(key));
        }
    }

    /// Any key may have changed.
    pub fn changed_all(&self) {
        let _recording = self.recording.lock();
        self.entries.clear();
        self.words.begin_generation();
    }

    /// Changes may be missed from now on.
    pub fn distrust(&self) {
        self.set_known(Known::No);
        self.changed_all();
    }

    /// All changes that were acknowledged before this moment are known; `None` if they always are.
    pub fn trust(&self, up_to: Option<Moment>) {
        self.set_known(up_to.map_or(Known::Always, Known::UpTo));
    }

    fn set_known(&self, known: Known) {
        *self.known.write() = known;
        self.words.set_until(match known {
            Known::No => None,
            Known::UpTo(_) if self.is_strict => None,
            Known::UpTo(moment) => Some((moment.steady + self.max_staleness, moment.wall + self.max_staleness)),
            Known::Always => Some((Duration::MAX, Duration::MAX)),
        });
    }

    /// Whether changes are reported at all, so that values may be kept.
    fn is_watched(&self) -> bool {
        *self.known.read() != Known::No
    }

    /// Whether the last news of the store is so recent that a confirmation can be expected.
    pub fn has_news(&self, now: Moment) -> bool {
        match *self.known.read() {
            Known::No => false,
            Known::UpTo(moment) => now.since(moment) <= self.max_staleness,
            Known::Always => true,
        }
    }

    /// For how long it waits for a confirmation at most.
    pub fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    fn is_trusted(&self, now: Moment) -> bool {
        let needs_confirmation = self.is_strict && *self.known.read() != Known::Always;
        !needs_confirmation && self.has_news(now)
    }

    fn cell(&self, key: &Bytes) -> usize {
        self.hasher.hash_one(key) as usize % CELLS
    }

    fn tag_cell(&self, epoch_key: &Bytes) -> usize {
        self.hasher.hash_one(epoch_key) as usize % TAG_CELLS
    }

    fn counts(&self, epoch_keys: &[Bytes]) -> TagCounts {
        let cells = epoch_keys.iter().map(|key| self.tag_cell(key));
        cells.map(|cell| (cell as u16, self.tags[cell].load(Ordering::Acquire))).collect()
    }

    fn is_valid(&self, entry: &NearEntry, now: Moment) -> bool {
        entry.generation == self.words.generation()
            && now.since(entry.read_at) < entry.ttl
            && entry.tags.iter().all(|(cell, count)| self.tags[usize::from(*cell)].load(Ordering::Acquire) == *count)
    }

    /// Begins a read of a key, whose value probably depends on these epochs. Returns `None` if it is not to be kept.
    fn begin(&self, key: &Bytes, epoch_keys: &[Bytes], now: Moment) -> Option<Reading> {
        let hash = self.hasher.hash_one(key);
        if !self.is_watched() || !self.seen.has(hash) {
            return None;
        }
        let (generation, cell) = (self.words.generation(), self.words.get(hash as usize % CELLS));
        let (tag_changes, tags) = (self.words.tag_changes(), self.counts(epoch_keys));
        Some(Reading { at: now, generation, cell, tag_changes, tags })
    }

    /// The value of a key was read; when it is read again, it is kept.
    fn note(&self, key: &Bytes) {
        self.seen.add(self.hasher.hash_one(key));
    }

    /// Keeps a value, whose ttl was read after `reading` began, unless something has changed since.
    fn keep(&self, key: &Bytes, reading: &Reading, new: NewEntry<'_>) {
        let NewEntry { kind, json, ttl, life, epoch_keys } = new;
        let _recording = self.recording.lock();
        let cell = self.cell(key);
        let tags = self.counts(epoch_keys);
        let is_unchanged = || {
            self.words.get(cell) == reading.cell
                && self.words.generation() == reading.generation
                // Of tags that were not expected, only that none has changed.
                && (self.words.tag_changes() == reading.tag_changes || tags.iter().all(|tag| reading.tags.contains(tag)))
        };
        if !is_unchanged() {
            return;
        }
        let entry = NearEntry {
            id: LAST_ID.fetch_add(1, Ordering::Relaxed) + 1,
            kind,
            // Copied, since it is a part of what was read with it.
            json: Bytes::copy_from_slice(json),
            read_at: reading.at,
            ttl,
            life,
            generation: reading.generation,
            tags,
        };
        self.entries.insert(Bytes::copy_from_slice(key), Arc::new(entry));
    }
}

impl NearAt {
    /// Returns the value of a key if it is near, of this kind, and known to be right.
    pub fn find(&self, key: &Bytes, kind: NearKind) -> Option<Arc<NearEntry>> {
        let Self { near, now, is_confirmed, .. } = self;
        if !is_confirmed && !near.is_trusted(*now) {
            return None;
        }
        let entry = near.entries.get(key).filter(|entry| entry.kind == kind)?;
        if !near.is_valid(&entry, *now) {
            near.entries.remove_if(key, |other| other.id == entry.id);
            return None;
        }
        Some(entry)
    }

    /// Returns the value of a key for JavaScript, which checks from then on itself that it is right.
    pub fn copy(&self, key: &Bytes, kind: NearKind) -> Option<Copy> {
        let (near, index) = (&self.near, self.near.cell(key));
        // Read before the value is checked, so that no later change is missed.
        let (cell, generation, tag_changes) =
            (near.words.get(index), near.words.generation(), near.words.tag_changes());
        let entry = self.find(key, kind)?;
        let left = entry.ttl.saturating_sub(self.now.since(entry.read_at));
        let tag_changes = (!entry.tags.is_empty()).then_some(tag_changes);
        Some(Copy { entry, cell: (near.words.position(index), cell), generation, tag_changes, left })
    }

    /// Begins a read of a key, whose value may be kept and probably depends on these epochs.
    pub fn begin(&self, key: &Bytes, epoch_keys: &[Bytes]) -> Option<Reading> {
        self.near.begin(key, epoch_keys, self.now)
    }

    /// The value of a key was read, and not kept.
    pub fn note(&self, key: &Bytes) {
        self.near.note(key);
    }

    /// Keeps a value that was read, unless something has changed since.
    pub fn keep(&self, key: &Bytes, reading: &Reading, new: NewEntry<'_>) {
        self.near.keep(key, reading, new);
    }
}

#[cfg(test)]
mod tests;
