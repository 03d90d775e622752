//! About how much memory keys and values take.

use bytes::Bytes;

/// Estimated cost of a key beyond its own bytes and its value's: table slot, index, allocations.
pub const PER_KEY: usize = 224;
/// Estimated cost of a deadline: its place in the order of deadlines.
pub const PER_DEADLINE: usize = 128;
/// Estimated cost of a collection before its first element.
pub const PER_COLLECTION: usize = 192;
/// The most a key can cost beyond its bytes and its elements.
pub const NEW_KEY: usize = PER_KEY + PER_DEADLINE + PER_COLLECTION;
/// Estimated cost of a collection's element beyond its bytes, at most.
pub const PER_ELEMENT: usize = 208;

/// A copy of its own: an argument may be a slice that keeps a much larger buffer alive.
pub fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
