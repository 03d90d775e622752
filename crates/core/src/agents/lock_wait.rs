//! Waits for locks that other callers hold.

mod queue;
mod turn;

use std::{sync::Arc, time::Duration};

use cinnabar_port::{
    error::{Error, Kind, Result},
    random, runtime,
};
use tokio::time::Instant;

use self::{queue::Waiting, turn::Turn};
use super::{doubtful_release, lock_keeper::Grant};
use crate::{features::lock::Locks, store::Store};

pub use queue::is_waited_for;

/// How often a caller asks without a subscription, after a failure, and for a lock whose ttl should have ended, with jitter.
const RECHECK_SOON: Duration = Duration::from_millis(100);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How long before the deadline of a caller the last attempt is made, which finds out whether the store is still there.
const LAST_ATTEMPT: Duration = Duration::from_millis(250);
/// An attempt that has had no reply for so long at a deadline counts as failed.
const NO_REPLY: Duration = Duration::from_millis(150);

/// A lock that is waited for.
#[derive(Clone)]
pub struct Wanted {
    /// What it locks.
    pub resource: String,
    /// The token that is to hold it.
    pub token: String,
    /// For how long it is to be acquired.
    pub ttl: Duration,
    /// How long it is to be renewed.
    pub max_hold: Duration,
}

impl Wanted {
    fn granted(self, fence: u64, requested: Instant) -> Grant {
        let Self { resource, token, ttl: life, max_hold } = self;
        Grant { resource, token, fence, requested, life, max_hold }
    }
}

/// A caller that waits until it gets the lock or leaves.
pub enum LockWait {
    /// Behind the callers of this process.
    Queued(Waiting),
    /// Behind the callers of all processes.
    InTurn(Turn),
}

impl LockWait {
    /// Begins to wait for the lock until `deadline`, behind the other callers of this process; or, if it is `fair`, of all processes, in whose
    /// queue it has been entered by an attempt.
    ///
    /// # Errors
    /// Those of the arguments, and of the runtime.
    pub fn begin(
        store: &Arc<Store>,
        locks: &Arc<Locks>,
        wanted: Wanted,
        deadline: Instant,
        fair: bool,
    ) -> Result<Self> {
        Ok(if fair {
            Self::InTurn(Turn::begin(store, locks, wanted, deadline))
        } else {
            Self::Queued(Waiting::begin(store, locks, wanted, deadline)?)
        })
    }

    /// Waits until the lock is acquired; `None` if another caller still has it at the deadline.
    ///
    /// # Errors
    /// Those of the store: at once if they would not pass by themselves, otherwise at the deadline, if the last attempt failed.
    pub async fn granted(&mut self) -> Result<Option<Grant>> {
        match self {
            Self::Queued(waiting) => waiting.granted().await,
            Self::InTurn(turn) => turn.granted().await,
        }
    }

    /// Waits no more. Completes when nothing of it is left in the store, nor a lock that it was given meanwhile.
    pub async fn leave(self) {
        match self {
            Self::Queued(waiting) => waiting.leave().await,
            Self::InTurn(turn) => turn.leave().await,
        }
    }
}

/// Removes a caller whose first attempt has failed, or that does not wait after it. The lock may have been acquired if that is in doubt.
pub fn leave(store: Arc<Store>, locks: Arc<Locks>, wanted: Wanted, is_in_doubt: bool) {
    let Ok(runtime) = runtime::get() else { return };
    runtime.spawn(async move { remove(&store, &locks, wanted, is_in_doubt).await });
}

/// Removes a caller from those that the store knows to wait, and the lock that it may have acquired if that is in doubt.
async fn remove(store: &Arc<Store>, locks: &Arc<Locks>, wanted: Wanted, is_in_doubt: bool) {
    let Wanted { resource, token, ttl, .. } = wanted;
    let until = Instant::now() + ATTEMPT;
    if is_in_doubt {
        let is_released = match locks.release(&resource, &token) {
            Ok(call) => matches!(store.call(call, until).await, Ok(true)),
            Err(_) => false,
        };
        if !is_released {
            let (locks, resource, token) = (locks.clone(), resource.clone(), token.clone());
            doubtful_release::retry_until_released(store, ttl, move || locks.release(&resource, &token));
        }
    }
    if let Ok(call) = locks.stop_waiting(&resource, &token) {
        let _ = store.call(call, until).await;
    }
}

/// Why an attempt without a reply has failed.
fn no_reply() -> Error {
    Error::new(Kind::Unavailable, "the server did not reply to the last attempt")
}

fn with_jitter(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + random::fraction() / 2.0)
}
