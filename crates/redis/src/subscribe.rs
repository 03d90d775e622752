//! Subscriptions: connections of their own, which subscribe anew whenever they are made anew and say that something may have
//! been missed in between. `feed.rs` is the one for everything that any server of an engine tells, `shards.rs` those for the
//! sharded channels of a cluster, `line.rs` one connection of either, `post.rs` how long there is one.

mod book;
mod feed;
mod line;
mod post;
mod shards;

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
use feed::Feed;
use post::Post;
use shards::Shards;

/// A connection over which a subscription was refused is kept for this long, for callers who try again. They would dial anew each
/// time.
const KEPT: Duration = Duration::from_secs(30);

/// Everything this process listens to on one server or cluster.
pub struct Subscriber {
    settings: Arc<Settings>,
    next: AtomicU64,
    everywhere: Post,
    /// Where sharded channels are elsewhere than all others.
    sharded: Option<Post>,
}

impl Subscriber {
    /// `cluster` is where the channels are sharded.
    pub fn new(settings: Arc<Settings>, dialler: Arc<Dialler>, source: Source, cluster: Option<Arc<Cluster>>) -> Self {
        let everywhere = {
            let (settings, dialler) = (settings.clone(), dialler.clone());
            Post::new(move |book, orders| {
                let (settings, dialler, source) = (settings.clone(), dialler.clone(), source.clone());
                tokio::spawn(Feed { settings, dialler, source, book }.keep(orders));
            })
        };
        let sharded = cluster.map(|cluster| {
            let settings = settings.clone();
            Post::new(move |book, orders| {
                let (settings, dialler, cluster) = (settings.clone(), dialler.clone(), cluster.clone());
                tokio::spawn(Shards { settings, dialler, cluster, book }.keep(orders));
            })
        });
        Self { settings, next: AtomicU64::new(1), everywhere, sharded }
    }

    /// Answers once the server has confirmed: what is published from then on is heard.
    pub async fn subscribe(&self, topic: Topic, listener: MessageListener) -> Result<u64> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (done, answer) = oneshot::channel();
        let is_shard = matches!(topic, Topic::Shard(_));
        let post = match &self.sharded {
            Some(sharded) if is_shard => sharded,
            _ => &self.everywhere,
        };
        post.subscribe(topic, id, listener, done);
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
            Err(error) if !error.is_unavailable() => post.refused(id),
            Err(_) => post.unsubscribe(id),
            Ok(()) => {}
        }
        result.map(|()| id)
    }

    pub fn unsubscribe(&self, id: u64) {
        self.posts().for_each(|post| post.unsubscribe(id));
    }

    pub fn close(&self) {
        self.posts().for_each(Post::close);
    }

    fn posts(&self) -> impl Iterator<Item = &Post> {
        std::iter::once(&self.everywhere).chain(&self.sharded)
    }
}
