//! Tasks on the runtime's thread that make calls over a store at their own pace, until their last handle is dropped.

mod channel_buffer;
mod clock_monitor;
pub mod connections;
pub mod deny_listener;
pub mod doubtful_release;
mod eviction;
mod inbox_consumer;
pub mod lock_keeper;
pub mod lock_wait;
pub mod near_watch;
pub mod presence;
pub mod publish_denials;
pub mod room_listener;
pub mod room_watcher;
pub mod slot_keeper;
mod subscription;
pub mod worker;

pub use subscription::ChannelSubscription;
