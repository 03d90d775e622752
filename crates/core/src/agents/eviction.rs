//! Says it where a server may drop what an agent relies on.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{features::eviction, store::Store};

/// How soon a server that did not answer is asked again, and how long it has.
const AGAIN: Duration = Duration::from_secs(10);

/// Asks until there is an answer, and tells the store's listeners if it is a bad one.
pub async fn tell(store: Arc<Store>) {
    loop {
        match store.call(eviction::policy(), Instant::now() + AGAIN).await {
            Ok(None) => return,
            Ok(Some(policy)) => return store.report_eviction(&policy),
            Err(error) if error.is_unavailable() => sleep(AGAIN).await,
            // Whoever may not ask cannot be told.
            Err(_) => return,
        }
    }
}
