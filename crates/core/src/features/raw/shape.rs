//! Converts replies to results of the raw client.

use bytes::Bytes;
use cinnabar_port::{
    Args, Reply,
    error::{Error, Kind, Result},
    number,
};

use crate::output::Output;

/// How a reply is converted for JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A string or null.
    Text,
    /// A string.
    Status,
    /// Strings.
    Texts,
    /// A string or null for each key.
    Values,
    /// A string or null for each field.
    Fields,
    /// This many strings or nulls.
    Each(usize),
    /// A number.
    Number,
    /// A boolean.
    Flag,
    /// A number from text, or null.
    Score,
    /// A number from text.
    Sum,
    /// A plain object from a list of pairs.
    Record,
    /// A string or null, or with a count a list of strings or null.
    Popped,
    /// A list of strings or null.
    PoppedTexts,
    /// `{ cursor, keys }`.
    Scanned,
    /// The unchanged reply.
    Plain,
}

impl Shape {
    /// Returns the shape for these arguments. A pop with a count returns a list.
    pub fn for_args(self, args: &Args) -> Self {
        match self {
            Self::Popped if args.len() > 1 => Self::PoppedTexts,
            Self::Popped => Self::Text,
            Self::Values => Self::Each(args.len()),
            Self::Fields => Self::Each(args.len().saturating_sub(1)),
            other => other,
        }
    }

    /// Converts a reply, with strings or Buffers.
    ///
    /// # Errors
    /// `E_INVALID_DATA` if the reply has another shape, or a number beyond JavaScript's safe integers.
    pub fn read(self, reply: Reply, strings: Strings) -> Result<Output> {
        let text_or_null = |reply: Reply| Ok(reply.bulk()?.map_or(Output::Null, |bytes| strings.output(bytes)));
        let text = |reply| Ok(strings.output(required(reply)?));
        Ok(match self {
            Self::Text | Self::Popped => text_or_null(reply)?,
            Self::Status => text(reply)?,
            Self::Number => whole(reply.int()?)?,
            Self::Flag => (reply.int()? != 0).into(),
            Self::Plain => plain(reply, strings),
            Self::PoppedTexts if reply == Reply::Nil => Output::Null,
            Self::Texts | Self::PoppedTexts => list(elements(reply)?, text)?,
            Self::Values | Self::Fields => list(elements(reply)?, text_or_null)?,
            Self::Each(count) => {
                let items = elements(reply)?;
                if items.len() != count {
                    return Err(invalid(format!("expected {count} values from the server, got {}", items.len())));
                }
                list(items, text_or_null)?
            }
            Self::Score if reply == Reply::Nil => Output::Null,
            Self::Score | Self::Sum => Output::Number(score(&required(reply)?)?),
            Self::Record => {
                let items = elements(reply)?;
                if items.len() % 2 != 0 {
                    return Err(invalid("expected fields and values from the server, got a field without a value"));
                }
                let mut items = items.into_iter();
                let mut fields = Vec::with_capacity(items.len() / 2);
                while let (Some(field), Some(value)) = (items.next(), items.next()) {
                    fields.push((String::from_utf8_lossy(&required(field)?).into_owned(), text(value)?));
                }
                Output::Record(fields)
            }
            Self::Scanned => {
                let [cursor, keys] = reply.tuple()?;
                let keys = list(elements(keys)?, text)?;
                Output::Object(vec![Output::field("cursor", text(cursor)?), Output::field("keys", keys)])
            }
        })
    }
}

/// Returns the elements of an array. Nil is an error.
fn elements(reply: Reply) -> Result<Vec<Reply>> {
    if reply == Reply::Nil { Err(invalid("expected an array from the server, got nothing")) } else { reply.array() }
}

/// Returns a string. Nil is an error.
fn required(reply: Reply) -> Result<Bytes> {
    reply.bulk()?.ok_or_else(|| invalid("expected a string from the server, got nothing"))
}

fn list(items: Vec<Reply>, read: impl Fn(Reply) -> Result<Output>) -> Result<Output> {
    items.into_iter().map(read).collect::<Result<_>>().map(Output::List)
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Kind::InvalidData, message)
}

/// How stored strings are returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strings {
    /// As strings. Invalid UTF-8 becomes U+FFFD.
    Text,
    /// A `Buffer`.
    Bytes,
}

impl Strings {
    fn output(self, bytes: Bytes) -> Output {
        match self {
            Self::Text => Output::text(bytes),
            Self::Bytes => Output::Bytes(bytes),
        }
    }
}

/// Converts any reply unchanged. A number beyond JavaScript's safe integers becomes a string of digits.
pub fn plain(reply: Reply, strings: Strings) -> Output {
    match reply {
        Reply::Nil => Output::Null,
        Reply::Int(number) if is_safe(number) => number.into(),
        Reply::Int(number) => number.to_string().into(),
        Reply::Bulk(text) => strings.output(text),
        Reply::Array(items) => Output::List(items.into_iter().map(|item| plain(item, strings)).collect()),
        Reply::Error(words) => Output::Failure(Error::from_server(String::from_utf8_lossy(&words).into_owned())),
    }
}

/// Converts a reply that is documented as a number.
fn whole(number: i64) -> Result<Output> {
    if is_safe(number) {
        return Ok(number.into());
    }
    let message = format!(
        "the command was executed and returned {number}, which exceeds JavaScript's safe integers; use sendCommand(), which returns it as a string"
    );
    Err(Error::new(Kind::InvalidData, message))
}

/// Whether it is a safe integer in JavaScript.
fn is_safe(number: i64) -> bool {
    number.unsigned_abs() <= number::MAX_SAFE_INTEGER
}

fn score(text: &[u8]) -> Result<f64> {
    let score = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    score.filter(|score: &f64| !score.is_nan()).ok_or_else(|| invalid("the server sent a score that is not a number"))
}
