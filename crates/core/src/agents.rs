//! What goes on by itself on the runtime's thread: calls over a store, paced, for as long as somebody wants it.

mod channel_buffer;
mod clock_monitor;
mod eviction;
pub mod lock_release;
pub mod presence;
pub mod publish_denials;
pub mod room_listener;
pub mod room_watcher;
mod subscription;
pub mod worker;

pub use subscription::ChannelSubscription;
