//! The bridge to JavaScript: option → call → result. Decisions are made a layer below.

mod answer;
mod args;
mod bridge;
mod cache;
mod completions;
mod credentials;
mod env;
mod failure;
mod held;
mod json;
mod limit;
mod limits;
mod lock;
mod log;
mod opened;
mod operation;
mod options;
mod probe;
mod promise;
mod raw;
mod room;
mod service;
mod session;
mod status;
mod subscription;
mod tick;
