//! Sessions, caches, rate limits, locks, rooms and queues, independent of JavaScript.
//!
//! Two layers: `features` (what a session or a lock is, as requests to a store) and `agents` (what goes on by itself: workers of
//! queues, membership in rooms). `store` joins them with an engine.

#![forbid(unsafe_code)]

pub mod agents;
pub mod features;
pub mod inbox;
pub mod keys;
pub mod output;
pub mod store;
