//! What connecting leads to: a stream of the native driver, or a client of fred.

use std::time::Duration;

#[cfg(feature = "fred")]
use cinnabar_port::error::{Error, Kind};
use cinnabar_port::{Reply, error::Result};

#[cfg(feature = "fred")]
use super::fred;
use super::{
    connection::Connection,
    native::{self, stream::Stream},
};

/// An authenticated link to a server, which no caller has used yet.
pub enum Link {
    Native(Stream),
    #[cfg(feature = "fred")]
    Fred(fred::Link),
}

impl Link {
    /// One command and its reply.
    ///
    /// # Errors
    /// The server's error reply, or the end of the connection.
    pub async fn request(&mut self, words: &[&[u8]]) -> Result<Reply> {
        match self {
            Self::Native(stream) => stream.request(words).await,
            #[cfg(feature = "fred")]
            Self::Fred(link) => link.request(words).await,
        }
    }

    /// Turns it into a connection that callers share. While idle, it sends a PING every `keepalive`.
    pub fn start(self, keepalive: Duration) -> Connection {
        match self {
            Self::Native(stream) => native::start(stream, keepalive),
            #[cfg(feature = "fred")]
            Self::Fred(link) => link.start(keepalive),
        }
    }

    /// The stream under it, for messages.
    ///
    /// # Errors
    /// `E_INTERNAL` for a link of another driver.
    pub fn into_stream(self) -> Result<Stream> {
        match self {
            Self::Native(stream) => Ok(stream),
            #[cfg(feature = "fred")]
            Self::Fred(_) => Err(Error::new(Kind::Internal, "messages need a connection of the native driver")),
        }
    }
}
