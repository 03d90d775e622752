//! The addon: sessions, caching, rate limits, locks, rooms and job queues over Redis, Valkey or memory, for Node.js, Deno and Bun.
//!
//! This crate contains all code that knows JavaScript; the features are in `crates/core`.

// Futures of the core are a few layers deeper than the default.
#![recursion_limit = "256"]

mod js;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
