//! Where state lives. Features speak Redis; an engine only answers.

mod call;
pub mod keys;
pub mod memory;
mod pubsub;
mod reply;
mod script;

pub use call::{Args, Call, Keys, Merge, Read, Replies, Request, Step, Verb};
pub use pubsub::{Listener, Message, Topic};
pub use reply::Reply;
pub use script::Script;
#[allow(unused_imports)]
pub(crate) use script::script;
