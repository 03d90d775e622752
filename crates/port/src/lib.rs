//! The port: what features ask of an engine and what engines return, without either.
//!
//! Requests, replies, scripts, events and errors, the same for the embedded engine and for servers.

#![forbid(unsafe_code)]

mod call;
mod dedicated;
pub mod effect;
pub mod error;
mod events;
mod key_changes;
pub mod key_positions;
pub mod number;
mod pubsub;
pub mod random;
mod reply;
mod request;
pub mod runtime;
mod script;
pub mod sequence;
mod status;

pub use call::{Call, ReadReplies, Replies, Step};
pub use dedicated::{BlockingTimeout, DedicatedCommand};
pub use effect::Effect;
pub use events::{Event, EventEmitter, EventKind, EventListener};
pub use key_changes::{KeyChange, KeyListener};
pub use pubsub::{Delivery, Message, MessageListener, Topic, sharding_unsupported};
pub use reply::{PerRequest, Reply};
pub use request::{Args, Keys, Merge, Request, Transaction, Verb};
pub use script::{Script, SharedLua};
pub use status::{BreakerState, BreakerStatus, PoolStatus, Role, ServerStatus, Status, Topology};
