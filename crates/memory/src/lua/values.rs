//! Conversion of values to and from Lua.

use bytes::Bytes;
use mlua::{FromLua, Value};

use super::super::number;
use super::super::resp_value::{CommandError, CommandResult, RespValue};

/// The deepest nesting of a reply.
const MAX_DEPTH: usize = 200;

/// Returns a text with line ends replaced by spaces.
pub fn one_line(text: &mlua::String) -> String {
    until_nul(text).replace(['\r', '\n'], " ")
}

/// Returns the text of an error reply: a server removes trailing line ends.
pub fn error_line(text: &mlua::String) -> String {
    until_nul(text).trim_end_matches(['\r', '\n']).replace(['\r', '\n'], " ")
}

/// Cuts a text at its first NUL, because a server reads it as a C string.
fn until_nul(text: &mlua::String) -> String {
    let text = text.to_string_lossy();
    text.split('\0').next().unwrap_or_default().to_owned()
}

/// Returns a string or number as a command argument.
pub fn argument(value: &Value) -> Option<Bytes> {
    match value {
        Value::String(text) => Some(Bytes::copy_from_slice(&text.as_bytes())),
        Value::Integer(number) => Some(number::write_float(*number as f64)),
        Value::Number(number) => Some(number::write_float(*number)),
        _ => None,
    }
}

/// A command argument given by a script; `None` if it is invalid. Copied out of Lua immediately, because Lua can keep only a
/// few thousand values referenced by Rust.
pub struct Argument(pub Option<Bytes>);

impl FromLua for Argument {
    fn from_lua(value: Value, _: &mlua::Lua) -> mlua::Result<Self> {
        Ok(Self(argument(&value)))
    }
}

pub fn into_lua(lua: &mlua::Lua, reply: RespValue) -> mlua::Result<Value> {
    let single = |name: &str, text: &[u8]| {
        let table = lua.create_table()?;
        table.raw_set(name, lua.create_string(text)?)?;
        Ok(Value::Table(table))
    };
    match reply {
        RespValue::Nil => Ok(Value::Boolean(false)),
        RespValue::Int(number) => Ok(Value::Number(number as f64)),
        RespValue::Bulk(text) => lua.create_string(&text).map(Value::String),
        RespValue::Status(text) => single("ok", &text),
        RespValue::Error(error) => single("err", error.0.as_bytes()),
        RespValue::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for item in items {
                table.raw_push(into_lua(lua, item)?)?;
            }
            Ok(Value::Table(table))
        }
    }
}

/// Returns the reply of a script. An error that it returns is its reply, without anything appended.
pub fn from_lua(value: &Value, depth: usize) -> mlua::Result<CommandResult> {
    if depth > MAX_DEPTH {
        return Ok(Err(CommandError::new("ERR reached lua stack limit")));
    }
    Ok(Ok(match value {
        Value::String(text) => RespValue::Bulk(Bytes::copy_from_slice(&text.as_bytes())),
        Value::Integer(number) => RespValue::Int(*number),
        Value::Number(number) => RespValue::Int(truncated(*number)),
        Value::Boolean(true) => RespValue::Int(1),
        Value::Table(table) => {
            if let Value::String(text) = table.raw_get("err")? {
                return Ok(Ok(RespValue::Error(CommandError::text(error_line(&text)))));
            }
            if let Value::String(text) = table.raw_get("ok")? {
                return Ok(Ok(RespValue::Status(Bytes::from(one_line(&text)))));
            }
            let mut items = Vec::new();
            loop {
                match table.raw_get(items.len() + 1)? {
                    Value::Nil => break,
                    item => match from_lua(&item, depth + 1)? {
                        Ok(item) => items.push(item),
                        failed => return Ok(failed),
                    },
                }
            }
            RespValue::Array(items)
        }
        _ => RespValue::Nil,
    }))
}

/// Truncates a number. Out-of-range values become the minimum, as with C compilers on x86.
fn truncated(number: f64) -> i64 {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    if fits { number as i64 } else { i64::MIN }
}
