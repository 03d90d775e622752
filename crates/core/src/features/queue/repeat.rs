//! Repeats: jobs that are added again and again, at the slots of a schedule.
//!
//! A repeat has one next slot. A worker that finds it due fires it: one script adds its job and sets the next slot,
//! unless the slot has changed since it was found. So of any number of workers one fires. The job's id consists of the
//! repeat's id and the slot, so that a slot has one job even if the store has lost the last second.
//!
//! While no worker runs, no slot fires. Of the slots missed then, the last one fires, once, and the repeat continues
//! from now.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Reply, Step,
    error::{Error, Kind, Result},
    number,
};

use super::{Added, DueRepeat, NewJob, Queue, add, job::StoredOptions, schedule::Schedule, scripts};
use crate::keys::{self, QueueKey};

/// The slot that means never. A number like any other, so that comparing and sorting slots needs no special case.
const NEVER: u64 = number::MAX_SAFE_INTEGER;
/// The longest id, as stored: with a slot appended it is the id of a job.
const LONGEST_ID: usize = 480;
/// Slots found up to this late, in ms, fire one by one: it takes as long to notice that a worker was killed, and to
/// replace it.
const GRACE: u64 = 10_000;
/// The most repeats that one poll returns.
const DUE: &str = "16";

/// A job to be added repeatedly.
#[derive(Debug, Clone)]
pub struct Repeat {
    /// Its id in the queue, at most 480 bytes. Replaces a repeat with the same id.
    pub id: String,
    /// Its schedule.
    pub schedule: Schedule,
    /// How many slots fire, from 1; `None` for no limit.
    pub limit: Option<u64>,
    /// The job that is added at each slot. Its own id must be `None`.
    pub job: NewJob,
}

/// A stored repeat.
#[derive(Debug, Clone)]
pub struct StoredRepeat {
    /// Its id.
    pub id: String,
    /// Its schedule.
    pub schedule: Schedule,
    /// How many slots fire; `None` for no limit.
    pub limit: Option<u64>,
    /// How many slots of this schedule have fired.
    pub fired: u64,
    /// Its next slot, in epoch milliseconds; `None` once its end or its limit is reached.
    pub next_ms: Option<i64>,
    /// The name of its jobs.
    pub name: String,
    /// The data of its jobs.
    pub data: Bytes,
    /// The number of attempts.
    pub attempts: u32,
    /// Its priority.
    pub priority: i32,
    /// Its group.
    pub group: Option<String>,
    /// The timeout of an attempt.
    pub timeout: Duration,
}

/// The result of firing a due slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// The job; `None` if another process was faster, or the repeat is no longer due.
    pub added: Option<Added>,
    /// In how long the next slot comes, if known.
    pub next_in: Option<Duration>,
}

impl Queue {
    /// Stores a repeat. Returns its next slot in epoch milliseconds, or `None` if its schedule has ended.
    ///
    /// Replaces a repeat with the same id. If the schedules are equal, the next slot and the count of fired slots
    /// stay, so that a program may call this at every start.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an id that is empty, has a NUL byte or over 480 bytes, a limit of 0, and a job that
    /// has an id or is out of its bounds.
    pub fn repeat(&self, repeat: Repeat) -> Result<Call<Option<i64>>> {
        let Repeat { id, schedule, limit, job } = repeat;
        if job.id.is_some() {
            return Err(Error::argument("the jobs of a repeat get their ids from it: leave out id"));
        }
        if limit == Some(0) {
            return Err(Error::argument("limit must be at least 1"));
        }
        job.check(self.0.options.max_bytes)?;
        let options = job.options()?;
        let (queue, id) = (self.clone(), encoded(&id)?);
        let peek = self.using(&scripts::REPEAT_PEEK, &repeat_keys(&id), [id.clone()]).reads();
        Ok(Call::round([peek], move |replies| {
            let [now, _, _] = replies.last()?.tuple()?;
            let next = schedule.next(time(now)?).unwrap_or(NEVER);
            let limit = limit.map(number).unwrap_or_default();
            let NewJob { name, data, delay, .. } = job;
            let delay = add::delay(delay);
            let schedule = Bytes::from(schedule.to_string());
            let used = repeat_keys(&id);
            let args =
                [id.clone(), schedule, number(next), number(NEVER), limit, name.into(), data, options.into(), delay];
            let put = queue.using(&scripts::REPEAT_PUT, &used, args).idempotent();
            Ok(Step::Next(Call::new(put, |reply| read_slot(time(reply)?))))
        }))
    }

    /// Removes a repeat, and returns whether there was one. Jobs that it has added stay.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid id.
    pub fn remove_repeat(&self, id: &str) -> Result<Call<bool>> {
        let id = encoded(id)?;
        let request = self.using(&scripts::REPEAT_REMOVE, &repeat_keys(&id), [id.clone()]);
        Ok(Call::new(request, Reply::flag))
    }

    /// Lists repeats by their next slots, those without one at the end.
    pub fn repeats(&self, offset: u64, limit: u64) -> Call<Vec<StoredRepeat>> {
        if limit == 0 {
            return Call::ready(Vec::new());
        }
        let last = offset.saturating_add(limit - 1).min(NEVER);
        let args = [number(offset.min(NEVER)), number(last)];
        let request = self.finding(&scripts::REPEAT_LIST, args).reads();
        Call::new(request, |reply| reply.array()?.into_iter().map(read).collect())
    }

