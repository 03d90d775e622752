//! Waiting for the end of a job.

use super::{Job, Queue, scripts};
use crate::{
    error::Result,
    store::{Call, Merge, Reply, keys},
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
        let args = [keys::kept_id("id", id)?.into(), (if counted { "1" } else { "" }).into()];
        let request = self.script(&scripts::LOOK, args).merging(Merge::Script);
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
        let args = [keys::kept_id("id", id)?.into()];
        Ok(Call::new(self.script(&scripts::UNWAIT, args).merging(Merge::Script), |_| Ok(())))
    }
}
