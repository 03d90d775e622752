//! What goes on by itself on the runtime's thread: calls over a store, paced, for as long as somebody wants it.

pub mod doubt;
mod eviction;
mod feed;
mod hearing;
pub mod listen;
pub mod presence;
pub mod published;
mod steady;
pub mod watch;
pub mod worker;

pub use hearing::Hearing;
