//! Replies of an engine, in the shapes of RESP2.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::error::{Error, Kind, Result};

/// What a call has of each of its requests: most have one or two.
pub type Few<T> = SmallVec<[T; 2]>;

/// One answer. A status such as `OK` is a `Bulk`: no caller can tell them apart, so no engine has to.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Nothing there.
    Nil,
    /// A whole number.
    Int(i64),
    /// A string of bytes.
    Bulk(Bytes),
    /// Several answers in order.
    Array(Vec<Reply>),
    /// An error reply that is an element of an array.
    Refused(Bytes),
}

impl Reply {
    /// A `Bulk` of text known when this was compiled.
    pub fn text(text: &'static str) -> Self {
        Self::Bulk(Bytes::from_static(text.as_bytes()))
    }

    /// The reply, or the first error reply in it as the error of the whole.
    pub fn whole(self) -> Result<Self> {
        match self.refusal() {
            None => Ok(self),
            Some(words) => Err(Error::from_server(String::from_utf8_lossy(words).into_owned())),
        }
    }

    fn refusal(&self) -> Option<&Bytes> {
        match self {
            Self::Refused(words) => Some(words),
            Self::Array(items) => items.iter().find_map(Self::refusal),
            Self::Nil | Self::Int(_) | Self::Bulk(_) => None,
        }
    }

    /// A whole number, from an integer reply or digits.
    pub fn int(self) -> Result<i64> {
        match self {
            Self::Int(n) => Ok(n),
            Self::Bulk(bytes) => std::str::from_utf8(&bytes)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| unexpected("an integer", &Self::Bulk(bytes.clone()))),
            other => Err(unexpected("an integer", &other)),
        }
    }

    /// Whether something happened: 1 is true; 0 and nil are false.
    pub fn flag(self) -> Result<bool> {
        match self {
            Self::Nil => Ok(false),
            other => Ok(other.int()? != 0),
        }
    }

    /// Bytes, or `None` when there is nothing.
    pub fn bulk(self) -> Result<Option<Bytes>> {
        match self {
            Self::Nil => Ok(None),
            Self::Bulk(bytes) => Ok(Some(bytes)),
            Self::Int(n) => Ok(Some(Bytes::from(n.to_string()))),
            other => Err(unexpected("a string", &other)),
        }
    }

    /// The elements of an array; nil is an empty one.
    pub fn array(self) -> Result<Vec<Reply>> {
        match self {
            Self::Nil => Ok(Vec::new()),
            Self::Array(items) => Ok(items),
            other => Err(unexpected("an array", &other)),
        }
    }

    /// What a run over many items answered: `1, reply` or `0, message` an item.
    pub fn items(self) -> Result<Vec<Result<Reply>>> {
        let mut answers = self.array()?.into_iter();
        let mut items = Vec::with_capacity(answers.len() / 2);
        while let (Some(ok), Some(reply)) = (answers.next(), answers.next()) {
            items.push(match ok {
                Reply::Int(1) => Ok(reply),
                _ => reply.bulk().and_then(|message| {
                    Err(Error::from_server(String::from_utf8_lossy(&message.unwrap_or_default()).into_owned()))
                }),
            });
        }
        Ok(items)
    }

    /// An array of exactly `N` elements.
    pub fn tuple<const N: usize>(self) -> Result<[Reply; N]> {
        self.array()?.try_into().map_err(|items: Vec<Reply>| {
            Error::new(Kind::InvalidData, format!("expected {N} elements from the server, got {}", items.len()))
        })
    }
}

fn unexpected(wanted: &str, got: &Reply) -> Error {
    let got = match got {
        Reply::Nil => "nothing",
        Reply::Int(_) => "a number",
        Reply::Bulk(_) => "a string",
        Reply::Array(_) => "an array",
        Reply::Refused(_) => "an error",
    };
    Error::new(Kind::InvalidData, format!("expected {wanted} from the server, got {got}"))
}
