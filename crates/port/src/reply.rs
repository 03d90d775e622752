//! Replies of an engine, in the shapes of RESP2.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::error::{Error, Kind, Result};

/// One value for each request of a call; most calls have one or two.
pub type PerRequest<T> = SmallVec<[T; 2]>;

/// One reply. A status such as `OK` is a `Bulk`: callers cannot distinguish them, so engines do not either.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A null reply.
    Nil,
    /// An integer.
    Int(i64),
    /// A string of bytes.
    Bulk(Bytes),
    /// Several replies in order.
    Array(Vec<Reply>),
    /// An error reply that is an element of an array.
    Error(Bytes),
}

impl Reply {
    /// Returns a `Bulk` of static text.
    pub fn text(text: &'static str) -> Self {
        Self::Bulk(Bytes::from_static(text.as_bytes()))
    }

    /// Returns the reply, or the first error reply within it as an error.
    pub fn into_result(self) -> Result<Self> {
        match self.first_error() {
            None => Ok(self),
            Some(text) => Err(Error::from_server(String::from_utf8_lossy(text).into_owned())),
        }
    }

    fn first_error(&self) -> Option<&Bytes> {
        match self {
            Self::Error(text) => Some(text),
            Self::Array(items) => items.iter().find_map(Self::first_error),
            Self::Nil | Self::Int(_) | Self::Bulk(_) => None,
        }
    }

    /// Returns the integer of an integer reply or of a string of digits.
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

    /// Returns the reply as a boolean: 1 is true; 0 and nil are false.
    pub fn flag(self) -> Result<bool> {
        match self {
            Self::Nil => Ok(false),
            other => Ok(other.int()? != 0),
        }
    }

    /// Returns the bytes of a string, or `None` for nil.
    pub fn bulk(self) -> Result<Option<Bytes>> {
        match self {
            Self::Nil => Ok(None),
            Self::Bulk(bytes) => Ok(Some(bytes)),
            Self::Int(n) => Ok(Some(Bytes::from(n.to_string()))),
            other => Err(unexpected("a string", &other)),
        }
    }

    /// Returns the elements of an array; nil is an empty one.
    pub fn array(self) -> Result<Vec<Reply>> {
        match self {
            Self::Nil => Ok(Vec::new()),
            Self::Array(items) => Ok(items),
            other => Err(unexpected("an array", &other)),
        }
    }

    /// Returns the reply for each item of a run over many: `1, reply` or `0, message` per item.
    pub fn items(self) -> Result<Vec<Result<Reply>>> {
        let mut elements = self.array()?.into_iter();
        let mut items = Vec::with_capacity(elements.len() / 2);
        while let (Some(ok), Some(reply)) = (elements.next(), elements.next()) {
            items.push(match ok {
                Reply::Int(1) => Ok(reply),
                _ => reply.bulk().and_then(|message| {
                    Err(Error::from_server(String::from_utf8_lossy(&message.unwrap_or_default()).into_owned()))
                }),
            });
        }
        Ok(items)
    }

    /// Returns the elements of an array of exactly `N`.
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
        Reply::Error(_) => "an error",
    };
    Error::new(Kind::InvalidData, format!("expected {wanted} from the server, got {got}"))
}
