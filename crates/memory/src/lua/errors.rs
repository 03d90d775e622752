//! Conversion of errors to and from Lua.

use mlua::Value;

use super::super::resp_value::CommandError;
use super::values::{argument, one_line};

/// An error that is raised in Lua.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.0)]
struct RaisedError(CommandError);

/// Returns the text of an error raised in a chunk named `guard`, without its position.
pub fn without_guard_position(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"guard:")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest[digits..].strip_prefix(b": ")
}

pub fn to_lua_error(error: CommandError) -> mlua::Error {
    mlua::Error::external(RaisedError(error))
}

/// Converts an error value of Lua to an error with a code.
pub fn from_lua_error(error: &Value) -> CommandError {
    let text = match error {
        Value::Table(table) => match table.raw_get::<Value>("err") {
            Ok(Value::String(text)) => return CommandError::text(one_line(&text)),
            _ => "unknown error".to_owned(),
        },
        Value::Error(error) => {
            let mut error: &mlua::Error = error;
            while let mlua::Error::CallbackError { cause, .. } = error {
                error = cause;
            }
            match (error.downcast_ref(), error) {
                (Some(RaisedError(error)), _) => return error.clone(),
                (None, mlua::Error::SyntaxError { message, .. }) => message.clone(),
                (None, other) => other.to_string(),
            }
        }
        Value::Nil => "nil".to_owned(),
        other => argument(other).map_or("unknown error".to_owned(), |text| String::from_utf8_lossy(&text).into_owned()),
    };
    CommandError::text(format!("ERR {}", text.replace(['\r', '\n'], " ")))
}
