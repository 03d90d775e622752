//! What is done to a queue from outside its workers.

use std::time::Duration;

use super::{Queue, State};
use crate::{
    error::{Error, Kind, Result},
    store::Call,
};

impl Queue {
    /// Lets no job be taken any more, by any worker; those that are active go on.
    pub fn pause(&self) -> Call<()> {
        Call::ready(())
    }

    /// Lets jobs be taken again.
    pub fn resume(&self) -> Call<()> {
        Call::ready(())
    }

    /// Removes a job in whatever state, and says whether there was one. Its worker, if it has one, learns at its next beat that it lost it.
    pub fn remove(&self, id: &str) -> Result<Call<bool>> {
        let _ = id;
        Err(Error::new(Kind::Unsupported, "not yet"))
    }

    /// Has a dead job start anew, with all its attempts, or a delayed one at once; answers whether it did. False: it is in
    /// another state, or another job that is the same waits or runs by now.
    pub fn retry(&self, id: &str) -> Result<Call<bool>> {
        let _ = id;
        Err(Error::new(Kind::Unsupported, "not yet"))
    }

    /// Has dead jobs start anew, the oldest first and at most so many; answers how many.
    pub fn redrive(&self, max: u64) -> Call<u64> {
        Call::ready(max)
    }

    /// Removes every job that is ready, and delayed ones too if asked for; answers how many. Jobs that are added meanwhile may stay.
    pub fn drain(&self, delayed: bool) -> Call<u64> {
        let _ = delayed;
        Call::ready(0)
    }

    /// Removes jobs of a state that finished, or were added where they have not finished, so long ago or longer: the oldest first and at
    /// most `limit`; answers how many.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for active ones: `remove` takes them from their workers one by one.
    pub fn clean(&self, state: State, older_than: Duration, limit: u64) -> Result<Call<u64>> {
        let _ = (state, older_than, limit);
        Err(Error::new(Kind::Unsupported, "not yet"))
    }
}
