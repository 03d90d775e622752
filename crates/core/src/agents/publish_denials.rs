//! What calls published, for the store to know what the user is denied.

use crate::{
    features::queue::{Published, Queue},
    store::{Permission, Store},
};

/// Records what a call on a queue published.
pub fn record(store: &Store, queue: &Queue, published: Published) {
    for (channel, denied) in published.by_channel(queue) {
        store.record_permission(Permission::Publish, channel, denied);
    }
}
