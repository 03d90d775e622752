//! Taking jobs, each with a lease.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Reply,
    error::{Error, Result},
};

use super::{Backoff, Limits, Published, Queue, Rate, job::StoredOptions, scripts};
use crate::{
    features::{takeover::Takeover, ttl},
    keys,
};

const MOST_JOBS: usize = 100;
const LONGEST_TOKEN: usize = 64;
const SHORTEST_LEASE: Duration = Duration::from_millis(100);
const LONGEST_LEASE: Duration = Duration::from_secs(86_400);

/// The request of a worker for jobs.
#[derive(Debug, Clone)]
pub struct Take {
    /// The most jobs; from 1 to 100.
    pub count: usize,
    /// How long they are the worker's without a renewal; from 100 ms to a day.
    pub lease: Duration,
    /// Proves later that they are the worker's, and unique to this take. ASCII letters, digits, `.`, `-` and `_`, at
    /// most 64.
    pub token: String,
    /// The limits of the queue.
    pub limits: Limits,
    /// Whether the worker is idle, so that it can take a suspect.
    pub idle: bool,
    /// The token of the last take, if the worker yields to a suspect.
    pub yielding: Option<String>,
    /// Whether it may take over expired leases.
    pub overdue: Takeover,
}

/// The result of a take.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// The jobs, in the order in which they are to start.
    pub jobs: Vec<Leased>,
    /// When to take again if it is not woken before: zero if there are, or may be, more jobs now; `None` if nothing is
    /// due.
    pub next_in: Option<Duration>,
    /// Whether the queue is paused.
    pub paused: bool,
    /// Repeats that are due.
    pub due: Vec<DueRepeat>,
    /// The store's time, in epoch milliseconds.
    pub now_ms: u64,
    /// Whether the worker should finish its jobs before it takes more, because a suspect is waiting. It keeps asking:
    /// only this prevents other workers from yielding too, and a reply without it means that it need not any more.
    pub yielding: bool,
    /// What was published.
    pub published: Published,
    /// Jobs that this take found dead of their crashes.
    pub died: Vec<Died>,
}

/// A job that is dead because too many workers crashed while running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Died {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A repeat that is due: the worker that found it adds its job and sets its next slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRepeat {
    /// Its id.
    pub id: String,
    /// The slot, in epoch milliseconds.
    pub slot_ms: i64,
}

/// A job with a lease.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Its id.
    pub id: String,
    /// The name of the kind of job.
    pub name: String,
    /// Its data, as it was added.
    pub data: Bytes,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The number of attempts.
    pub attempts: u32,
    /// How many times its worker crashed.
    pub crashes: u32,
    /// The backoff after this attempt.
    pub backoff: Backoff,
    /// Its priority.
    pub priority: i32,
    /// Its group.
    pub group: Option<String>,
    /// The timeout of this attempt.
    pub timeout: Duration,
    /// When it was added, in epoch milliseconds.
    pub added_ms: i64,
    /// The token of the lease.
    pub token: String,
    /// Whether it runs exclusively, because workers crashed with it.
    pub exclusive: bool,
    /// Whether its start must be stored before it starts, because a worker crashed that had taken it, maybe before its
    /// start was stored.
    pub stores_start_first: bool,
}

impl Queue {
    /// Takes jobs, after those with expired leases and those whose delay is over have become ready.
    ///
    /// Not idempotent. If its reply is lost, `recover` finds what it got; otherwise the jobs are ready again when
    /// their leases expire.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for what is out of its bounds.
    pub fn take(&self, ask: &Take) -> Result<Call<Taken>> {
        ask.check()?;
        let Limits { concurrency, rate, group_concurrency, group_rate } = ask.limits;
        let (max, per) = window(rate);
        let (group_max, group_per) = window(group_rate);
        let options = &self.0.options;
        let reason = format!(
            "{{\"name\":\"CrashedError\",\"message\":\"the worker crashed or lost its lease {} times\"}}",
            options.max_crashes
        );
        let [a, b, c] = options.keep_done.arguments();
        let [d, e, f] = options.keep_dead.arguments();
        let args = [
            number(ask.count),
            ttl::millis(ask.lease),
            Bytes::copy_from_slice(ask.token.as_bytes()),
            number(concurrency.unwrap_or(0)),
            max,
            per,
            number(group_concurrency.unwrap_or(0)),
            group_max,
            group_per,
            number(options.max_crashes),
            reason.into(),
            a,
            b,
            c,
            d,
            e,
            f,
            number(u8::from(ask.idle)),
            number(u8::from(ask.overdue.allowed)),
            ask.overdue.latest_ms.map(number).unwrap_or_default(),
            ask.yielding.clone().unwrap_or_default().into(),
        ];
        let token = ask.token.clone();
        Ok(Call::new(self.finding(&scripts::TAKE, args), move |reply| {
            let [paused, next_in, due, jobs, now, exclusive, published, died] = reply.tuple()?;
            let next_in = u64::try_from(next_in.int()?).ok().map(Duration::from_millis);
            let mut repeats = due.array()?.into_iter();
            let mut due = Vec::with_capacity(repeats.len() / 2);
            while let (Some(id), Some(slot)) = (repeats.next(), repeats.next()) {
                let id = keys::decoded_id(&id.bulk()?.unwrap_or_default());
                due.push(DueRepeat { id, slot_ms: slot.int()? });
            }
            let exclusive = exclusive.int()?;
            let mut dead = died.array()?.into_iter();
            let mut died = Vec::with_capacity(dead.len() / 2);
            while let (Some(id), Some(name)) = (dead.next(), dead.next()) {
                died.push(Died { id: keys::decoded_id(&id.bulk()?.unwrap_or_default()), name: text(name)? });
            }
            Ok(Taken {
                jobs: leased(jobs, &token, exclusive == 1)?,
                next_in,
                paused: paused.flag()?,
                due,
                now_ms: u64::try_from(now.int()?).unwrap_or(0),
                yielding: exclusive == 2,
                published: Published::of(published.int()?),
                died,
            })
        }))
    }

