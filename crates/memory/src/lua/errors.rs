//! Errors on their way through Lua.

use mlua::Value;

use super::super::answer::Fault;
use super::values::{argument, one_line};

/// A refusal on its way through Lua.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.0)]
struct Refusal(Fault);

/// The text of an error raised in a chunk named `guard`, without its position.
pub fn refused_by_guard(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"guard:")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest[digits..].strip_prefix(b": ")
}

pub fn raised(fault: Fault) -> mlua::Error {
    mlua::Error::external(Refusal(fault))
}

/// Converts an error value to a fault with an error code.
pub fn fault(error: &Value) -> Fault {
    let text = match error {
        Value::Table(table) => match table.raw_get::<Value>("err") {
            Ok(Value::String(text)) => return Fault::text(one_line(&text)),
            _ => "unknown error".to_owned(),
        },
        Value::Error(error) => {
            let mut error: &mlua::Error = error;
            while let mlua::Error::CallbackError { cause, .. } = error {
                error = cause;
            }
            match (error.downcast_ref(), error) {
                (Some(Refusal(fault)), _) => return fault.clone(),
                (None, mlua::Error::SyntaxError { message, .. }) => message.clone(),
                (None, other) => other.to_string(),
            }
        }
        Value::Nil => "nil".to_owned(),
        other => argument(other).map_or("unknown error".to_owned(), |text| String::from_utf8_lossy(&text).into_owned()),
    };
    Fault::text(format!("ERR {}", text.replace(['\r', '\n'], " ")))
}
