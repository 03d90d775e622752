//! Blocks, resets and overrides of single identifiers.

use std::sync::Arc;

use bytes::Bytes;
use cinnabar_port::{
    Call, Request,
    error::{Error, Result},
};

use super::{
    DenyCache, Limiter, MAX_LIMIT, changing,
    charge::settled_by,
    limit_of,
    subject::{Build, learning},
};
use crate::features::ttl;

policy_script!(CHANGE = "limit/change.lua", keys: 1, args: 8);

/// A change of what a policy knows about an identifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// Everything is refused for so many seconds.
    Block(f64),
    /// The same, and no hits are counted any more.
    BlockAfresh(f64),
    /// The block ends.
    Unblock,
    /// The block ends, and no hits are counted any more. An override stays.
    Reset,
    /// It has another limit, for so many seconds or until it is restored.
    Override {
        /// The limit; infinite for all.
        limit: f64,
        /// For how many seconds; `None` until it is restored.
        seconds: Option<f64>,
    },
    /// It has the limit of the policy again.
    Restore,
}

impl Limiter {
    /// Changes what a policy knows about an identifier. Returns whether there was something to change.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an unknown policy, one that allows everything, or an invalid time or limit.
    pub fn change(&self, policy: &str, id: &str, change: Change, cache: Option<&Arc<DenyCache>>) -> Result<Call<bool>> {
        let subject = self.counted(policy, id, None)?;
        let micros = |what, seconds| Ok::<_, Error>(ttl::from_seconds(what, seconds)?.as_micros());
        let (what, length, limit) = match change {
            Change::Block(seconds) => ("block", micros("seconds", seconds)?, Bytes::new()),
            Change::BlockAfresh(seconds) => ("block_afresh", micros("seconds", seconds)?, Bytes::new()),
            Change::Unblock => ("unblock", 0, Bytes::new()),
            Change::Reset => ("reset", 0, Bytes::new()),
            Change::Override { limit, seconds } => {
                let length = seconds.map_or(Ok(0), |seconds| micros("ttlSeconds", seconds))?;
                ("override", length, limit_of("limit", 0.0, limit.min(MAX_LIMIT))?.to_string().into())
            }
            Change::Restore => ("restore", 0, Bytes::new()),
        };
        if subject.policy.limit().is_none() {
            return Err(Error::argument(
                "policy must have a limit: one that allows everything keeps nothing about identifiers",
            ));
        }
        let calendars: Vec<_> = subject.policy.calendar().cloned().into_iter().collect();
        let length = Bytes::from(length.to_string());
        let (channel, entry) = (self.changes_channel(), subject.entry.clone());
        let build: Build = Arc::new(move || {
            let [algorithm, own_limit, period, extra] = subject.policy.args();
            let what = Bytes::from_static(what.as_bytes());
            let (entry, length, limit, channel) =
                (subject.entry.clone(), length.clone(), limit.clone(), channel.clone());
            Request::script(&CHANGE, [entry, algorithm, own_limit, period, extra, what, length, limit, channel])
        });
        // What is counted in this process is changed in any case, because it applies while the server is unavailable.
        let (local, here) = (self.local.clone(), build.clone());
        let call =
            learning(calendars, build, Box::new(settled_by)).inspect(move |_| drop(local.execute_if_used(&here())));
        Ok(changing(cache, entry, call))
    }
}
