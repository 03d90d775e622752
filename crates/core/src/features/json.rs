//! JSON objects whose fields keep their bytes: a field that is not changed is never encoded again.

use std::borrow::{Borrow, Cow};

use cinnabar_port::error::{Error, Kind, Result};
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The fields of an object, in order, each value with its original bytes.
#[derive(Debug, Default)]
pub struct Object<'a>(IndexMap<Name<'a>, &'a RawValue, RandomState>);

/// The name of a field, borrowed from the text unless it has escapes there.
#[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Borrow<str> for Name<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'a> Object<'a> {
    /// Parses an object. Returns `None` if the text is anything else.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        // UTF-8 is checked once for the whole text, instead of by serde for each part.
        serde_json::from_str(std::str::from_utf8(text).ok()?).ok().map(Self)
    }

    /// Parses an argument of the caller.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT`, naming `what`, if it is not an object.
    pub fn argument(what: &str, text: &'a [u8]) -> Result<Self> {
        Self::parse(text).ok_or_else(|| Error::argument(format!("{what} must be an object that JSON can hold")))
    }

    /// Sets a field as JavaScript does: an existing one keeps its position.
    pub fn set(&mut self, name: &'a str, value: &'a RawValue) {
        self.0.insert(Name(name.into()), value);
    }

    /// Removes a field. The others keep their order.
    pub fn remove(&mut self, name: &str) {
        self.0.shift_remove(name);
    }

    /// Whether the field exists.
    pub fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// Whether the field exists and is `null`.
    pub fn is_null(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(|value| value.get() == "null")
    }

    /// Merges two objects like `{ ...this, ...over }` in JavaScript.
    pub fn spread(mut self, over: Object<'a>) -> Self {
        self.0.extend(over.0);
        self
    }

    /// Returns a field that is an id: a non-empty string, or a number as text.
    pub fn name(&self, field: &str) -> Option<String> {
        let raw = self.0.get(field)?.get();
        match raw.as_bytes().first()? {
            b'"' => serde_json::from_str(raw).ok().filter(|name: &String| !name.is_empty()),
            b'-' | b'0'..=b'9' => Some(raw.to_owned()),
            _ => None,
        }
    }

    /// Returns a field that is a number.
    pub fn number(&self, field: &str) -> Option<f64> {
        serde_json::from_str(self.0.get(field)?.get()).ok()
    }

    /// Encodes the object.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&self.0).map_err(encode_error)
    }
}

/// Encodes a string.
pub fn string(text: &str) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(text).map_err(encode_error)
}

/// Replaces a stored value that is not JSON.
pub const INVALID: &[u8] = br#"{"error":"Invalid data"}"#;

/// Returns the value if it is JSON, and `INVALID` otherwise.
pub fn or_invalid(value: &[u8]) -> &[u8] {
    if is_json(value) { value } else { INVALID }
}

/// Whether a value is JSON.
pub fn is_json(value: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(value).is_ok()
}

fn encode_error(error: serde_json::Error) -> Error {
    Error::new(Kind::Internal, "JSON could not be written").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(a: &str, b: &str) -> String {
        let object = Object::parse(a.as_bytes()).unwrap().spread(Object::parse(b.as_bytes()).unwrap());
        String::from_utf8(object.to_bytes().unwrap()).unwrap()
    }

    #[test]
    fn an_unchanged_field_keeps_its_bytes() {
        let fields = r#""a":[],"b":9007199254740993,"c":{ "x" : 1.10e2},"d":"\u00e9\ud800""#;
        assert_eq!(
            spread(&format!("{{{fields},\"e\":1}}"), r#"{"e":2,"f":{}}"#),
            format!("{{{fields},\"e\":2,\"f\":{{}}}}")
        );
    }

    #[test]
    fn a_changed_field_keeps_its_position() {
        assert_eq!(spread(r#"{"a":1,"b":2}"#, r#"{"c":3,"a":null}"#), r#"{"a":null,"b":2,"c":3}"#);
    }

    #[test]
    fn only_objects_are_objects() {
        for text in ["", "[]", "null", "1", "\"a\"", "{", "{\"a\":}", "{} {}", "{\"a\":1,}"] {
            assert!(Object::parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn names_are_strings_and_numbers() {
        let object = Object::parse(br#"{"a":"\u0041b","b":42,"c":"","d":null,"e":{},"f":true}"#).unwrap();
        assert_eq!(object.name("a").as_deref(), Some("Ab"));
        assert_eq!(object.name("b").as_deref(), Some("42"));
        assert!(["c", "d", "e", "f", "g"].iter().all(|field| object.name(field).is_none()));
    }
}
