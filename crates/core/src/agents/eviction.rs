//! Reports a server whose eviction policy could drop what an agent relies on.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{features::eviction, store::Store};

/// How soon the policy is read again if the server did not reply, and the timeout of reading it.
const AGAIN: Duration = Duration::from_secs(10);

/// Reads the eviction policy until there is a reply; notifies the store's listeners if keys could be evicted.
pub async fn report(store: Arc<Store>) {
    loop {
        match store.call(eviction::policy(), Instant::now() + AGAIN).await {
            Ok(None) => return,
            Ok(Some(policy)) => return store.report_eviction(&policy),
            Err(error) if error.is_unavailable() => sleep(AGAIN).await,
            // Without permission to read it, there is nothing to report.
            Err(_) => return,
        }
    }
}
