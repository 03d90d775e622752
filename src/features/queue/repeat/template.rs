//! The job that a repeat adds at each slot, as the store keeps it: what differs from a job's defaults, each in a field.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;

use super::super::{Backoff, BackoffKind, Dedup, NewJob};
use crate::error::{Error, Kind, Result};

/// The fields of a hash.
pub(super) type Fields = HashMap<Bytes, Bytes>;

/// Fields and their values, one behind the other.
pub(super) fn write(job: &NewJob) -> Vec<Bytes> {
    let usual = NewJob::new(String::new(), Bytes::new());
    let mut fields = Vec::with_capacity(8);
    let mut put = |field: &'static str, value: Bytes| fields.extend([Bytes::from_static(field.as_bytes()), value]);
    put("name", job.name.clone().into());
    put("data", job.data.clone());
    if job.attempts != usual.attempts {
        put("attempts", number(job.attempts));
    }
    if job.backoff != usual.backoff {
        let Backoff { kind, delay, longest, jitter } = &job.backoff;
        let kind = if *kind == BackoffKind::Fixed { "fixed" } else { "exponential" };
        put("backoff", format!("{kind} {} {} {jitter}", delay.as_millis(), longest.as_millis()).into());
    }
    if job.priority != usual.priority {
        put("priority", number(job.priority));
    }
    if job.timeout != usual.timeout {
        put("timeout", number(job.timeout.as_millis()));
    }
    if job.keep != usual.keep {
        put("keep", number(u8::from(job.keep)));
    }
    if let Some(delay) = job.delay {
        put("delay", number(delay.as_millis()));
    }
    if let Some(group) = &job.group {
        put("group", group.clone().into());
    }
    if let Some(Dedup { id, ttl }) = &job.dedup {
        put("dedup", id.clone().into());
        if let Some(ttl) = ttl {
            put("dedup_ttl", number(ttl.as_millis()));
        }
    }
    fields
}

/// The job that was written; other fields are others' concern.
///
/// # Errors
/// `E_INVALID_DATA` for what `write` never wrote.
pub(super) fn read(fields: &Fields) -> Result<NewJob> {
    let name = text(fields, "name")?.ok_or_else(unreadable)?;
    let data = fields.get("data".as_bytes()).cloned().ok_or_else(unreadable)?;
    let mut job = NewJob::new(name, data);
    job.attempts = parsed(fields, "attempts")?.unwrap_or(job.attempts);
    job.priority = parsed(fields, "priority")?.unwrap_or(job.priority);
    job.timeout = span(fields, "timeout")?.unwrap_or(job.timeout);
    job.keep = parsed::<u8>(fields, "keep")?.map_or(job.keep, |keep| keep != 0);
    job.delay = span(fields, "delay")?;
    job.group = text(fields, "group")?;
    if let Some(backoff) = text(fields, "backoff")? {
        job.backoff = read_backoff(&backoff).ok_or_else(unreadable)?;
    }
    if let Some(id) = text(fields, "dedup")? {
        job.dedup = Some(Dedup { id, ttl: span(fields, "dedup_ttl")? });
    }
    Ok(job)
}

/// A field that is a number, if it is there.
pub(super) fn parsed<T: std::str::FromStr>(fields: &Fields, field: &str) -> Result<Option<T>> {
    text(fields, field)?.map(|text| text.parse().map_err(|_| unreadable())).transpose()
}

/// A field that is text, if it is there.
pub(super) fn text(fields: &Fields, field: &str) -> Result<Option<String>> {
    let value = fields.get(field.as_bytes());
    value.map(|value| String::from_utf8(value.to_vec()).map_err(|_| unreadable())).transpose()
}

pub(super) fn unreadable() -> Error {
    Error::new(Kind::InvalidData, "a stored repeat is not what this library writes")
}

fn span(fields: &Fields, field: &str) -> Result<Option<Duration>> {
    Ok(parsed(fields, field)?.map(Duration::from_millis))
}

fn read_backoff(text: &str) -> Option<Backoff> {
    let mut words = text.split(' ');
    let kind = match words.next()? {
        "fixed" => BackoffKind::Fixed,
        "exponential" => BackoffKind::Exponential,
        _ => return None,
    };
    let mut span = || words.next()?.parse().ok().map(Duration::from_millis);
    let (delay, longest) = (span()?, span()?);
    Some(Backoff { kind, delay, longest, jitter: words.next()?.parse().ok()? })
}

fn number(n: impl ToString) -> Bytes {
    n.to_string().into()
}
