//! Reads arguments. Errors name the argument and its type.

use std::{ffi::CStr, mem::MaybeUninit, ops::RangeInclusive, ptr, time::Duration};

use cinnabar_port::{
    error::{Error, Result},
    number::{LONGEST_SECONDS, MAX_SAFE_INTEGER, to_js_string},
    random,
};
use napi::sys::{self, ValueType};
use ring::digest::{SHA256, digest};

use super::node_api::{Js, Value};

/// The longest time in milliseconds.
pub const LONGEST_MS: u64 = LONGEST_SECONDS * 1000;
/// The same in seconds, and a millisecond.
pub const SECONDS: RangeInclusive<f64> = 0.001..=LONGEST_SECONDS as f64;
/// In bytes: the length of nearly every key and most values. Longer strings need a second call.
const TYPICAL_LENGTH: usize = 1024;
/// Precedes the hash of a string that UTF-8 cannot encode. In a caller's string that begins so, `=` is inserted.
const HASHED: &str = "\0utf16:";

/// A string of ordinary length, read without an allocation.
pub struct ShortText(MaybeUninit<[u8; TYPICAL_LENGTH]>);

impl ShortText {
    pub const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// Reads an ASCII string; `None` for a longer one, one with other characters, and any other value.
    pub fn read(&mut self, js: Js, value: Value) -> Option<&str> {
        self.fill(js, value).ok()?.filter(|bytes| bytes.is_ascii()).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Reads a string as UTF-8, in which U+FFFD replaces lone surrogates; `None` for a longer one.
    ///
    /// # Errors
    /// If it is no string.
    fn fill(&mut self, js: Js, value: Value) -> Result<Option<&[u8]>, ()> {
        let mut length = 0;
        // SAFETY: the buffer has the length that is passed; Node-API writes at most that, with a NUL at the end.
        let status = unsafe {
            sys::napi_get_value_string_utf8(js.0, value, self.0.as_mut_ptr().cast(), TYPICAL_LENGTH, &mut length)
        };
        if status != sys::Status::napi_ok {
            return Err(());
        }
        // SAFETY: Node-API has just written that many.
        let bytes = unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast::<u8>(), length) };
        // A character may take 4 bytes, so a string that was cut off fills all but the last 4.
        Ok((length < TYPICAL_LENGTH - 4).then_some(bytes))
    }
}

impl Js {
    /// Returns a string. Lone surrogates are rejected: UTF-8 cannot encode them, and different ones would become the same key.
    pub fn text(self, value: Value, name: &str) -> Result<String> {
        let mut short = ShortText::new();
        let bytes = match short.fill(self, value) {
            Ok(Some(bytes)) => bytes.to_vec(),
            Ok(None) => self.long_text(value, name)?,
            Err(()) => return Err(self.type_error(value, name, "a string")),
        };
        if contains_replacement(&bytes) && self.has_lone_surrogate(value) {
            return Err(Error::argument(format!("{name} has a lone surrogate, which no text encoding can carry")));
        }
        String::from_utf8(bytes).map_err(|_| Error::argument(format!("{name} is no valid text")))
    }

    /// Returns any string, for untrusted input: different strings stay different. A string with a lone surrogate, which UTF-8 cannot
    /// encode, becomes a hash after a NUL.
    pub fn any_text(self, value: Value, name: &str) -> Result<String> {
        match self.text(value, name) {
            Err(_) if self.kind(value) == ValueType::napi_string && self.has_lone_surrogate(value) => {
                let units: Vec<u8> = self.units(value).into_iter().flat_map(u16::to_le_bytes).collect();
                Ok(format!("{HASHED}{}", random::to_hex(digest(&SHA256, &units).as_ref())))
            }
            Ok(text) if text.starts_with(HASHED) => Ok(format!("{HASHED}={text}")),
            read => read,
        }
    }

