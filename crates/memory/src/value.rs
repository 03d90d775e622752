//! What a key can hold, and about how much memory that takes.

use bytes::Bytes;

use super::hashes::Hash;
use super::lists::List;
use super::sets::Set;
use super::sorted_set::SortedSet;

/// Estimated cost of a key beyond its own bytes and its value's: table slot, index, allocations.
pub const PER_KEY: usize = 224;
/// Estimated cost of a deadline: its place in the order of deadlines.
pub const PER_DEADLINE: usize = 128;
/// Estimated cost of a collection before its first element.
const PER_COLLECTION: usize = 192;
/// The most a key can cost beyond its bytes and its elements.
pub const NEW_KEY: usize = PER_KEY + PER_DEADLINE + PER_COLLECTION;
/// Estimated cost of a collection's element beyond its bytes, at most.
pub const PER_ELEMENT: usize = 208;

/// A key's value.
pub enum Value {
    Text(Text),
    Hash(Hash),
    List(List),
    Set(Set),
    SortedSet(SortedSet),
}

/// A string.
#[derive(Default)]
pub struct Text(pub Bytes);

/// One kind of value.
pub trait Kind: Default {
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    fn into_value(self) -> Value;
}

macro_rules! kinds {
    ($($kind:ident)*) => {$(
        impl Kind for $kind {
            fn of(value: &Value) -> Option<&Self> {
                match value { Value::$kind(inner) => Some(inner), _ => None }
            }
            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                match value { Value::$kind(inner) => Some(inner), _ => None }
            }
            fn into_value(self) -> Value {
                Value::$kind(self)
            }
        }
    )*};
}

kinds! { Text Hash List Set SortedSet }

impl Value {
    /// As `TYPE` answers it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::SortedSet(_) => "zset",
        }
    }

    /// Whether it is a collection without elements: Redis has no such thing.
    pub fn is_void(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Hash(hash) => hash.fields().is_empty(),
            Self::List(list) => list.items().is_empty(),
            Self::Set(set) => set.members().is_empty(),
            Self::SortedSet(set) => set.is_empty(),
        }
    }

    /// Estimated bytes.
    pub fn size(&self) -> usize {
        let elements = match self {
            Self::Text(text) => return text.0.len(),
            Self::Hash(hash) => hash.size(),
            Self::List(list) => list.size(),
            Self::Set(set) => set.size(),
            Self::SortedSet(set) => set.size(),
        };
        PER_COLLECTION + elements
    }
}

/// A copy of its own: an argument may be a slice that keeps a much larger buffer alive.
pub fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
