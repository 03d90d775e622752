//! Waiting for the end of a job.

use bytes::Bytes;

use super::{Job, Queue, scripts, view::VIEWED};
use crate::{
    error::Result,
    store::{
        Call, Merge, Reply,
        keys::{self, QueueKey},
    },
};

impl Queue {
    /// A job that somebody waits for; `None` when there is none, and nobody knows how it ended.
    ///
    /// Whoever is counted by `counted` among those who wait, before it ends, finds its state, its result and its error here for a
    /// minute after that, whatever is kept of it: until as many as were counted have said `unwait`.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for what cannot be an id.
    pub fn look(&self, id: &str, counted: bool) -> Result<Call<Option<Job>>> {
        let id = keys::kept_id("id", id)?;
        let own = [QueueKey::Waited, QueueKey::Job(id.as_bytes()), QueueKey::End(id.as_bytes())];
        let used = [VIEWED, &own].concat();
        let counts = Bytes::from_static(if counted { b"1" } else { b"" });
        let request = self
            .using(&scripts::LOOK, &used, [Bytes::copy_from_slice(id.as_bytes()), counts])
            .merging(Merge::Script)
            .unseen();
        Ok(Call::new(if counted { request } else { request.repeatable() }, |reply| match reply {
            Reply::Nil => Ok(None),
            view => Job::read(view).map(Some),
        }))
    }

    /// One that was counted waits no longer.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for what cannot be an id.
    pub fn unwait(&self, id: &str) -> Result<Call<()>> {
        let id = keys::kept_id("id", id)?;
        let used = [QueueKey::Waited, QueueKey::End(id.as_bytes())];
        let request = self.using(&scripts::UNWAIT, &used, [Bytes::copy_from_slice(id.as_bytes())]);
        Ok(Call::new(request.merging(Merge::Script).unseen(), |_| Ok(())))
    }
}
