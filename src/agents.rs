//! What goes on by itself on the runtime's thread: calls over a store, paced, for as long as somebody wants it.

mod feed;
pub mod listen;
pub mod presence;
pub mod watch;
