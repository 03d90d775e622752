//! Sessions, caching, rate limits, locks, rooms and job queues over Redis, Valkey or memory, for Node.js, Deno and Bun.
//!
//! Three layers, each knowing only those below: `js` (the bridge), `features` (what a session or a lock is) and `store` (where
//! state lives). Between the first two, `agents` go on by themselves: the workers of queues, and who is in a room.

pub mod agents;
pub mod answer;
pub mod error;
pub mod features;
pub mod inbox;
mod js;
mod number;
mod random;
pub mod runtime;
mod sequence;
pub mod settings;
pub mod store;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
