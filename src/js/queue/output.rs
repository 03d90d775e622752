//! Jobs and events as outputs.

use std::borrow::Cow;

use bytes::Bytes;
use cinnabar_core::{
    features::queue::{Added, Counts, Event, EventKind, Job, State},
    output::Output,
};

type Field = (Cow<'static, str>, Output);

/// `[id, isNew]`.
pub fn added(added: Added) -> Output {
    Output::List(vec![added.id.into(), added.is_new.into()])
}

/// A job as an object.
pub fn job(job: Job) -> Output {
    Output::Object(vec![
        field("id", job.id),
        field("name", job.name),
        field("data", json(Some(job.data))),
        field("state", Output::word(state(job.state))),
        field("attempt", u64::from(job.attempt)),
        field("attempts", u64::from(job.attempts)),
        field("crashes", u64::from(job.crashes)),
        field("priority", i64::from(job.priority)),
        field("group", job.group),
        field("timeoutMs", job.timeout.as_millis() as u64),
        field("progress", json(job.progress)),
        field("result", json(job.result)),
        field("error", job.error.map_or(Output::Null, |error| json(Some(error)))),
        field("createdAt", job.added_ms),
        field("dueAt", job.due_ms),
        field("startedAt", job.started_ms),
        field("finishedAt", job.finished_ms),
    ])
}

/// The number of jobs in each state, and whether the queue is paused.
pub fn counts(counts: Counts) -> Output {
    Output::Object(vec![
        field("ready", counts.ready),
        field("delayed", counts.delayed),
        field("active", counts.active),
        field("done", counts.done),
        field("dead", counts.dead),
        field("paused", counts.paused),
    ])
}

/// Returns the JSON of an array of `[name, { id, … }]`. Values that were too long for a message are reported as `partial`.
pub fn events(events: Vec<Event>) -> Bytes {
    let mut text = Vec::with_capacity(128 * events.len());
    for event in events {
        text.push(if text.is_empty() { b'[' } else { b',' });
        write(&mut text, event);
    }
    if text.is_empty() {
        text.push(b'[');
    }
    text.push(b']');
    text.into()
}

fn write(text: &mut Vec<u8>, Event { id, what }: Event) {
    let string = |value: &str| Bytes::from(serde_json::to_string(value).unwrap_or_default());
    let number = |name, value: u64| (name, Bytes::from(value.to_string()));
    let attempt = |attempt: u32| number("attempt", u64::from(attempt));
    // Empty values are `undefined` and are omitted too.
    let value = |name, value: Option<Bytes>| match value {
        Some(value) => (name, value),
        None => ("partial", Bytes::from_static(b"true")),
    };
    let (name, fields): (_, Vec<(&str, Bytes)>) = match what {
        EventKind::Added { name } => ("added", vec![("name", string(&name))]),
        EventKind::Active { attempt: begun } => ("active", vec![attempt(begun)]),
        EventKind::Progress { value: progress } => ("progress", vec![value("progress", progress)]),
        EventKind::Completed { attempt: last, result } => ("completed", vec![attempt(last), value("result", result)]),
        EventKind::Retrying { attempt: failed, delay, error } => {
            let delay = number("delayMs", delay.as_millis() as u64);
            ("retrying", vec![attempt(failed), delay, value("error", error)])
        }
        EventKind::Stalled { crashes } => ("stalled", vec![number("crashes", u64::from(crashes))]),
        EventKind::Dead { attempt: last, error } => ("dead", vec![attempt(last), value("error", error)]),
        EventKind::Removed => ("removed", Vec::new()),
        EventKind::Retried => ("retried", Vec::new()),
    };
    text.extend_from_slice(format!("[\"{name}\",{{\"id\":").as_bytes());
    text.extend_from_slice(&string(&id));
    for (field, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        text.extend_from_slice(format!(",\"{field}\":").as_bytes());
        text.extend_from_slice(&value);
    }
    text.extend_from_slice(b"}]");
}

/// Returns the value of a JSON text, or `undefined` without a text.
pub fn json(text: Option<Bytes>) -> Output {
    text.filter(|text| !text.is_empty()).map_or(Output::Undefined, Output::json)
}

/// A property.
pub fn field(name: &'static str, value: impl Into<Output>) -> Field {
    Output::field(name, value)
}

fn state(state: State) -> &'static str {
    match state {
        State::Ready => "ready",
        State::Delayed => "delayed",
        State::Active => "active",
        State::Done => "done",
        State::Dead => "dead",
    }
}
