//! The port: what features ask of an engine and what engines return, without either.
//!
//! Requests, replies, scripts, events and errors, the same for the embedded engine and for servers.

#![forbid(unsafe_code)]

mod apart;
mod call;
pub mod crew;
pub mod effect;
pub mod error;
mod events;
pub mod number;
pub mod places;
mod pubsub;
pub mod random;
mod reply;
pub mod runtime;
mod script;
pub mod sequence;
mod status;
mod transaction;

pub use apart::{Apart, Wait};
pub use call::{Args, Call, Keys, Merge, Read, Replies, Request, Step, Verb};
pub use effect::Effect;
pub use events::{Event, EventKind, Events, Watcher};
pub use pubsub::{Heard, Listener, Message, Topic, unsharded};
pub use reply::{Few, Reply};
pub use script::{Part, Script};
pub use status::{BreakerState, BreakerStatus, PoolStatus, Role, ServerStatus, Status, Topology};
pub use transaction::Transaction;
