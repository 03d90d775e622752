//! Waits for locks that other callers hold.

mod queue;
mod turn;

use std::{sync::Arc, time::Duration};

use cinnabar_port::{
    error::{Error, Kind, Result},
    random,
};
use tokio::time::Instant;

use self::{queue::Waiting, turn::Turn};
use super::{doubtful_release, lock_keeper::Grant};
use crate::{
    features::lock::{Locks, WAIT_LEASE},
    store::Store,
};

pub use queue::is_waited_for;

/// How often a caller asks without a subscription, after a failure, and for a lock whose ttl should have ended, with jitter.
const RECHECK_SOON: Duration = Duration::from_millis(100);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How long before the deadline of a caller the last attempt is made at most.
const MAX_LEAD: Duration = Duration::from_millis(750);

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
    /// How old the last heartbeat of its holder may be for it to be renewed, if it needs any.
    pub heartbeat: Option<Duration>,
}

impl Wanted {
    fn granted(self, fence: u64, requested: Instant) -> Grant {
        let Self { resource, token, ttl: life, max_hold, heartbeat } = self;
        Grant { resource, token, fence, requested, life, max_hold, heartbeat }
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
        deadline: Deadline,
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

/// Removes a caller from those that the store knows to wait, and the lock that it may have acquired if that is in doubt.
pub async fn leave(store: &Arc<Store>, locks: &Arc<Locks>, wanted: Wanted, is_in_doubt: bool) {
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
    let Ok(call) = locks.stop_waiting(&resource, &token) else { return };
    if store.call(call, until).await.is_err() {
        // Readers, and those behind it in the queue, wait for it until its entry expires.
        let locks = locks.clone();
        doubtful_release::retry_until_released(store, WAIT_LEASE, move || locks.stop_waiting(&resource, &token));
    }
}

/// When a caller waits no longer, and how it learns whether the store is still there then.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    at: Instant,
    lead: Duration,
    round_trip: Duration,
}

impl Deadline {
    /// Returns the deadline of a caller that waits for so long, and whose first attempt has taken `round_trip`.
    pub fn new(patience: Duration, round_trip: Duration) -> Self {
        Self { at: Instant::now() + patience, lead: (patience / 2).min(MAX_LEAD), round_trip }
    }

    /// When the last attempt is due, unless the one at `last` was late enough.
    fn last_attempt(self, last: Instant) -> Option<Instant> {
        self.at.checked_sub(self.lead).filter(|due| *due > last + self.lead / 3)
    }

    /// Why the store is unavailable at the deadline, if the attempt that began then has had no reply, while one takes so long as a rule.
    fn silence(self, began: Option<Instant>, round_trip: Duration) -> Option<Error> {
        let is_silent = began?.elapsed() >= (self.lead * 2 / 3).max(round_trip.max(self.round_trip) * 3);
        is_silent.then(|| Error::new(Kind::Unavailable, "the server did not reply to the last attempt"))
    }
}

fn with_jitter(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + random::fraction() / 2.0)
}
