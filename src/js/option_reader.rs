//! Reads options by name, with their full names in error messages.

use std::{ffi::CStr, ops::RangeInclusive, time::Duration};

use cinnabar_port::error::{Error, Result};
use napi::sys::ValueType;

use super::node_api::{Js, Value};

/// An object of options, with the prefix of their names in messages.
#[derive(Clone, Copy)]
pub struct OptionReader {
    /// Its environment.
    pub js: Js,
    /// The object, or `undefined`.
    pub object: Value,
    /// Such as `tls.`; empty for the top level.
    pub prefix: &'static str,
}

impl OptionReader {
    fn label_of(self, name: &CStr) -> String {
        format!("{}{}", self.prefix, name.to_string_lossy())
    }

    /// Returns an option converted by `read`, if it is set.
    pub fn read<T>(self, name: &'static CStr, read: impl FnOnce(Value, &str) -> Result<T>) -> Result<Option<T>> {
        self.js.option(self.object, name)?.map(|value| read(value, &self.label_of(name))).transpose()
    }

    /// Returns an option that is a string.
    pub fn text(self, name: &'static CStr) -> Result<Option<String>> {
        self.read(name, |value, label| self.js.text(value, label))
    }

    /// Returns an option that is an integer within bounds.
    pub fn whole<T: TryFrom<u64>>(self, name: &'static CStr, range: RangeInclusive<u64>) -> Result<Option<T>> {
        self.read(name, |value, label| {
            let number = self.js.whole_within(value, label, range)?;
            T::try_from(number).map_err(|_| Error::argument(format!("{label} must not be as large as {number}")))
        })
    }

    /// Returns an option in milliseconds.
    pub fn time(self, name: &'static CStr) -> Result<Option<Duration>> {
        self.read(name, |value, label| self.js.milliseconds(value, label))
    }

    /// Returns an option in milliseconds within bounds.
    pub fn time_within(self, name: &'static CStr, range: RangeInclusive<u64>) -> Result<Option<Duration>> {
        self.read(name, |value, label| self.js.milliseconds_within(value, label, range))
    }

    /// Returns an option that is any number; its bounds are checked elsewhere.
    pub fn rate(self, name: &'static CStr) -> Result<Option<f64>> {
        self.read(name, |value, label| self.js.any_number(value, label))
    }

    /// Returns a reader for an option that is an object of options itself; `wanted` names the allowed types.
    pub fn group(self, name: &'static CStr, prefix: &'static str, wanted: &str) -> Result<Option<Self>> {
        self.read(name, |value, label| {
            if self.js.kind(value) != ValueType::napi_object || self.js.array_length(value).is_some() {
                return Err(self.js.type_error(value, label, wanted));
            }
            Ok(Self { object: value, prefix, ..self })
        })
    }
}
