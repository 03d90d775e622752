//! Estimates of the memory that keys and values take, in bytes.

use bytes::Bytes;

/// Estimated cost of a key beyond its bytes and its value: table slot, index, allocations.
pub const PER_KEY: usize = 224;
/// Estimated cost of a deadline: its entry in the ordered set of deadlines.
pub const PER_DEADLINE: usize = 128;
/// Estimated cost of a collection before its first element.
pub const PER_COLLECTION: usize = 192;
/// The most that a key can cost beyond its bytes and its elements.
pub const NEW_KEY: usize = PER_KEY + PER_DEADLINE + PER_COLLECTION;
/// The most that an element of a collection can cost beyond its bytes.
pub const PER_ELEMENT: usize = 208;

/// Returns a copy in a buffer of its own: an argument may be a slice that keeps a much larger buffer alive.
pub fn copied(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
