//! Subscriptions: connections of their own, which subscribe anew whenever they are made anew and say that something may have
//! been missed in between. `feed.rs` is the one for everything that any server of an engine tells, `shards.rs` those for the
//! sharded channels of a cluster, `connection.rs` one connection of either, `task.rs` how long there is one.

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

/// A connection over which a subscription was refused is kept for this long, for callers who try again. They would dial anew each
/// time.
const KEPT: Duration = Duration::from_secs(30);

/// Everything this process listens to on one server or cluster.
pub struct Subscriber {
    settings: Arc<Settings>,
    next: AtomicU64,
    everywhere: SubscriptionTask,
    /// Where sharded channels are elsewhere than all others.
    sharded: Option<SubscriptionTask>,
}

impl Subscriber {
    /// `cluster` is where the channels are sharded.
    pub fn new(settings: Arc<Settings>, dialler: Arc<Dialler>, source: Source, cluster: Option<Arc<Cluster>>) -> Self {
        let everywhere = {
            let (settings, dialler) = (settings.clone(), dialler.clone());
            SubscriptionTask::new(move |registry, instructions| {
                let (settings, dialler, source) = (settings.clone(), dialler.clone(), source.clone());
                tokio::spawn(Connector { settings, dialler, source, registry }.keep(instructions));
            })
        };
        let sharded = cluster.map(|cluster| {
            let settings = settings.clone();
            SubscriptionTask::new(move |registry, instructions| {
                let (settings, dialler, cluster) = (settings.clone(), dialler.clone(), cluster.clone());
                tokio::spawn(Shards { settings, dialler, cluster, registry }.keep(instructions));
            })
        });
        Self { settings, next: AtomicU64::new(1), everywhere, sharded }
    }

    /// Answers once the server has confirmed: what is published from then on is heard.
    pub async fn subscribe(&self, topic: Topic, listener: MessageListener) -> Result<u64> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (done, answer) = oneshot::channel();
        let is_shard = matches!(topic, Topic::Shard(_));
        let task = match &self.sharded {
            Some(sharded) if is_shard => sharded,
            _ => &self.everywhere,
        };
        task.subscribe(topic, id, listener, done);
        let result = match timeout(self.settings.timeout, answer).await {
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
