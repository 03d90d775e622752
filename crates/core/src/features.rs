//! What a session, a lock or a limit is. Nothing here does I/O: a feature answers a `Call`.

pub mod cache;
pub mod eviction;
mod json;
mod life;
pub mod limit;
pub mod lock;
mod overdue;
pub mod queue;
pub mod raw;
mod recent;
pub mod room;
pub mod session;

pub use overdue::Overdue;
