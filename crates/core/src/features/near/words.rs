//! Numbers that JavaScript reads without a call, from memory that it shares with the near tier. Each is a number of JavaScript.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How many keys have a count of their changes of their own; others share one.
pub const CELLS: usize = 16 * 1024;

/// Until when values may be returned, in milliseconds by the steady clock and by the wall clock.
const UNTIL_STEADY: usize = 0;
const UNTIL_WALL: usize = 1;
const GENERATION: usize = 2;
const TAG_CHANGES: usize = 3;
const FIRST_CELL: usize = 4;

/// The numbers.
pub struct Words(Box<[AtomicU64]>);

/// The first generation of the next near tier, so that those of two are never the same.
static NEXT_GENERATION: AtomicU64 = AtomicU64::new(0);
/// More generations than a near tier ever has.
const GENERATIONS: u64 = 1 << 24;

impl Default for Words {
    fn default() -> Self {
        let first = NEXT_GENERATION.fetch_add(GENERATIONS, Ordering::Relaxed);
        let word = |position| if position == GENERATION { first as f64 } else { 0.0 };
        Self((0..FIRST_CELL + CELLS).map(|position| AtomicU64::new(word(position).to_bits())).collect())
    }
}

impl Words {
    /// The numbers as memory.
    pub fn as_slice(&self) -> &[AtomicU64] {
        &self.0
    }

    /// Where the count of a cell is.
    pub fn position(&self, cell: usize) -> usize {
        FIRST_CELL + cell
    }

    /// Counts a change of the keys of a cell.
    pub fn count(&self, cell: usize) {
        self.add(FIRST_CELL + cell);
    }

    /// Returns the count of a cell.
    pub fn get(&self, cell: usize) -> u64 {
        self.read(FIRST_CELL + cell)
    }

    /// Counts a change of any tag.
    pub fn count_tag_change(&self) {
        self.add(TAG_CHANGES);
    }

    /// Returns the count of the changes of all tags.
    pub fn tag_changes(&self) -> u64 {
        self.read(TAG_CHANGES)
    }

    /// Everything may have changed.
    pub fn begin_generation(&self) {
        self.add(GENERATION);
    }

    /// Returns how often everything may have changed.
    pub fn generation(&self) -> u64 {
        self.read(GENERATION)
    }

    /// Sets until when values may be returned, by both clocks.
    pub fn set_until(&self, until: Option<(Duration, Duration)>) {
        let (steady, wall) = until.unwrap_or_default();
        let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
        self.0[UNTIL_STEADY].store(millis(steady).to_bits(), Ordering::Release);
        self.0[UNTIL_WALL].store(millis(wall).to_bits(), Ordering::Release);
    }

    fn read(&self, position: usize) -> u64 {
        f64::from_bits(self.0[position].load(Ordering::Acquire)) as u64
    }

    fn add(&self, position: usize) {
        let add = |bits| Some((f64::from_bits(bits) + 1.0).to_bits());
        let _ = self.0[position].fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
    }
}