    /// Returns the jobs that the take with this token got, if its reply was lost: they are still the worker's.
    /// Searches the last 1000 jobs taken or renewed by any worker.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid token.
    pub fn recover(&self, token: &str) -> Result<Call<Vec<Leased>>> {
        check_token(token)?;
        let args = [Bytes::copy_from_slice(token.as_bytes())];
        let token = token.to_owned();
        let request = self.finding(&scripts::RECOVER, args).idempotent().without_effect();
        Ok(Call::new(request, move |reply| {
            let [jobs, exclusive] = reply.tuple()?;
            leased(jobs, &token, exclusive.flag()?)
        }))
    }
}

impl Take {
    fn check(&self) -> Result<()> {
        if !(1..=MOST_JOBS).contains(&self.count) {
            return Err(Error::argument(format!("count must be from 1 to {MOST_JOBS}, got {}", self.count)));
        }
        check_lease(self.lease)?;
        check_token(&self.token)?;
        self.yielding.as_deref().map_or(Ok(()), check_token)?;
        self.limits.check()
    }
}

pub(super) fn check_lease(lease: Duration) -> Result<()> {
    if !(SHORTEST_LEASE..=LONGEST_LEASE).contains(&lease) {
        return Err(Error::argument(format!("leaseMs must be from 100 to a day, got {lease:?}")));
    }
    Ok(())
}

/// A token must fit in a line of a record.
fn check_token(token: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if token.is_empty() || token.len() > LONGEST_TOKEN || !token.bytes().all(plain) {
        return Err(Error::argument(format!("a token has 1 to {LONGEST_TOKEN} letters, digits, '.', '-' and '_'")));
    }
    Ok(())
}

/// Reads the jobs of a reply: id and fields of each.
fn leased(reply: Reply, token: &str, exclusive: bool) -> Result<Vec<Leased>> {
    let mut parts = reply.array()?.into_iter();
    let mut jobs = Vec::with_capacity(parts.len() / 2);
    while let (Some(id), Some(fields)) = (parts.next(), parts.next()) {
        let [name, data, added, given, attempts, crashes, crashed] = fields.tuple()?;
        let StoredOptions { priority, group, attempts: most, backoff, timeout } =
            StoredOptions::read(given.bulk()?.as_deref());
        jobs.push(Leased {
            id: keys::decoded_id(&id.bulk()?.unwrap_or_default()),
            name: text(name)?,
            data: data.bulk()?.unwrap_or_default(),
            attempt: count(attempts)?.saturating_add(1),
            attempts: most,
            crashes: count(crashes)?,
            backoff,
            priority,
            group,
            timeout,
            added_ms: when(added)?.unwrap_or(0),
            token: token.to_owned(),
            exclusive,
            // The start of a suspect is stored when it is taken.
            stores_start_first: !exclusive && crashed != Reply::Nil,
        });
    }
    Ok(jobs)
}

/// Reads text; it was stored as UTF-8.
pub(super) fn text(reply: Reply) -> Result<String> {
    Ok(String::from_utf8_lossy(&reply.bulk()?.unwrap_or_default()).into_owned())
}

/// Reads a count. A missing or invalid one is 0.
pub(super) fn count(reply: Reply) -> Result<u32> {
    Ok(when(reply)?.and_then(|count| u32::try_from(count).ok()).unwrap_or(0))
}

/// Reads a time, in epoch milliseconds.
pub(super) fn when(reply: Reply) -> Result<Option<i64>> {
    let digits = reply.bulk()?;
    Ok(digits.and_then(|digits| std::str::from_utf8(&digits).ok()?.parse().ok()))
}

fn window(rate: Option<Rate>) -> (Bytes, Bytes) {
    rate.map_or_else(|| (number(0), number(0)), |rate| (number(rate.max), ttl::millis(rate.per)))
}

pub(super) fn number(number: impl ToString) -> Bytes {
    number.to_string().into()
}
