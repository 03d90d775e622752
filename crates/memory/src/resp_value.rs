//! Replies of commands inside the engine. They distinguish more than `Reply`, because scripts see statuses and errors as such.

use std::borrow::Cow;

use bytes::Bytes;
use cinnabar_port::Reply;
use cinnabar_port::error::Error;

/// The reply of a command, or its error.
pub type CommandResult = Result<RespValue, CommandError>;

/// One reply, in the types of RESP2.
#[derive(Debug, Clone, PartialEq)]
pub enum RespValue {
    /// A null reply.
    Nil,
    /// An integer.
    Int(i64),
    /// A string.
    Bulk(Bytes),
    /// A status such as `OK`: `{ok=…}` in a script.
    Status(Bytes),
    /// An error inside an array, which only a script can return.
    Error(CommandError),
    /// Several replies.
    Array(Vec<RespValue>),
}

impl RespValue {
    /// The status that most writes return.
    pub const OK: RespValue = RespValue::Status(Bytes::from_static(b"OK"));

    /// Returns an integer reply.
    pub fn from_count(n: usize) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }

    /// Returns a string, or nil for `None`.
    pub fn bulk_or_nil(bytes: Option<Bytes>) -> Self {
        bytes.map_or(Self::Nil, Self::Bulk)
    }

    /// Returns an array of strings.
    pub fn bulk_array(items: impl IntoIterator<Item = Bytes>) -> Self {
        Self::Array(items.into_iter().map(Self::Bulk).collect())
    }

    /// Converts to a reply, where a status is a string; an error at the top level is the error of the request.
    pub fn into_reply(self) -> Result<Reply, CommandError> {
        match self {
            Self::Error(fault) => Err(fault),
            other => Ok(other.into_element()),
        }
    }

    fn into_element(self) -> Reply {
        match self {
            Self::Nil => Reply::Nil,
            Self::Int(n) => Reply::Int(n),
            Self::Bulk(bytes) | Self::Status(bytes) => Reply::Bulk(bytes),
            Self::Error(fault) => Reply::Error(Bytes::from(fault.0.into_owned())),
            Self::Array(items) => Reply::Array(items.into_iter().map(Self::into_element).collect()),
        }
    }
}

impl From<bool> for RespValue {
    fn from(yes: bool) -> Self {
        Self::Int(yes.into())
    }
}

/// An error reply in the words of Redis: the first word is the code.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandError(pub Cow<'static, str>);

impl CommandError {
    pub const WRONG_TYPE: CommandError =
        CommandError::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub const SYNTAX: CommandError = CommandError::new("ERR syntax error");
    pub const NOT_INTEGER: CommandError = CommandError::new("ERR value is not an integer or out of range");
    pub const NOT_FLOAT: CommandError = CommandError::new("ERR value is not a valid float");
    pub const NOT_POSITIVE: CommandError = CommandError::new("ERR value is out of range, must be positive");
    pub const OVERFLOW: CommandError = CommandError::new("ERR increment or decrement would overflow");
    pub const NO_SUCH_KEY: CommandError = CommandError::new("ERR no such key");
    pub const TOO_LONG: CommandError =
        CommandError::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub const OUT_OF_MEMORY: CommandError =
        CommandError::new("OOM command not allowed when used memory > 'maxmemory'.");

    /// Creates an error with a static text.
    pub const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Creates an error with a text composed at run time.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Cow::Owned(text.into()))
    }

    /// Creates the error for a wrong number of arguments; `name` is in lower case.
    pub fn arity(name: &str) -> Self {
        Self::text(format!("ERR wrong number of arguments for '{name}' command"))
    }

    /// Converts it to the error that callers get.
    pub fn into_error(self) -> Error {
        Error::from_server(self.0)
    }
}