    /// Returns repeats that are due, only some if there are many, and in how long the next slot comes.
    pub fn due(&self) -> Call<(Vec<DueRepeat>, Option<Duration>)> {
        let args = [Bytes::from_static(DUE.as_bytes())];
        let request = self.using(&scripts::REPEAT_DUE, &[QueueKey::Repeats], args).reads();
        Call::new(request, |reply| {
            let [due, next_in] = reply.tuple()?;
            let next_in = next_in.bulk()?.map(|ms| time(Reply::Bulk(ms)).map(Duration::from_millis)).transpose()?;
            let (mut found, mut due) = (Vec::new(), due.array()?.into_iter());
            while let (Some(id), Some(slot)) = (due.next(), due.next()) {
                found.push(DueRepeat { id: keys::decoded_id(&id.bulk()?.unwrap_or_default()), slot_ms: slot.int()? });
            }
            Ok((found, next_in))
        })
    }

    /// Fires a repeat that was found due: adds the job of its slot, and sets the next one.
    ///
    /// Slots that came up to 10 s ago fire one by one. If the first was missed for longer, only the last one fires.
    ///
    /// # Errors
    /// `E_INVALID_DATA` for a repeat that a newer version or another program wrote.
    pub fn fire(&self, due: &DueRepeat) -> Result<Call<Fired>> {
        let (queue, id, found) = (self.clone(), encoded(&due.id)?, due.slot_ms);
        let peek = self.using(&scripts::REPEAT_PEEK, &repeat_keys(&id), [id.clone()]).reads();
        Ok(Call::round([peek], move |replies| {
            let [now, slot, schedule] = replies.last()?.tuple()?;
            let now = time(now)?;
            let slot = slot.bulk()?.map(|slot| time(Reply::Bulk(slot))).transpose()?;
            let Some(slot) = slot.filter(|slot| *slot <= now && i64::try_from(*slot) == Ok(found)) else {
                return Ok(Step::Done(Fired { added: None, next_in: None }));
            };
            let (fires, next) = match schedule.bulk()? {
                // Only a slot is left: the script removes it.
                None => (slot, None),
                Some(text) => {
                    let schedule: Schedule = utf8(text)?.parse()?;
                    let fires = if now - slot < GRACE { slot } else { schedule.latest(slot, now) };
                    (fires, schedule.next(fires))
                }
            };
            let job = [id.as_ref(), b":", fires.to_string().as_bytes()].concat();
            let args = [id, number(slot), number(fires), number(next.unwrap_or(NEVER)), number(NEVER)];
            let fire = queue.finding(&scripts::REPEAT_FIRE, args).idempotent();
            Ok(Step::Next(Call::new(fire, move |reply| {
                let added = match reply {
                    Reply::Nil => return Ok(Fired { added: None, next_in: None }),
                    reply => add::added(&String::from_utf8_lossy(&job), reply)?,
                };
                let next_in = next.map(|next| Duration::from_millis(next.saturating_sub(now)));
                Ok(Fired { added: Some(added), next_in })
            })))
        }))
    }
}

/// The keys that the scripts of one repeat use.
fn repeat_keys(id: &[u8]) -> [QueueKey<'_>; 2] {
    [QueueKey::Repeats, QueueKey::Repeat(id)]
}

/// Whether this is a valid id of a repeat.
pub fn is_repeat_id(id: &str) -> bool {
    encoded(id).is_ok()
}

/// The id of a repeat, as stored.
fn encoded(id: &str) -> Result<Bytes> {
    let encoded = keys::encoded_id("the id of a repeat", id)?;
    if encoded.len() > LONGEST_ID {
        let got = encoded.len();
        return Err(Error::argument(format!("the id of a repeat must have at most {LONGEST_ID} bytes, got {got}")));
    }
    Ok(encoded.into())
}

fn number(n: u64) -> Bytes {
    n.to_string().into()
}

fn time(reply: Reply) -> Result<u64> {
    u64::try_from(reply.int()?).map_err(|_| unreadable())
}

fn read_slot(slot: u64) -> Result<Option<i64>> {
    if slot == NEVER { Ok(None) } else { i64::try_from(slot).map(Some).map_err(|_| unreadable()) }
}

fn utf8(text: Bytes) -> Result<String> {
    String::from_utf8(text.to_vec()).map_err(|_| unreadable())
}

fn unreadable() -> Error {
    Error::new(Kind::InvalidData, "a stored repeat is not what this library writes")
}

/// Reads a repeat of a list.
fn read(reply: Reply) -> Result<StoredRepeat> {
    let [id, slot, fields] = reply.tuple()?;
    let [schedule, fired, limit, name, data, options] = fields.tuple()?;
    let text = |reply: Reply| utf8(reply.bulk()?.ok_or_else(unreadable)?);
    let count = |text: String| text.parse::<u64>().map_err(|_| unreadable());
    let StoredOptions { priority, group, attempts, timeout, .. } = StoredOptions::read(options.bulk()?.as_deref());
    Ok(StoredRepeat {
        id: keys::decoded_id(&id.bulk()?.ok_or_else(unreadable)?),
        schedule: text(schedule)?.parse()?,
        limit: Some(text(limit)?).filter(|limit| !limit.is_empty()).map(count).transpose()?,
        fired: count(text(fired)?)?,
        next_ms: read_slot(time(slot)?)?,
        name: text(name)?,
        data: data.bulk()?.ok_or_else(unreadable)?,
        attempts,
        priority,
        group,
        timeout,
    })
}
