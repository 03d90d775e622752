//! What was asked for and never answered may be held all the same, in the name of somebody who does not know it. It is given
//! back until the store has said that it was, or its own life would be over.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    error::Result,
    runtime,
    store::{Call, Store},
};

/// For how long this is tried; a store that comes back later has lost no more than the rest of a life.
const LONGEST: Duration = Duration::from_secs(30);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(1);
/// Between two attempts, doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Gives back what ends by itself after `life`. An answer that nothing was there ends nothing: what was sent may come to the
/// store after what takes it back.
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
