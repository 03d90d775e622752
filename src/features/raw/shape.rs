//! What the raw client's commands answer.

use bytes::Bytes;

use crate::{
    answer::Answer,
    error::{Error, Kind, Result},
    store::{Args, Reply},
};

/// How a reply is shown to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A string or null.
    Text,
    /// Strings or nulls.
    Texts,
    /// A number.
    Number,
    /// A boolean.
    Flag,
    /// A number that came as text, or null.
    Score,
    /// A plain object from a list of pairs.
    Record,
    /// A string or null, or with a count a list of strings.
    Popped,
    /// `{ cursor, keys }`.
    Scanned,
    /// As the server answers.
    Plain,
}

impl Shape {
    /// The shape for these arguments: a count makes a pop a list.
    pub fn for_args(self, args: &Args) -> Self {
        match self {
            Self::Popped if args.len() > 1 => Self::Texts,
            Self::Popped => Self::Text,
            other => other,
        }
    }

    /// Converts a reply, with strings or Buffers.
    ///
    /// # Errors
    /// `E_INVALID_DATA` if the reply has another shape, or a number beyond JavaScript's safe integers.
    pub fn read(self, reply: Reply, strings: Strings) -> Result<Answer> {
        let plain = |reply| plain(reply, strings);
        Ok(match self {
            Self::Text | Self::Popped => reply.bulk()?.map_or(Answer::Null, |bytes| strings.answer(bytes)),
            Self::Number => match reply {
                Reply::Nil => Answer::Null,
                reply => whole(reply.int()?)?,
            },
            Self::Flag => reply.flag()?.into(),
            Self::Plain => plain(reply),
            Self::Texts => match reply {
                Reply::Nil => Answer::Null,
                reply => Answer::List(reply.array()?.into_iter().map(plain).collect()),
            },
            Self::Score => match reply.bulk()? {
                None => Answer::Null,
                Some(text) => Answer::Number(score(&text)?),
            },
            Self::Record => {
                let mut items = reply.array()?.into_iter();
                let mut fields = Vec::with_capacity(items.len() / 2);
                while let (Some(field), Some(value)) = (items.next(), items.next()) {
                    let field = String::from_utf8_lossy(&field.bulk()?.unwrap_or_default()).into_owned();
                    fields.push((field, plain(value)));
                }
                Answer::Record(fields)
            }
            Self::Scanned => {
                let [cursor, keys] = reply.tuple()?;
                Answer::Object(vec![Answer::field("cursor", plain(cursor)), Answer::field("keys", plain(keys))])
            }
        })
    }
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
    fn answer(self, bytes: Bytes) -> Answer {
        match self {
            Self::Text => Answer::text(bytes),
            Self::Bytes => Answer::Bytes(bytes),
        }
    }
}

/// Converts any reply unchanged. A number beyond JavaScript's safe integers becomes a string of digits.
pub fn plain(reply: Reply, strings: Strings) -> Answer {
    match reply {
        Reply::Nil => Answer::Null,
        Reply::Int(number) if is_safe(number) => number.into(),
        Reply::Int(number) => number.to_string().into(),
        Reply::Bulk(text) => strings.answer(text),
        Reply::Array(items) => Answer::List(items.into_iter().map(|item| plain(item, strings)).collect()),
        Reply::Refused(words) => Answer::Failure(Error::from_server(String::from_utf8_lossy(&words).into_owned())),
    }
}

/// A reply that is documented as a number.
fn whole(number: i64) -> Result<Answer> {
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
    number.unsigned_abs() < 1 << 53
}

fn score(text: &[u8]) -> Result<f64> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.parse().map_err(|_| Error::new(Kind::InvalidData, "the server sent a score that is not a number"))
}
