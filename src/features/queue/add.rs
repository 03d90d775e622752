//! Adding jobs.

use super::{Added, NewJob, Queue};
use crate::{
    error::{Error, Kind, Result},
    store::Call,
};

impl Queue {
    /// Adds a job. Adding it twice does no harm: an id is made before it is sent.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for data over `max_bytes` and whatever else is out of its bounds.
    pub fn add(&self, job: NewJob) -> Result<Call<Added>> {
        let _ = job;
        Err(Error::new(Kind::Unsupported, "not yet"))
    }

    /// Adds jobs in their order, in runs of up to 64: each run is atomic, the whole is not. When it fails, adding the same
    /// again does no harm where the jobs have ids of the caller's.
    ///
    /// # Errors
    /// As for `add`; then nothing was added.
    pub fn add_many(&self, jobs: Vec<NewJob>) -> Result<Call<Vec<Added>>> {
        let _ = jobs;
        Err(Error::new(Kind::Unsupported, "not yet"))
    }
}
