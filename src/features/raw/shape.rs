//! What the raw client's commands answer.

use std::borrow::Cow;

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

    /// Reads a reply.
    ///
    /// # Errors
    /// `E_INVALID_DATA` when the server answers something else.
    pub fn read(self, reply: Reply) -> Result<Answer> {
        Ok(match self {
            Self::Text | Self::Popped => reply.bulk()?.map_or(Answer::Null, Answer::text),
            Self::Number => match reply {
                Reply::Nil => Answer::Null,
                reply => reply.int()?.into(),
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
                    fields.push((Cow::Owned(field), plain(value)));
                }
                Answer::Object(fields)
            }
            Self::Scanned => {
                let [cursor, keys] = reply.tuple()?;
                Answer::Object(vec![Answer::field("cursor", plain(cursor)), Answer::field("keys", plain(keys))])
            }
        })
    }
}

/// A reply as it is.
pub fn plain(reply: Reply) -> Answer {
    match reply {
        Reply::Nil => Answer::Null,
        Reply::Int(number) => number.into(),
        Reply::Bulk(text) => Answer::text(text),
        Reply::Array(items) => Answer::List(items.into_iter().map(plain).collect()),
    }
}

fn score(text: &[u8]) -> Result<f64> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.parse().map_err(|_| Error::new(Kind::InvalidData, "the server sent a score that is no number"))
}
