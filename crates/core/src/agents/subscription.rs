//! A subscription of an agent: made as soon as the store allows it, ended when it is dropped.

use std::{sync::Arc, time::Duration};

use cinnabar_port::{MessageListener, Topic};
use tokio::{
    sync::oneshot::{Sender, channel},
    time::timeout,
};

use crate::store::{Permission, Store};

/// How soon a failed subscription is retried.
const AGAIN: Duration = Duration::from_secs(1);
/// The same if the user lacks permission, which has to be granted first.
const AGAIN_WHERE_REFUSED: Duration = Duration::from_secs(10);

/// Subscribes to a topic until it is dropped.
pub struct ChannelSubscription(#[expect(dead_code, reason = "dropping it is what ends the subscription")] Sender<()>);

impl ChannelSubscription {
    /// Subscribes, and calls `begun` once messages are received. Call on the runtime's thread only.
    pub fn of(
        store: Arc<Store>,
        topic: Topic,
        listener: MessageListener,
        begun: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (dropped, mut is_dropped) = channel();
        tokio::spawn(async move {
            loop {
                // Never cancelled: a subscription that was made must also be removed.
                let again = match store.subscribe(topic.clone(), listener.clone()).await {
                    Ok(number) => {
                        store.record_permission(Permission::Subscribe, || topic.name().clone(), false);
                        begun();
                        let _ = is_dropped.await;
                        return store.unsubscribe(number);
                    }
                    // A server that rejects the whole connection says nothing about channels.
                    Err(error) if error.is_denied() => {
                        store.record_permission(Permission::Subscribe, || topic.name().clone(), true);
                        AGAIN_WHERE_REFUSED
                    }
                    Err(_) => AGAIN,
                };
                if timeout(again, &mut is_dropped).await.is_ok() {
                    // The permission is no longer needed.
                    return store.record_permission(Permission::Subscribe, || topic.name().clone(), false);
                }
            }
        });
        Self(dropped)
    }
}
