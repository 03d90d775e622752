//! The value that a promise resolves with, as plain data that is built off the main thread.

use std::borrow::Cow;

use bytes::Bytes;
use cinnabar_port::error::Error;

/// A string for JavaScript. It is scanned when it is created, so that the main thread only copies it.
#[derive(Debug, Clone)]
pub struct Text {
    /// UTF-8.
    pub bytes: Bytes,
    /// Whether it is ASCII, which JavaScript takes more cheaply.
    pub ascii: bool,
}

impl Text {
    fn new(bytes: Bytes) -> Self {
        Self { ascii: bytes.is_ascii(), bytes }
    }
}

/// Which counter produced a rate-limit result. The numbers are indexes of the list in `lib/bridge.js`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The store.
    Store = 0,
    /// This process, because the store was unavailable.
    Local = 1,
    /// None, because the store was unavailable.
    Fallback = 2,
    /// The store, earlier: it refuses this for a while.
    Cache = 3,
}

/// The result of a check of a rate limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitResult {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Whether it is allowed only because the policy is a shadow: it exceeded the limit, and was not charged.
    pub shadow_denied: bool,
    /// The limit; `None` if everything is allowed.
    pub limit: Option<u64>,
    /// How many more hits are allowed now; `None` if all are.
    pub remaining: Option<u64>,
    /// When all hits of the limit are allowed again, in milliseconds since 1970 by the clock of the counter, if it is known.
    pub reset_ms: Option<i64>,
    /// How long until then, in milliseconds; without a counter, how long a rejected client has to wait.
    pub reset_after_ms: i64,
    /// How long until such a hit can be allowed, in milliseconds by the clock of the counter; 0 if this one was. `None` if it never can.
    pub retry_after_ms: Option<i64>,
    /// When it was checked, in microseconds since 1970 by the clock of the counter, if it is known.
    pub now_us: Option<i64>,
    /// The counter that produced this.
    pub source: Source,
    /// What to settle the charge with, if that was asked for.
    pub charge: Option<String>,
}

/// What a promise resolves with.
#[derive(Debug, Clone)]
pub enum Output {
    /// `undefined`.
    Undefined,
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(Text),
    /// A `Buffer`.
    Bytes(Bytes),
    /// A string that is parsed as JSON.
    Json(Text),
    /// JSON of an object with field names from a store, so it gets no prototype.
    JsonRecord(Text),
    /// An array.
    List(Vec<Output>),
    /// A plain object with fields in this order.
    Object(Vec<(Cow<'static, str>, Output)>),
    /// An object without a prototype, since its field names come from a store.
    Record(Vec<(String, Output)>),
    /// The result of a rate limit. Built by a single call of a JavaScript function, because it is frequent.
    RateLimit(Box<LimitResult>),
    /// An error as a value, as in the result of `multi().exec()`.
    Failure(Error),
}

impl Output {
    /// A string from static text.
    pub fn word(text: &'static str) -> Self {
        Self::text(Bytes::from_static(text.as_bytes()))
    }

    /// A string.
    pub fn text(bytes: impl Into<Bytes>) -> Self {
        Self::Text(Text::new(bytes.into()))
    }

    /// A value from its JSON.
    pub fn json(bytes: impl Into<Bytes>) -> Self {
        Self::Json(Text::new(bytes.into()))
    }

    /// An object from its JSON, without a prototype.
    pub fn json_record(bytes: impl Into<Bytes>) -> Self {
        Self::JsonRecord(Text::new(bytes.into()))
    }

    /// A field of an object.
    pub fn field(name: &'static str, value: impl Into<Output>) -> (Cow<'static, str>, Output) {
        (Cow::Borrowed(name), value.into())
    }
}

impl From<()> for Output {
    fn from((): ()) -> Self {
        Self::Undefined
    }
}

impl From<bool> for Output {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Output {
    fn from(number: i64) -> Self {
        Self::Number(number as f64)
    }
}

impl From<u64> for Output {
    fn from(number: u64) -> Self {
        Self::Number(number as f64)
    }
}

impl From<usize> for Output {
    fn from(number: usize) -> Self {
        Self::Number(number as f64)
    }
}

impl From<String> for Output {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Vec<String>> for Output {
    fn from(texts: Vec<String>) -> Self {
        Self::List(texts.into_iter().map(Output::from).collect())
    }
}

impl<T: Into<Output>> From<Option<T>> for Output {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
