//! Keeps a deny cache right: receives what other processes publish about limits that may allow more than before.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use cinnabar_port::{Delivery, MessageListener, Topic};
use parking_lot::Mutex;

use super::subscription::ChannelSubscription;
use crate::{
    features::limit::DenyCache,
    store::{Registry, Store},
};

/// By the address of their store and their channel: worker threads share what they were refused.
static LISTENERS: Registry<(usize, Bytes), DenyListener> = Registry::new();

/// A deny cache of one store and one channel.
pub struct DenyListener {
    cache: Arc<DenyCache>,
    channel: Bytes,
    /// Made when the first check is refused. It holds the store until this is dropped.
    subscription: Mutex<Option<ChannelSubscription>>,
}

/// Returns the listener that all limiters with this channel on this store share. A holder of it must also hold the store.
pub fn shared(store: &Arc<Store>, channel: Bytes) -> Arc<DenyListener> {
    let key = (Arc::as_ptr(store).addr(), channel.clone());
    let make = || Ok::<_, Infallible>(DenyListener { cache: Arc::default(), channel, subscription: Mutex::default() });
    let Ok(listener) = LISTENERS.get(&key, make);
    listener
}

impl DenyListener {
    /// Returns the cache.
    pub fn cache(&self) -> &Arc<DenyCache> {
        &self.cache
    }

    /// Subscribes, when something was refused for the first time. Call on the runtime's thread only.
    pub fn start(&self, store: &Arc<Store>) {
        let mut subscription = self.subscription.lock();
        if subscription.is_some() {
            return;
        }
        let (hearing, begun) = (self.cache.clone(), self.cache.clone());
        let listener: MessageListener = Arc::new(move |delivery| match delivery {
            Delivery::Message(message) => hearing.remove(&message.payload),
            Delivery::Gap(_) => hearing.clear(),
        });
        let topic = Topic::Channel(self.channel.clone());
        *subscription = Some(ChannelSubscription::of(store.clone(), topic, listener, move || begun.listen()));
    }
}
