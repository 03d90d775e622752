//! Options by their names, and the names as messages say them.

use std::{ffi::CStr, ops::RangeInclusive, time::Duration};

use cinnabar_port::error::{Error, Result};
use napi::sys::ValueType;

use super::node_api::{Js, Value};

/// An object of options, and what stands before their names in messages.
#[derive(Clone, Copy)]
pub struct Group {
    /// Where it lives.
    pub js: Js,
    /// The object, or `undefined` where there is none.
    pub object: Value,
    /// Such as `tls.`; nothing for the options themselves.
    pub within: &'static str,
}

impl Group {
    fn said(self, name: &CStr) -> String {
        format!("{}{}", self.within, name.to_string_lossy())
    }

    /// An option as `read` reads it.
    pub fn read<T>(self, name: &'static CStr, read: impl FnOnce(Value, &str) -> Result<T>) -> Result<Option<T>> {
        self.js.option(self.object, name)?.map(|value| read(value, &self.said(name))).transpose()
    }

    /// A string.
    pub fn text(self, name: &'static CStr) -> Result<Option<String>> {
        self.read(name, |value, said| self.js.text(value, said))
    }

    /// A whole number within bounds.
    pub fn whole<T: TryFrom<u64>>(self, name: &'static CStr, range: RangeInclusive<u64>) -> Result<Option<T>> {
        self.read(name, |value, said| {
            let number = self.js.whole_within(value, said, range)?;
            T::try_from(number).map_err(|_| Error::argument(format!("{said} must not be as large as {number}")))
        })
    }

    /// Milliseconds.
    pub fn time(self, name: &'static CStr) -> Result<Option<Duration>> {
        self.read(name, |value, said| self.js.milliseconds(value, said))
    }

    /// Milliseconds within bounds.
    pub fn time_within(self, name: &'static CStr, range: RangeInclusive<u64>) -> Result<Option<Duration>> {
        self.read(name, |value, said| self.js.milliseconds_within(value, said, range))
    }

    /// Any number; what it may be is said elsewhere.
    pub fn rate(self, name: &'static CStr) -> Result<Option<f64>> {
        self.read(name, |value, said| self.js.any_number(value, said))
    }

    /// An option that is an object of options itself; `wanted` names all that it may be.
    pub fn group(self, name: &'static CStr, within: &'static str, wanted: &str) -> Result<Option<Self>> {
        self.read(name, |value, said| {
            if self.js.kind(value) != ValueType::napi_object || self.js.array_length(value).is_some() {
                return Err(self.js.refuse(value, said, wanted));
            }
            Ok(Self { object: value, within, ..self })
        })
    }
}
