//! Repeats: jobs that are added again and again, at the slots of a schedule.
//!
//! A repeat has one next slot. Whoever finds it due, a worker as a rule, fires it: adds its job and sets the slot after it, in one script that does
//! nothing unless the slot is still the one that was found. So of any number of workers one fires. The job's id is made of
//! the repeat's id and the slot, so that a slot has one job even where the store lost the last second.
//!
//! Nobody counts slots while no worker runs. Of those that were missed the last one fires, once, and then it goes on from now.

mod template;

use bytes::Bytes;

use super::{Added, DueRepeat, NewJob, Queue, schedule::Schedule};
use crate::{
    error::{Error, Result},
    store::{Call, Reply, Request, Step, keys, script},
};
use template::{Fields, parsed, text, unreadable};

script!(LOOK = "queue/repeat/look.lua", keys: 2, args: 1);
script!(PUT = "queue/repeat/put.lua", keys: 2, args: 0);
script!(REMOVE = "queue/repeat/remove.lua", keys: 2, args: 1);
script!(LIST = "queue/repeat/list.lua", keys: 2, args: 2);

/// The slot of a repeat that has no more of them. A number like any other, so that nothing that sorts or compares slots knows of it.
const NEVER: &str = "9007199254740991";
/// Of an id, in bytes: with a slot behind it, it is the id of a job.
const LONGEST_ID: usize = 256;

/// A job to be added again and again.
#[derive(Debug, Clone)]
pub struct Repeat {
    /// Its id in its queue, at most 256 bytes. Putting another with this id replaces it.
    pub id: String,
    /// When.
    pub schedule: Schedule,
    /// How many slots fire, from 1; without end.
    pub limit: Option<u64>,
    /// What is added at each slot. Its own id must be `None`.
    pub job: NewJob,
}

/// A repeat as it is kept.
#[derive(Debug, Clone)]
pub struct Repeating {
    /// What was put.
    pub repeat: Repeat,
    /// How many slots of this schedule have fired.
    pub fired: u64,
    /// Its next slot, in epoch milliseconds; `None` when its end or its limit is reached.
    pub next_ms: Option<i64>,
}

/// What became of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// The job; `None` where somebody else was faster, or the repeat is not due any more.
    pub added: Option<Added>,
    /// When the next slot comes, in epoch milliseconds, by what this look at it found; `None`: not any more.
    pub next_ms: Option<i64>,
}

impl Queue {
    /// Keeps a repeat, and answers its next slot in epoch milliseconds; `None` when it has none any more.
    ///
    /// With the id of another it replaces that one; where the schedules are the same, its next slot and what it has fired stay, so that a
    /// program may do this at every start.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an id that is empty, has a NUL byte or over 256 bytes, a limit of 0, a job that has an id or is out of its bounds.
    pub fn repeat(&self, repeat: Repeat) -> Result<Call<Option<i64>>> {
        let Repeat { id, schedule, limit, job } = repeat;
        if job.id.is_some() {
            return Err(Error::argument("the jobs of a repeat get their ids from it: leave out id"));
        }
        if limit == Some(0) {
            return Err(Error::argument("limit must be at least 1"));
        }
        let [repeats, fields] = self.repeat_keys(&id)?;
        let look = Request::script(&LOOK, [repeats.clone(), fields.clone(), id.clone().into()]).repeatable();
        Ok(Call::round([look], move |replies| {
            let [now, _, _] = replies.one()?.tuple()?;
            let next = slot_text(schedule.next(u64::try_from(now.int()?).unwrap_or(0)));
            let limit = limit.map_or_else(Bytes::new, |limit| limit.to_string().into());
            let mut put = Request::script(&PUT, [repeats, fields, id.into(), schedule.to_string().into()]).repeatable();
            put.args.extend([next, Bytes::from_static(NEVER.as_bytes()), limit]);
            put.args.extend(template::write(&job));
            Ok(Step::Next(Call::new(put, read_slot)))
        }))
    }

    /// Forgets a repeat, and says whether there was one. Jobs that it has added stay.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for what cannot be an id.
    pub fn unrepeat(&self, id: &str) -> Result<Call<bool>> {
        let [repeats, fields] = self.repeat_keys(id)?;
        let request = Request::script(&REMOVE, [repeats, fields, Bytes::copy_from_slice(id.as_bytes())]);
        Ok(Call::new(request, Reply::flag))
    }

    /// The repeats, by their next slots, those that have none at the end.
    pub fn repeats(&self, offset: u64, limit: u64) -> Call<Vec<Repeating>> {
        if limit == 0 {
            return Call::ready(Vec::new());
        }
        let keys = [keys::queue_repeats(&self.0.key), keys::queue_repeat(&self.0.key, "")];
        let [repeats, fields] = keys;
        let request = Request::script(&LIST, [repeats, fields, offset.to_string().into(), limit.to_string().into()]);
        Call::new(request.repeatable(), |reply| {
            let found = reply.array()?.into_iter().map(|repeat| {
                let [id, slot, fields] = repeat.tuple()?;
                let id = id.bulk()?.and_then(|id| String::from_utf8(id.to_vec()).ok()).ok_or_else(unreadable)?;
                read_repeat(id, read_slot(slot)?, &read_fields(fields)?)
            });
            found.collect()
        })
    }

    fn repeat_keys(&self, id: &str) -> Result<[Bytes; 2]> {
        keys::raw("the id of a repeat", id)?;
        if id.len() > LONGEST_ID {
            let got = id.len();
            return Err(Error::argument(format!("the id of a repeat must have at most {LONGEST_ID} bytes, got {got}")));
        }
        Ok([keys::queue_repeats(&self.0.key), keys::queue_repeat(&self.0.key, id)])
    }
}

fn slot_text(slot: Option<u64>) -> Bytes {
    slot.map_or(Bytes::from_static(NEVER.as_bytes()), |slot| slot.to_string().into())
}

fn read_slot(reply: Reply) -> Result<Option<i64>> {
    let text = reply.bulk()?.filter(|text| text != NEVER.as_bytes());
    text.map(|text| Reply::Bulk(text).int()).transpose()
}

fn read_fields(reply: Reply) -> Result<Fields> {
    let mut fields = Fields::new();
    let mut pairs = reply.array()?.into_iter();
    while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
        fields.insert(field.bulk()?.unwrap_or_default(), value.bulk()?.unwrap_or_default());
    }
    Ok(fields)
}

fn read_repeat(id: String, next_ms: Option<i64>, fields: &Fields) -> Result<Repeating> {
    let schedule = text(fields, "schedule")?.ok_or_else(unreadable)?.parse()?;
    let limit = text(fields, "limit")?.filter(|limit| !limit.is_empty());
    let limit = limit.map(|limit| limit.parse().map_err(|_| unreadable())).transpose()?;
    let repeat = Repeat { id, schedule, limit, job: template::read(fields)? };
    Ok(Repeating { repeat, fired: parsed(fields, "count")?.unwrap_or(0), next_ms })
}
