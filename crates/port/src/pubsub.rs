//! Messages between processes: what both engines deliver.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Kind};

/// One published message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Where it was published.
    pub channel: Bytes,
    /// What was published.
    pub payload: Bytes,
}

/// What to listen to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// One channel.
    Channel(Bytes),
    /// Every channel that matches a glob: `*`, `?`, `[a-z]`, `\` escapes.
    Pattern(Bytes),
    /// One sharded channel, which only its slot's node knows. Another namespace than that of all other channels.
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

/// What a listener hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A message.
    Message(Message),
    /// Messages were missed: so many, or nobody knows how many, where the connection had been lost.
    Gap(Option<u64>),
}

/// What a server without sharded channels says to a command about one, in words that help.
pub fn unsharded(error: Error) -> Error {
    if error.kind == Kind::Server && error.message().starts_with("ERR unknown command") {
        return Error::new(Kind::Unsupported, "sharded channels need Redis 7 or later, or Valkey").with_source(error);
    }
    error
}

/// Gets each message. Called from the engine's own thread, so it must not block.
pub type Listener = Arc<dyn Fn(Heard) + Send + Sync>;
