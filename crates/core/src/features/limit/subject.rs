//! An identifier under a policy, and the calls about it.

use std::sync::Arc;

use bytes::Bytes;
use cinnabar_port::{
    Call, Reply, Request, Step,
    error::{Error, Kind, Result},
};

use super::{Limiter, Policy, calendar::Calendar, result::Outcome};
use crate::keys;

/// How often a script is repeated because it needs to know other bounds of a calendar.
const MAX_ROUNDS: u32 = 3;

/// An identifier under a policy.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// The policy.
    pub policy: Arc<Policy>,
    /// The key of the identifier's counter.
    pub counter: Bytes,
    /// The key of what the policy knows about the identifier.
    pub entry: Bytes,
}

impl Limiter {
    /// Checks that there is a policy of this name.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an unknown policy.
    pub fn has_policy(&self, policy: &str) -> Result<()> {
        if self.policies.contains_key(policy) { Ok(()) } else { Err(self.unknown_policy()) }
    }

    /// Returns the identifier under the policy of this name, with another limit if there is one.
    pub(super) fn subject(&self, policy: &str, id: &str, limit: Option<f64>) -> Result<Subject> {
        let own = self.policies.get(policy).ok_or_else(|| self.unknown_policy())?;
        let policy = limit.map_or_else(|| Ok(own.clone()), |limit| own.with_limit(limit).map(Arc::new))?;
        let counter = self.key(id);
        let entry = keys::limit_entry(&self.prefix, &counter, policy.name());
        Ok(Subject { policy, counter, entry })
    }

    /// The same, for a policy that counts hits.
    pub(super) fn counted(&self, policy: &str, id: &str, limit: Option<f64>) -> Result<Subject> {
        let subject = self.subject(policy, id, limit)?;
        if subject.policy.lease().is_some() {
            return Err(Error::argument("a policy of algorithm 'concurrency' counts what runs: use acquire"));
        }
        Ok(subject)
    }

    // Without the name: if arguments were mixed up, it is what a client sent.
    fn unknown_policy(&self) -> Error {
        let mut names: Vec<_> = self.policies.keys().map(String::as_str).collect();
        names.sort_unstable();
        let known = if names.is_empty() { "this limiter has none".to_owned() } else { names.join(", ") };
        Error::argument(format!("policy must be the name of a policy; known policies: {known}"))
    }
}

/// Builds a request, for the calendars as far as they are known.
pub(super) type Build = Arc<dyn Fn() -> Request + Send + Sync>;

/// Reads a reply.
pub(super) type Read<T> = Box<dyn Fn(Reply) -> Result<Outcome<T>> + Send>;

/// Returns a call of a request that may need to know the bounds of calendars.
pub(super) fn learning<T: Send + 'static>(calendars: Vec<Arc<Calendar>>, build: Build, read: Read<T>) -> Call<T> {
    round(calendars, build, read, 0)
}

fn round<T: Send + 'static>(calendars: Vec<Arc<Calendar>>, build: Build, read: Read<T>, number: u32) -> Call<T> {
    Call::round([build()], move |replies| match read(replies.last()?)? {
        Outcome::Done(result) => Ok(Step::Done(result)),
        Outcome::Stale(now_ms) => {
            learn(&calendars, now_ms, number)?;
            Ok(Step::Next(round(calendars, build, read, number + 1)))
        }
    })
}

/// The same by another way to execute requests.
pub(super) fn learning_locally<T>(
    calendars: &[Arc<Calendar>],
    build: &Build,
    execute: impl Fn(&Request) -> Result<Reply>,
    read: impl Fn(Reply) -> Result<Outcome<T>>,
) -> Result<T> {
    let mut number = 0;
    loop {
        match read(execute(&build())?)? {
            Outcome::Done(result) => return Ok(result),
            Outcome::Stale(now_ms) => learn(calendars, now_ms, number)?,
        }
        number += 1;
    }
}

fn learn(calendars: &[Arc<Calendar>], now_ms: i64, number: u32) -> Result<()> {
    if number >= MAX_ROUNDS {
        return Err(Error::new(Kind::Internal, "the clocks of the store show times that are far apart"));
    }
    calendars.iter().try_for_each(|calendar| calendar.learn(now_ms))
}
