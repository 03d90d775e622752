//! Arguments of raw commands: strings, numbers and bytes.

use bytes::Bytes;
use cinnabar_core::features::raw;
use cinnabar_port::{
    Args,
    error::{Error, Kind, Result},
};
use napi::sys::{self, ValueType};
use napi_derive::napi;

use super::node_api::{Js, Value};

/// The raw client's commands: `[method, name, parameters, 'bytes' or '']` of each.
#[napi]
#[cfg_attr(test, allow(dead_code))]
pub fn raw_commands() -> Vec<Vec<&'static str>> {
    let row = |command: &raw::Command| {
        vec![command.method, command.name, command.parameters, if command.bytes { "bytes" } else { "" }]
    };
    raw::commands().iter().map(row).collect()
}

impl Js {
    /// Returns the words of a command.
    pub fn words(self, value: Value) -> Result<Args> {
        let length = self.array_length(value).ok_or_else(|| self.type_error(value, "the arguments", "an array"))?;
        (0..length)
            .map(|index| {
                let word = self.index(value, index).map_err(|_| Error::argument("reading the arguments threw"))?;
                self.word(word, index)
            })
            .collect()
    }

    fn word(self, value: Value, index: usize) -> Result<Bytes> {
        let name = || format!("argument {}", index + 1);
        match self.kind(value) {
            ValueType::napi_string => self.text(value, &name()).map(Bytes::from),
            ValueType::napi_number => match self.as_number(value) {
                Some(number) if number.is_finite() => self
                    .number_text(value, number)
                    .ok_or_else(|| Error::new(Kind::Internal, "a number could not be converted to a string")),
                number => {
                    Err(Error::argument(format!("{} must be finite, not {}", name(), number.unwrap_or(f64::NAN))))
                }
            },
            ValueType::napi_object => {
                self.bytes(value).ok_or_else(|| self.type_error(value, &name(), "a string, a number or a Uint8Array"))
            }
            _ => Err(self.type_error(value, &name(), "a string, a number or a Uint8Array")),
        }
    }

    /// Returns a copy of the bytes of a `Uint8Array` or `Buffer`.
    pub fn bytes(self, value: Value) -> Option<Bytes> {
        let (mut kind, mut length, mut data) = (0, 0, std::ptr::null_mut());
        let (mut buffer, mut offset) = (std::ptr::null_mut(), 0);
        // SAFETY: the out pointers are locals.
        let status = unsafe {
            sys::napi_get_typedarray_info(self.0, value, &mut kind, &mut length, &mut data, &mut buffer, &mut offset)
        };
        if status != sys::Status::napi_ok || kind != sys::TypedarrayType::uint8_array {
            return None;
        }
        if length == 0 {
            return Some(Bytes::new());
        }
        // SAFETY: `data` points at `length` bytes that JavaScript cannot change while this runs on its thread.
        Some(Bytes::copy_from_slice(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) }))
    }
}
