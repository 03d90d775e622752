//! Members that wait for their registration.

use cinnabar_port::error::{Error, Result};
use tokio::sync::oneshot;

use super::Member;
use crate::features::room::Membership;

/// The most commands of one turn, and calls of one round.
pub const BATCH: usize = 512;

/// A pending join.
pub struct PendingJoin {
    pub membership: Membership,
    pub number: u64,
    pub done: oneshot::Sender<Result<Member>>,
}

impl PendingJoin {
    /// Ends the join with an error.
    pub fn reject(self, error: Error) {
        let _ = self.done.send(Err(error));
    }
}
