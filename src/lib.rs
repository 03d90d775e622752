//! Sessions, caching, rate limits, locks and rooms over Redis, Valkey or memory, for Node.js, Deno and Bun.
//!
//! Three layers, each knowing only the one below: `js` (the bridge), `features` (what a session or a lock is) and
//! `store` (where state lives).

pub mod agents;
pub mod answer;
pub mod error;
pub mod features;
pub mod inbox;
mod js;
mod random;
pub mod runtime;
pub mod settings;
pub mod store;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
