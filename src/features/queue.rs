//! Job queues.

pub mod schedule;
