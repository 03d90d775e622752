//! What a session, a lock or a limit is. Nothing here does I/O: a feature answers a `Call`.

pub mod limit;
pub mod lock;
pub mod room;
pub mod session;

mod json;
mod life;
