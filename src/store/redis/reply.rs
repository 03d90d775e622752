//! fred's values and errors in our words.

use bytes::Bytes;
use fred::{
    error::{Error as FredError, ErrorKind},
    types::Value,
};

use crate::{
    error::{Error, Kind, Result},
    store::Reply,
};

/// A value as the port has it.
pub fn reply(value: Value) -> Result<Reply> {
    Ok(match value {
        Value::Null => Reply::Nil,
        Value::Integer(n) => Reply::Int(n),
        Value::Boolean(flag) => Reply::Int(flag.into()),
        Value::String(text) => Reply::Bulk(text.into_inner()),
        Value::Bytes(bytes) => Reply::Bulk(bytes),
        Value::Double(n) => Reply::Bulk(Bytes::from(n.to_string())),
        Value::Queued => Reply::text("QUEUED"),
        Value::Array(items) => Reply::Array(items.into_iter().map(reply).collect::<Result<_>>()?),
        Value::Map(_) => return Err(Error::new(Kind::Internal, "a RESP3 map came over a RESP2 connection")),
    })
}

/// What went wrong, for a request that had been handed to the connection.
pub fn failure(error: FredError) -> Error {
    match error.kind() {
        ErrorKind::Timeout => Error::new(Kind::Timeout, "the server did not answer in time"),
        ErrorKind::IO | ErrorKind::Canceled | ErrorKind::Backpressure => lost(),
        ErrorKind::Auth => Error::new(Kind::Auth, error.details().to_owned()),
        ErrorKind::Protocol | ErrorKind::Parse => {
            Error::new(Kind::MaybeApplied, format!("the server's answer made no sense: {}", error.details()))
        }
        _ => Error::from_server(error.details().to_owned()),
    }
}

/// What went wrong while a connection was being made: nothing had been sent.
pub fn refusal(error: &FredError, target: &str) -> Error {
    let kind = match error.kind() {
        ErrorKind::Auth => Kind::Auth,
        _ if error.details().starts_with("WRONGPASS") || error.details().starts_with("NOAUTH") => Kind::Auth,
        _ => Kind::Unavailable,
    };
    Error::new(kind, format!("cannot connect to {target}: {}", error.details())).with_source(error.clone())
}

/// The connection ended while an answer was awaited.
pub fn lost() -> Error {
    Error::new(
        Kind::MaybeApplied,
        "the connection was lost before the answer came; the call may or may not have been applied",
    )
}

/// The deadline passed while an answer was awaited.
pub fn late(repeatable: bool) -> Error {
    if repeatable {
        Error::new(Kind::Timeout, "no answer before the deadline")
    } else {
        Error::new(Kind::MaybeApplied, "no answer before the deadline; the call may or may not have been applied")
    }
}
