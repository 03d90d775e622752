//! What a command answers inside the engine: finer than `Reply`, because a script sees statuses and errors as such.

use std::borrow::Cow;

use bytes::Bytes;
use cinnabar_port::Reply;
use cinnabar_port::error::Error;

/// A command's answer or its refusal.
pub type Outcome = Result<Answer, Fault>;

/// One answer, as RESP2 has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Nothing there.
    Nil,
    /// A whole number.
    Int(i64),
    /// A string.
    Bulk(Bytes),
    /// A status such as `OK`: `{ok=…}` in a script.
    Status(Bytes),
    /// An error inside an array, which only a script can answer.
    Error(Fault),
    /// Several answers.
    Array(Vec<Answer>),
}

impl Answer {
    /// The status most writes answer.
    pub const OK: Answer = Answer::Status(Bytes::from_static(b"OK"));

    /// A count.
    pub fn count(n: usize) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }

    /// A string, or nothing.
    pub fn maybe(bytes: Option<Bytes>) -> Self {
        bytes.map_or(Self::Nil, Self::Bulk)
    }

    /// An array of strings.
    pub fn bulks(items: impl IntoIterator<Item = Bytes>) -> Self {
        Self::Array(items.into_iter().map(Self::Bulk).collect())
    }

    /// Converts to a reply, where a status is a string; an error at the top level is the error of the request.
    pub fn into_reply(self) -> Result<Reply, Fault> {
        match self {
            Self::Error(fault) => Err(fault),
            other => Ok(other.flat()),
        }
    }

    fn flat(self) -> Reply {
        match self {
            Self::Nil => Reply::Nil,
            Self::Int(n) => Reply::Int(n),
            Self::Bulk(bytes) | Self::Status(bytes) => Reply::Bulk(bytes),
            Self::Error(fault) => Reply::Error(Bytes::from(fault.0.into_owned())),
            Self::Array(items) => Reply::Array(items.into_iter().map(Self::flat).collect()),
        }
    }
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        Self::Int(yes.into())
    }
}

/// A refusal in Redis's words, its first word the code.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault(pub Cow<'static, str>);

impl Fault {
    pub const WRONG_TYPE: Fault = Fault::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub const SYNTAX: Fault = Fault::new("ERR syntax error");
    pub const NOT_INTEGER: Fault = Fault::new("ERR value is not an integer or out of range");
    pub const NOT_FLOAT: Fault = Fault::new("ERR value is not a valid float");
    pub const NOT_POSITIVE: Fault = Fault::new("ERR value is out of range, must be positive");
    pub const OVERFLOW: Fault = Fault::new("ERR increment or decrement would overflow");
    pub const NO_SUCH_KEY: Fault = Fault::new("ERR no such key");
    pub const TOO_LONG: Fault = Fault::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub const OUT_OF_MEMORY: Fault = Fault::new("OOM command not allowed when used memory > 'maxmemory'.");

    /// A refusal with these words.
    pub const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The same with words made up now.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Cow::Owned(text.into()))
    }

    /// Too few or too many arguments; `name` in small letters.
    pub fn arity(name: &str) -> Self {
        Self::text(format!("ERR wrong number of arguments for '{name}' command"))
    }

    /// The error callers get.
    pub fn into_error(self) -> Error {
        Error::from_server(self.0)
    }
}
