//! Messages between processes: what both engines deliver.

use std::sync::Arc;

use bytes::Bytes;

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
}

/// What a listener hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A message.
    Message(Message),
    /// Messages were missed: so many, or nobody knows how many, where the connection had been lost.
    Gap(Option<u64>),
}

/// Gets each message. Called from the engine's own thread, so it must not block.
pub type Listener = Arc<dyn Fn(Heard) + Send + Sync>;
