//! The table of options: what each reader reads.

use bytes::Bytes;
use cinnabar_core::features::queue::NewJob;
use napi_derive::napi;

use super::option_reader::{Row, rows};

/// The options by the class or method that takes them.
fn table() -> [(&'static str, Vec<Row>); 15] {
    [
        ("service", rows(|options| options.service())),
        ("cache", rows(|options| options.cache_with_near())),
        ("cacheSet", rows(|options| options.entry())),
        ("sessions", rows(|options| options.sessions_with_near())),
        ("createSession", rows(|options| options.create_session())),
        ("updateSession", rows(|options| options.update_session())),
        ("limiter", rows(|options| options.limiter())),
        ("policy", rows(|options| options.policy(String::new()))),
        ("locks", rows(|options| options.locks())),
        ("rooms", rows(|options| options.rooms())),
        ("subscribe", rows(|options| options.subscribe())),
        ("queue", rows(|options| options.queue())),
        ("job", rows(|options| options.job(NewJob::new("", Bytes::new())))),
        ("schedule", rows(|options| options.schedule())),
        ("worker", rows(|options| options.worker())),
    ]
}

/// The options that the native side reads: `[who takes it, name, type, least, most, default]` of each, where least, most and default
/// may be empty. `>0` is a number that it must be above.
#[napi]
#[cfg_attr(test, allow(dead_code))]
pub fn option_table() -> Vec<Vec<String>> {
    let cells = |taker: &str, Row { path, takes }: Row| {
        let (least, most) = takes.bounds.map(|(least, most)| (least.to_string(), most.to_string())).unwrap_or_default();
        let default = takes.default.map(|literal| literal.to_string()).unwrap_or_default();
        vec![taker.to_owned(), path, takes.what.into_owned(), least, most, default]
    };
    table().into_iter().flat_map(|(taker, rows)| rows.into_iter().map(move |row| cells(taker, row))).collect()
}
