//! A subscription of an agent: made as soon as the store lets it, and gone with whoever holds it.

use std::{sync::Arc, time::Duration};

use cinnabar_port::{MessageListener, Topic};
use tokio::{
    sync::oneshot::{Sender, channel},
    time::timeout,
};

use crate::store::{Permission, Store};

/// How soon a subscription that was refused is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// The same if the user lacks permission, which has to be granted first.
const AGAIN_WHERE_REFUSED: Duration = Duration::from_secs(10);

/// Hears a topic until it is dropped.
pub struct ChannelSubscription(#[expect(dead_code, reason = "dropping it is what ends the subscription")] Sender<()>);

impl ChannelSubscription {
    /// Hears it from some moment on, which `begun` marks. On the runtime's thread only.
    pub fn of(
        store: Arc<Store>,
        topic: Topic,
        listener: MessageListener,
        begun: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (held, mut let_go) = channel();
        tokio::spawn(async move {
            loop {
                // Never dropped half way: what a subscription leads to must be known to be taken back.
                let again = match store.subscribe(topic.clone(), listener.clone()).await {
                    Ok(number) => {
                        store.record_permission(Permission::Subscribe, || topic.name().clone(), false);
                        begun();
                        let _ = let_go.await;
                        return store.unsubscribe(number);
                    }
                    // A server that refuses the whole connection says nothing about channels.
                    Err(error) if error.is_denied() => {
                        store.record_permission(Permission::Subscribe, || topic.name().clone(), true);
                        AGAIN_WHERE_REFUSED
                    }
                    Err(_) => AGAIN,
                };
                if timeout(again, &mut let_go).await.is_ok() {
                    // Nobody misses it any more.
                    return store.record_permission(Permission::Subscribe, || topic.name().clone(), false);
                }
            }
        });
        Self(held)
    }
}
