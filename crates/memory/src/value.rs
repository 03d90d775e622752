//! The types of values.

use bytes::Bytes;

use super::hash::Hash;
use super::list::List;
use super::set::Set;
use super::size::PER_COLLECTION;
use super::sorted_set::SortedSet;

/// The value of a key.
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

/// One type of value.
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
    /// Returns the name of the type, as `TYPE` does.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::SortedSet(_) => "zset",
        }
    }

    /// Whether it is a collection without elements, which does not exist in Redis.
    pub fn is_empty_collection(&self) -> bool {
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
