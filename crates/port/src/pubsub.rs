//! Pub/sub messages, as both engines deliver them.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Kind, ServerCode};

/// One published message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The channel on which it was published.
    pub channel: Bytes,
    /// Its content.
    pub payload: Bytes,
}

/// What to subscribe to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// One channel.
    Channel(Bytes),
    /// Every channel that matches a glob: `*`, `?`, `[a-z]`, `\` escapes.
    Pattern(Bytes),
    /// One sharded channel, which only the node of its slot knows. Its namespace is separate from that of the other channels.
    Shard(Bytes),
}

impl Topic {
    /// The channel, or the pattern.
    pub fn name(&self) -> &Bytes {
        match self {
            Self::Channel(name) | Self::Pattern(name) | Self::Shard(name) => name,
        }
    }
}

/// What a listener is called with.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// A message.
    Message(Message),
    /// Messages were missed: how many, or `None` if unknown because the connection was lost.
    Gap(Option<u64>),
}

/// Replaces the error of a server without sharded channels by `E_UNSUPPORTED`; returns other errors unchanged.
pub fn sharding_unsupported(error: Error) -> Error {
    if error.has_code(ServerCode::UnknownCommand) {
        return Error::new(Kind::Unsupported, "sharded channels need Redis 7 or later, or Valkey").with_source(error);
    }
    error
}

/// Called with each message, on the engine's own thread: it must not block.
pub type MessageListener = Arc<dyn Fn(Delivery) + Send + Sync>;
