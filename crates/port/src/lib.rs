//! The port: what features ask of an engine and what engines return, without either.
//!
//! Requests, replies, scripts, events and errors, the same for the embedded engine and for servers.

#![forbid(unsafe_code)]

mod apart;
mod call;
pub mod effect;
pub mod error;
mod events;
pub mod number;
pub mod places;
mod pubsub;
pub mod random;
mod reply;
mod request;
pub mod runtime;
mod script;
pub mod sequence;
mod status;

pub use apart::{Apart, Wait};
pub use call::{Call, Read, Replies, Step};
pub use effect::Effect;
pub use events::{Event, EventKind, Events, Watcher};
pub use pubsub::{Heard, Listener, Message, Topic, unsharded};
pub use reply::{Few, Reply};
pub use request::{Args, Keys, Merge, Request, Transaction, Verb};
pub use script::{Part, Script};
pub use status::{BreakerState, BreakerStatus, PoolStatus, Role, ServerStatus, Status, Topology};
