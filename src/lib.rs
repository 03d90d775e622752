//! The addon: sessions, caching, rate limits, locks, rooms and job queues over Redis, Valkey or memory, for Node.js, Deno and Bun.
//!
//! Everything that knows JavaScript is here. What is called is in `crates/core`.

// Futures of the core are a few layers deeper than the default.
#![recursion_limit = "256"]

mod js;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
