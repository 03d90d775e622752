//! Waiting for the end of a job.

use bytes::Bytes;
use cinnabar_port::{Call, Merge, Reply, error::Result};

use super::{Job, Queue, scripts, view::VIEWED};
use crate::keys::{self, QueueKey};

impl Queue {
    /// Reads a job for a waiting caller; `None` if there is no such job and its outcome is unknown.
    ///
    /// `counted` registers the caller as a waiter. A waiter registered before the end finds the job's state, result
    /// and error here for a minute afterwards, even if the job is not retained, or until as many waiters as were
    /// registered have called `remove_waiter`.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid id.
    pub fn peek(&self, id: &str, counted: bool) -> Result<Call<Option<Job>>> {
        let id = keys::encoded_id("id", id)?;
        let own = [QueueKey::Waiters, QueueKey::Job(id.as_bytes()), QueueKey::Outcome(id.as_bytes())];
        let used = [VIEWED, &own].concat();
        let counts = Bytes::from_static(if counted { b"1" } else { b"" });
        let request = self
            .using(&scripts::PEEK, &used, [Bytes::copy_from_slice(id.as_bytes()), counts])
            .merging(Merge::Script)
            .without_effect();
        Ok(Call::new(if counted { request } else { request.idempotent() }, |reply| match reply {
            Reply::Nil => Ok(None),
            view => Job::read(view).map(Some),
        }))
    }

    /// Removes a registered waiter.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid id.
    pub fn remove_waiter(&self, id: &str) -> Result<Call<()>> {
        let id = keys::encoded_id("id", id)?;
        let used = [QueueKey::Waiters, QueueKey::Outcome(id.as_bytes())];
        let request = self.using(&scripts::REMOVE_WAITER, &used, [Bytes::copy_from_slice(id.as_bytes())]);
        Ok(Call::new(request.merging(Merge::Script).without_effect(), |_| Ok(())))
    }
}
