//! Subscriptions, over connections of their own. After a reconnect, all topics are subscribed again and listeners are notified
//! that messages may have been missed. `connector.rs` maintains the connection for messages that every server of an engine
//! delivers, `shards.rs` those for the sharded channels of a cluster; `message_connection.rs` is one connection of either, and
//! `task.rs` starts and ends their tasks.

mod connector;
mod message_connection;
mod registry;
mod shards;
mod task;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cinnabar_port::{
    MessageListener, Topic,
    error::{Error, Kind, Result},
    sharding_unsupported,
};
use tokio::{sync::oneshot, time::timeout};

use super::{
    cluster::{Cluster, explained},
    dial::Dialler,
    source::Source,
};
use crate::settings::Settings;
use connector::Connector;
use shards::Shards;
use task::SubscriptionTask;

/// A connection on which a subscription was rejected stays open for this long, for callers that try again. Otherwise each attempt
/// would reconnect.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// All subscriptions of this process to one server or cluster.
pub struct Subscriber {
    settings: Arc<Settings>,
    next: AtomicU64,
    everywhere: SubscriptionTask,
    /// The task for sharded channels, if they have connections of their own.
    sharded: Option<SubscriptionTask>,
}

impl Subscriber {
    /// Creates a subscriber without connections. `cluster` is given if channels are sharded.
    pub fn new(settings: Arc<Settings>, dialler: Arc<Dialler>, source: Source, cluster: Option<Arc<Cluster>>) -> Self {
        let everywhere = {
            let (settings, dialler) = (settings.clone(), dialler.clone());
            SubscriptionTask::new(move |registry, instructions| {
                let (settings, dialler, source) = (settings.clone(), dialler.clone(), source.clone());
                tokio::spawn(Connector { settings, dialler, source, registry }.run(instructions));
            })
        };
        let sharded = cluster.map(|cluster| {
            let settings = settings.clone();
            SubscriptionTask::new(move |registry, instructions| {
                let (settings, dialler, cluster) = (settings.clone(), dialler.clone(), cluster.clone());
                tokio::spawn(Shards { settings, dialler, cluster, registry }.run(instructions));
            })
        });
        Self { settings, next: AtomicU64::new(1), everywhere, sharded }
    }

    /// Subscribes; returns once the server has confirmed. Messages published from then on are delivered.
    pub async fn subscribe(&self, topic: Topic, listener: MessageListener) -> Result<u64> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (done, confirmed) = oneshot::channel();
        let is_shard = matches!(topic, Topic::Shard(_));
        let task = match &self.sharded {
            Some(sharded) if is_shard => sharded,
            _ => &self.everywhere,
        };
        task.subscribe(topic, id, listener, done);
        let result = match timeout(self.settings.timeout, confirmed).await {
            Ok(Ok(result)) => {
                result.map_err(|error| if is_shard { sharding_unsupported(explained(error)) } else { error })
            }
            Err(_) => Err(Error::new(
                Kind::Timeout,
                format!("the server did not confirm the subscription within {:?}", self.settings.timeout),
            )),
            Ok(Err(_)) => Err(Error::new(Kind::Closed, "this service was disconnected")),
        };
        match &result {
            Err(error) if !error.is_unavailable() => task.refused(id),
            Err(_) => task.unsubscribe(id),
            Ok(()) => {}
        }
        result.map(|()| id)
    }

    pub fn unsubscribe(&self, id: u64) {
        self.tasks().for_each(|task| task.unsubscribe(id));
    }

    pub fn close(&self) {
        self.tasks().for_each(SubscriptionTask::close);
    }

    fn tasks(&self) -> impl Iterator<Item = &SubscriptionTask> {
        std::iter::once(&self.everywhere).chain(&self.sharded)
    }
}
