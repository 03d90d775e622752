//! Taking jobs: each comes with a lease.

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

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct Take {
    /// How many jobs at most; from 1 to 100.
    pub count: usize,
    /// How long they are its own without a beat; from 100 ms to a day.
    pub lease: Duration,
    /// What it shows later to prove that they are: unlike any it took with before. ASCII letters, digits, `.`, `-` and `_`,
    /// at most 64.
    pub token: String,
    /// How many may run.
    pub limits: Limits,
    /// Whether the worker is idle, so that it can take a job that runs alone.
    pub idle: bool,
    /// The token of the take that told it to make way, while it does.
    pub yielding: Option<String>,
    /// Whether it may take over expired leases.
    pub overdue: Takeover,
}

/// What a worker got.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// The jobs, in the order in which they are to start.
    pub jobs: Vec<Leased>,
    /// When to ask again if nobody wakes it before: zero when there is, or may be, more now. `None`: nothing is due.
    pub next_in: Option<Duration>,
    /// Whether the queue is paused.
    pub paused: bool,
    /// Repeats whose time has come.
    pub due: Vec<DueRepeat>,
    /// The store's time, in epoch milliseconds.
    pub now_ms: u64,
    /// Whether the worker should finish its jobs before it takes more, because a job that runs alone is waiting. It asks on: only
    /// this keeps others working meanwhile, and an answer without it means that it need not any more.
    pub yielding: bool,
    /// What was published.
    pub published: Published,
    /// Jobs that were found dead in this take, because their workers crashed.
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

/// A repeat whose time has come: the one who is told adds its job and sets its next time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRepeat {
    /// Which one.
    pub id: String,
    /// The time that has come, in epoch milliseconds.
    pub slot_ms: i64,
}

/// A job with a lease on it.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Its id.
    pub id: String,
    /// What kind of job it is.
    pub name: String,
    /// What it is about, as it was added.
    pub data: Bytes,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many there are.
    pub attempts: u32,
    /// How often a worker crashed with it.
    pub crashes: u32,
    /// How long it waits when this attempt fails.
    pub backoff: Backoff,
    /// Its priority.
    pub priority: i32,
    /// Its group.
    pub group: Option<String>,
    /// How long this attempt may take.
    pub timeout: Duration,
    /// When it was added, in epoch milliseconds.
    pub added_ms: i64,
    /// The token of the lease.
    pub token: String,
    /// Whether it runs alone, because workers crashed with it.
    pub exclusive: bool,
    /// Whether its start must be stored before it starts. A worker crashed while it held the job, and the start may not have been
    /// stored then.
    pub stores_start_first: bool,
}

impl Queue {
    /// Takes jobs: first puts back those whose leases ran out and those whose delay is over.
    ///
    /// Never sent twice. Where its answer is lost, `recover` finds what it got; what nobody asks for comes back when the
    /// leases run out.
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

    /// The jobs that the take with this token got, if its answer never came: they are its own still. It looks at the last
    /// 1000 that anybody took or renewed.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for what cannot be a token.
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

/// A token is a line of a record.
fn check_token(token: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if token.is_empty() || token.len() > LONGEST_TOKEN || !token.bytes().all(plain) {
        return Err(Error::argument(format!("a token has 1 to {LONGEST_TOKEN} letters, digits, '.', '-' and '_'")));
    }
    Ok(())
}

/// Jobs as scripts answer them: id and fields.
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
            // The store knows of one that runs alone when it is taken.
            stores_start_first: !exclusive && crashed != Reply::Nil,
        });
    }
    Ok(jobs)
}

/// Text that was kept as UTF-8.
pub(super) fn text(reply: Reply) -> Result<String> {
    Ok(String::from_utf8_lossy(&reply.bulk()?.unwrap_or_default()).into_owned())
}

/// A count in a field; 0 where there is none, or none that can be read.
pub(super) fn count(reply: Reply) -> Result<u32> {
    Ok(when(reply)?.and_then(|count| u32::try_from(count).ok()).unwrap_or(0))
}

/// A time in a field, in epoch milliseconds.
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
