//! What a session, a lock or a limit is. Nothing here does I/O: a feature returns a `Call`.

pub mod adapter;
pub mod cache;
pub mod eviction;
mod hints;
mod json;
pub mod limit;
pub mod lock;
mod moment;
mod near;
pub mod queue;
pub mod raw;
pub mod room;
pub mod session;
mod takeover;
mod time_zone;
mod ttl;

pub use moment::Moment;
pub use near::{Copy, Near, NearAt, NearEntry, Nears, Words, watched};
pub use takeover::Takeover;
pub use ttl::MAX_SECONDS as MAX_TTL_SECONDS;
