//! Releases locks of unknown outcome: an acquire that got no reply may have succeeded. The release is retried until the store
//! confirms it or the lock's ttl has passed.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    error::Result,
    runtime,
    store::{Call, Store},
};

/// How long to try. After that, the lock expires by its ttl.
const LONGEST: Duration = Duration::from_secs(30);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(1);
/// The first backoff, doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Releases something that expires after `life`. "Nothing was there" does not end the retries, since the original request may
/// still arrive after the release.
pub fn give_back(store: Arc<Store>, life: Duration, make: impl Fn() -> Result<Call<bool>> + Send + 'static) {
    let Ok(runtime) = runtime::get() else { return };
    let until = Instant::now() + life.min(LONGEST);
    runtime.spawn(async move {
        let mut wait = FIRST_WAIT;
        while Instant::now() < until {
            let Ok(call) = make() else { return };
            if matches!(store.call(call, Instant::now() + ATTEMPT).await, Ok(true)) {
                return;
            }
            sleep(wait).await;
            wait = (2 * wait).min(LONGEST_WAIT);
        }
    });
}
