//! The bridge to JavaScript: option → call → result. Decisions are made a layer below.

mod answer;
mod args;
mod bridge;
mod completions;
mod failure;
mod js;
mod json;
mod operation;
mod options;
mod promise;
mod raw;
mod service;
mod subscription;
