//! JSON is written and parsed by V8, so that an object crosses the bridge as one string.

use cinnabar_port::error::{Error, Kind, Result};
use napi::sys::ValueType;

use super::node_api::{Js, Thrown, Value};

impl Js {
    /// `JSON.stringify(value)`.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for values that are not JSON-serializable: `undefined`, functions, symbols, BigInt, cycles.
    pub fn stringify(self, stringify: Value, value: Value, name: &str) -> Result<String> {
        let text = self.call(stringify, &[value]).map_err(|Thrown(error)| {
            let why = self.get(error, c"message").ok().and_then(|message| self.text(message, name).ok());
            Error::argument(format!("{name} cannot be written as JSON: {}", why.unwrap_or_else(|| "it threw".into())))
        })?;
        if self.kind(text) == ValueType::napi_string {
            self.text(text, name)
        } else {
            Err(self.type_error(value, name, "JSON-serializable"))
        }
    }

    /// `JSON.parse(text)`.
    ///
    /// # Errors
    /// `E_INVALID_DATA` when the stored text is not JSON.
    pub fn parse(self, parse: Value, text: Value) -> Result<Value> {
        self.call(parse, &[text])
            .map_err(|_| Error::new(Kind::InvalidData, "the stored value is not JSON; another program wrote this key"))
    }
}
