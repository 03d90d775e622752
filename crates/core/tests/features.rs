//! The promises of the features, tested on an engine, above all with concurrent writers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "features/both.rs"]
mod both;
#[path = "features/cache_expiry.rs"]
mod cache_expiry;
#[path = "features/caches.rs"]
mod caches;
#[path = "support/clock.rs"]
mod clock;
#[path = "features/limit_charges.rs"]
mod limit_charges;
#[path = "features/limit_deny_model.rs"]
mod limit_deny_model;
#[path = "features/limit_model.rs"]
mod limit_model;
#[path = "features/limit_policies.rs"]
mod limit_policies;
#[path = "features/limit_shares.rs"]
mod limit_shares;
#[path = "features/limit_simulation.rs"]
mod limit_simulation;
#[path = "features/limit_slots.rs"]
mod limit_slots;
#[path = "features/limiters.rs"]
mod limiters;
#[path = "features/limits.rs"]
mod limits;
#[path = "features/lock_model.rs"]
mod lock_model;
#[path = "features/locks.rs"]
mod locks;
#[path = "features/presence.rs"]
mod presence;
#[path = "features/queue_crashes.rs"]
mod queue_crashes;
#[path = "features/queue_events.rs"]
mod queue_events;
#[path = "features/queue_invariants.rs"]
mod queue_invariants;
#[path = "features/queue_limits.rs"]
mod queue_limits;
#[path = "features/queue_model.rs"]
mod queue_model;
#[path = "features/queue_retention.rs"]
mod queue_retention;
#[path = "features/queue_suspects.rs"]
mod queue_suspects;
#[path = "features/queues.rs"]
mod queues;
#[path = "features/repeats.rs"]
mod repeats;
#[path = "features/rooms.rs"]
mod rooms;
#[path = "features/run.rs"]
mod run;
#[path = "support/server.rs"]
mod server;
#[path = "features/session_absolute_ttl.rs"]
mod session_absolute_ttl;
#[path = "features/session_encryption.rs"]
mod session_encryption;
#[path = "features/session_limit.rs"]
mod session_limit;
#[path = "features/session_renewal.rs"]
mod session_renewal;
#[path = "features/session_tokens.rs"]
mod session_tokens;
#[path = "features/session_updates.rs"]
mod session_updates;
#[path = "features/sessions.rs"]
mod sessions;
#[path = "features/slot_model.rs"]
mod slot_model;
#[path = "features/validations.rs"]
mod validations;
