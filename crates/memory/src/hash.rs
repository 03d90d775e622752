//! A hash: fields with values.

use bytes::Bytes;
use indexmap::IndexMap;

use super::size::copied;

/// Estimated cost of a field beyond its bytes and those of its value.
const PER_FIELD: usize = 132;
/// Hashes with up to this many fields retain insertion order, as small hashes of Redis do. In larger ones removal must be cheap.
const ORDERED: usize = 128;

/// A hash.
#[derive(Default)]
pub struct Hash {
    fields: IndexMap<Bytes, Bytes>,
    size: usize,
}

impl Hash {
    pub fn fields(&self) -> &IndexMap<Bytes, Bytes> {
        &self.fields
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// Sets a field and returns whether it is new.
    pub fn set(&mut self, field: &Bytes, value: Bytes) -> bool {
        self.size += value.len();
        if let Some(old) = self.fields.get_mut(field) {
            self.size -= old.len();
            *old = value;
            return false;
        }
        self.size += field.len() + PER_FIELD;
        self.fields.insert(copied(field), value);
        true
    }

    pub fn remove(&mut self, field: &Bytes) -> bool {
        let ordered = self.fields.len() <= ORDERED;
        let removed = if ordered { self.fields.shift_remove(field) } else { self.fields.swap_remove(field) };
        self.size -= removed.as_ref().map_or(0, |value| value.len() + field.len() + PER_FIELD);
        removed.is_some()
    }
}
