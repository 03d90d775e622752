//! Records whether the server denied publishing, for the store's report of missing permissions.

use crate::{
    features::queue::{Published, Queue},
    store::{Permission, Store},
};

/// Records what a call on a queue published, and whether it was denied.
pub fn record(store: &Store, queue: &Queue, published: Published) {
    for (channel, denied) in published.by_channel(queue) {
        store.record_permission(Permission::Publish, channel, denied);
    }
}