    /// Returns an id from untrusted input; `None` for a string that is not an id by `is_id`, which is treated as not found.
    pub fn lookup_text(self, value: Value, name: &str, is_id: fn(&str) -> bool) -> Result<Option<String>> {
        match self.text(value, name) {
            Ok(text) => Ok(Some(text).filter(|text| is_id(text))),
            Err(_) if self.kind(value) == ValueType::napi_string => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns a string, or `None` for `undefined` and `null`.
    pub fn optional_text(self, value: Value, name: &str) -> Result<Option<String>> {
        if self.is_nothing(value) { Ok(None) } else { self.text(value, name).map(Some) }
    }

    /// Returns an integer from 0 to `Number.MAX_SAFE_INTEGER`.
    pub fn whole(self, value: Value, name: &str) -> Result<u64> {
        self.whole_within(value, name, 0..=MAX_SAFE_INTEGER)
    }

    /// Returns an integer within bounds.
    pub fn whole_within(self, value: Value, name: &str, range: RangeInclusive<u64>) -> Result<u64> {
        let Some(number) = self.as_number(value) else { return Err(self.type_error(value, name, "a number")) };
        let (least, most) = (*range.start(), *range.end());
        if number.fract() == 0.0 && (least as f64..=most as f64).contains(&number) {
            return Ok(number as u64);
        }
        let most = if most == MAX_SAFE_INTEGER { "2^53 - 1".to_owned() } else { most.to_string() };
        Err(Error::argument(format!(
            "{name} must be a whole number from {least} to {most}, not {}",
            to_js_string(number)
        )))
    }

    /// Returns seconds as a duration, from 1 millisecond to 100 years.
    pub fn seconds(self, value: Value, name: &str) -> Result<Duration> {
        match self.as_number(value) {
            Some(seconds) if SECONDS.contains(&seconds) => Ok(Duration::from_millis((seconds * 1000.0).round() as u64)),
            Some(seconds) => Err(Error::argument(format!(
                "{name} must be a number of seconds from {} to {}, not {}",
                SECONDS.start(),
                SECONDS.end(),
                to_js_string(seconds)
            ))),
            None => Err(self.type_error(value, name, "a number of seconds")),
        }
    }

    /// Returns milliseconds as a duration, within the same bounds.
    pub fn milliseconds(self, value: Value, name: &str) -> Result<Duration> {
        self.milliseconds_within(value, name, 1..=LONGEST_MS)
    }

    /// Returns milliseconds as a duration within bounds.
    pub fn milliseconds_within(self, value: Value, name: &str, range: RangeInclusive<u64>) -> Result<Duration> {
        let (least, most) = (*range.start(), *range.end());
        match self.as_number(value) {
            Some(ms) if (least as f64..=most as f64).contains(&ms) => Ok(Duration::from_millis(ms.round() as u64)),
            Some(ms) => Err(Error::argument(format!(
                "{name} must be a number of milliseconds from {least} to {most}, not {}",
                to_js_string(ms)
            ))),
            None => Err(self.type_error(value, name, "a number of milliseconds")),
        }
    }

    /// Returns any number; the feature checks its bounds.
    pub fn any_number(self, value: Value, name: &str) -> Result<f64> {
        self.as_number(value).ok_or_else(|| self.type_error(value, name, "a number"))
    }

    /// Returns a boolean.
    pub fn flag(self, value: Value, name: &str) -> Result<bool> {
        self.as_boolean(value).ok_or_else(|| self.type_error(value, name, "true or false"))
    }

    /// Returns `options.name`, or `None` if there are no options or it is not set. Inherited properties are ignored, because
    /// `Object.prototype` may be polluted.
    pub fn option(self, options: Value, name: &'static CStr) -> Result<Option<Value>> {
        match self.kind(options) {
            ValueType::napi_undefined | ValueType::napi_null => return Ok(None),
            ValueType::napi_object | ValueType::napi_function => {}
            _ => return Err(self.type_error(options, "options", "an object")),
        }
        match self.get(options, name) {
            Ok(value) if self.kind(value) == ValueType::napi_undefined => Ok(None),
            Ok(value) => Ok(Some(value).filter(|_| self.owns(options, name))),
            Err(_) => Err(Error::argument(format!("{} could not be read", name.to_string_lossy()))),
        }
    }

    /// Returns the strings of an array.
    pub fn texts(self, value: Value, name: &str) -> Result<Vec<String>> {
        self.each(value, name, Self::text)
    }

    /// Returns the elements of an array converted by `read`, whose errors name the element.
    pub fn each<T>(self, value: Value, name: &str, read: impl Fn(Self, Value, &str) -> Result<T>) -> Result<Vec<T>> {
        let items = self.elements(value, name)?.into_iter().enumerate();
        // The name of an element is only built for an error.
        items.map(|(at, item)| read(self, item, name).or_else(|_| read(self, item, &format!("{name}[{at}]")))).collect()
    }

    /// Returns the elements of an array of objects converted by `read`, whose errors begin with the name of a part of one.
    pub fn each_part<T>(self, value: Value, name: &str, read: impl Fn(Value) -> Result<T>) -> Result<Vec<T>> {
        let items = self.elements(value, name)?.into_iter().enumerate();
        items.map(|(at, item)| read(item).map_err(|error| error.in_element(name, at))).collect()
    }

    /// Returns the elements of an array.
    pub fn elements(self, value: Value, name: &str) -> Result<Vec<Value>> {
        let length = self.array_length(value).ok_or_else(|| self.type_error(value, name, "an array"))?;
        (0..length)
            .map(|index| self.index(value, index).map_err(|_| Error::argument(format!("reading {name} threw"))))
            .collect()
    }

    /// Returns the error for a value of the wrong type.
    pub fn type_error(self, value: Value, name: &str, wanted: &str) -> Error {
        let got = match self.kind(value) {
            ValueType::napi_undefined => "undefined",
            ValueType::napi_null => "null",
            ValueType::napi_boolean => "a boolean",
            ValueType::napi_number => "a number",
            ValueType::napi_string => "a string",
            ValueType::napi_symbol => "a symbol",
            ValueType::napi_function => "a function",
            ValueType::napi_bigint => "a BigInt",
            _ if self.array_length(value).is_some() => "an array",
            _ if self.is_promise(value) => "a promise: await it first",
            _ => "an object",
        };
        Error::argument(format!("{name} must be {wanted}, not {got}"))
    }

    fn long_text(self, value: Value, name: &str) -> Result<Vec<u8>> {
        let mut length = 0;
        // SAFETY: with a null buffer, only the length is returned.
        unsafe { sys::napi_get_value_string_utf8(self.0, value, ptr::null_mut(), 0, &mut length) };
        if length > 512 << 20 {
            return Err(Error::argument(format!("{name} is longer than 512 MB, which is more than Redis takes")));
        }
        let mut bytes = vec![0_u8; length + 1];
        // SAFETY: as long as requested, with space for the NUL.
        unsafe {
            sys::napi_get_value_string_utf8(self.0, value, bytes.as_mut_ptr().cast(), bytes.len(), &mut length);
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    fn has_lone_surrogate(self, value: Value) -> bool {
        String::from_utf16(&self.units(value)).is_err()
    }

    /// The UTF-16 code units of a string.
    pub fn units(self, value: Value) -> Vec<u16> {
        let mut length = 0;
        // SAFETY: with a null buffer, only the length is returned.
        unsafe { sys::napi_get_value_string_utf16(self.0, value, ptr::null_mut(), 0, &mut length) };
        let mut units = vec![0_u16; length + 1];
        // SAFETY: as long as requested, with space for the NUL.
        unsafe { sys::napi_get_value_string_utf16(self.0, value, units.as_mut_ptr(), units.len(), &mut length) };
        units.truncate(length);
        units
    }
}

/// Whether the text contains U+FFFD, which replaces lone surrogates; the caller may also have written it.
fn contains_replacement(bytes: &[u8]) -> bool {
    !bytes.is_ascii() && bytes.windows(3).any(|window| window == "\u{fffd}".as_bytes())
}
