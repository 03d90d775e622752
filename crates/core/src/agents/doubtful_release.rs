//! Releases locks and slots of unknown outcome: an acquire that got no reply may have succeeded. The release is retried until the store
//! confirms it or the ttl has passed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cinnabar_port::{Call, error::Result, runtime};
use tokio::time::{Instant, sleep};

use crate::store::Store;

/// How long to try. After that, the lock expires by its ttl.
const MAX_DURATION: Duration = Duration::from_secs(30);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(1);
/// The first backoff, doubled each time.
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// How many locks are released at a time. Those beyond expire by their ttl.
const MAX_IN_FLIGHT: usize = 1000;

static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

/// One of the locks that are being released.
struct Permit;

impl Permit {
    fn take() -> Option<Self> {
        let permit = Self;
        (IN_FLIGHT.fetch_add(1, Ordering::Relaxed) < MAX_IN_FLIGHT).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Releases something that expires after `ttl`. "Nothing was there" does not end the retries, since the original request may
/// still arrive after the release. Does not keep a disconnected service's store open.
pub fn retry_until_released(
    store: &Arc<Store>,
    ttl: Duration,
    release: impl Fn() -> Result<Call<bool>> + Send + 'static,
) {
    let (Ok(runtime), Some(permit)) = (runtime::get(), Permit::take()) else { return };
    let (store, until) = (Arc::downgrade(store), Instant::now() + ttl.min(MAX_DURATION));
    runtime.spawn(async move {
        let (_slot, mut backoff) = (permit, FIRST_BACKOFF);
        while Instant::now() < until {
            let (Some(store), Ok(mut call)) = (store.upgrade(), release()) else { return };
            // Thousands of retries must not decide whether the server is available to callers.
            call.requests.iter_mut().for_each(|request| request.counts_for_breaker = false);
            if matches!(store.call(call, Instant::now() + ATTEMPT).await, Ok(true)) {
                return;
            }
            drop(store);
            sleep(backoff).await;
            backoff = (2 * backoff).min(MAX_BACKOFF);
        }
    });
}
