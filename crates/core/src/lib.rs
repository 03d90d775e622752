//! Sessions, caches, rate limits, locks, rooms and queues, independent of JavaScript.
//!
//! Two layers: `features` (what a session or a lock is, as requests to a store) and `agents` (background tasks: workers of queues,
//! membership in rooms). `store` runs the requests on an engine.

#![forbid(unsafe_code)]

pub mod agents;
pub mod client_address;
pub mod features;
pub mod inbox;
pub mod key_ring;
pub mod keys;
pub mod output;
pub mod store;
