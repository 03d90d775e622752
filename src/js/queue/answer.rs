//! Jobs as JavaScript gets them.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    answer::Answer,
    features::queue::{Added, Counts, Event, Job, State, What},
};

type Field = (Cow<'static, str>, Answer);

/// `[id, isNew]`.
pub fn added(added: Added) -> Answer {
    Answer::List(vec![added.id.into(), added.is_new.into()])
}

/// A job as an object.
pub fn job(job: Job) -> Answer {
    Answer::Object(vec![
        field("id", job.id),
        field("name", job.name),
        field("data", json(Some(job.data))),
        field("state", Answer::word(state(job.state))),
        field("attempt", u64::from(job.attempt)),
        field("attempts", u64::from(job.attempts)),
        field("crashes", u64::from(job.crashes)),
        field("priority", i64::from(job.priority)),
        field("group", job.group),
        field("timeoutMs", job.timeout.as_millis() as u64),
        field("progress", json(job.progress)),
        field("result", json(job.result)),
        field("error", job.error.map_or(Answer::Null, |error| json(Some(error)))),
        field("createdAt", job.added_ms),
        field("dueAt", job.due_ms),
        field("startedAt", job.started_ms),
        field("finishedAt", job.finished_ms),
    ])
}

/// How many jobs are in each state, and whether they may be taken.
pub fn counts(counts: Counts) -> Answer {
    Answer::Object(vec![
        field("ready", counts.ready),
        field("delayed", counts.delayed),
        field("active", counts.active),
        field("done", counts.done),
        field("dead", counts.dead),
        field("paused", counts.paused),
    ])
}

/// `[what, { id, … }]`. What is too long for a message is left out.
pub fn event(event: Event) -> Answer {
    let mut fields = vec![field("id", event.id)];
    let what = match event.what {
        What::Added { name } => {
            fields.push(field("name", name));
            "added"
        }
        What::Active { attempt } => {
            fields.push(count("attempt", attempt));
            "active"
        }
        What::Progress { value } => {
            fields.extend(value.map(|value| field("progress", json(Some(value)))));
            "progress"
        }
        What::Completed { attempt, result } => {
            fields.push(count("attempt", attempt));
            fields.extend(result.map(|result| field("result", json(Some(result)))));
            "completed"
        }
        What::Retrying { attempt, delay, error } => {
            fields.push(count("attempt", attempt));
            fields.push(field("delayMs", delay.as_millis() as u64));
            fields.extend(error.map(|error| field("error", json(Some(error)))));
            "retrying"
        }
        What::Stalled { crashes } => {
            fields.push(count("crashes", crashes));
            "stalled"
        }
        What::Dead { attempt, error } => {
            fields.push(count("attempt", attempt));
            fields.extend(error.map(|error| field("error", json(Some(error)))));
            "dead"
        }
        What::Removed => "removed",
        What::Retried => "retried",
    };
    Answer::List(vec![Answer::word(what), Answer::Object(fields)])
}

/// The value of a JSON text; `undefined` where there is none.
pub fn json(text: Option<Bytes>) -> Answer {
    text.filter(|text| !text.is_empty()).map_or(Answer::Undefined, Answer::json)
}

fn count(name: &'static str, count: u32) -> Field {
    field(name, u64::from(count))
}

/// A property.
pub fn field(name: &'static str, value: impl Into<Answer>) -> Field {
    Answer::field(name, value)
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
