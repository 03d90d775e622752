//! Subscriptions: connections of their own, which subscribe anew whenever they are made anew and say that something may have
//! been missed in between. `feed.rs` is the one for everything that any server of an engine tells, `shards.rs` those for the
//! sharded channels of a cluster, `line.rs` one connection of either.

mod book;
mod feed;
mod line;
mod shards;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    cluster::{Cluster, explained},
    dial::Dialler,
    source::Source,
};
use crate::{
    error::{Error, Kind, Result},
    settings::Settings,
    store::{Listener, Topic, unsharded},
};
use book::Book;
use feed::Feed;
use line::{Order, Orders};
use shards::Shards;

/// Everything this process listens to on one server or cluster.
pub struct Subscriber {
    settings: Arc<Settings>,
    next: AtomicU64,
    everywhere: Post,
    /// Where sharded channels are elsewhere than all others.
    sharded: Option<Post>,
}

/// Listeners, and the task that has them hear, while there are any.
struct Post {
    book: Arc<Book>,
    orders: Mutex<Option<mpsc::UnboundedSender<Order>>>,
    start: Box<dyn Fn(Orders) + Send + Sync>,
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
    pub async fn subscribe(&self, topic: Topic, listener: Listener) -> Result<u64> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (done, answer) = oneshot::channel();
        let is_shard = matches!(topic, Topic::Shard(_));
        let post = match &self.sharded {
            Some(sharded) if is_shard => sharded,
            _ => &self.everywhere,
        };
        post.book.add(&topic, id, listener, done);
        post.order(Order::Subscribe(topic));
        let result = match timeout(self.settings.timeout, answer).await {
            Ok(Ok(result)) => result.map_err(|error| if is_shard { unsharded(explained(error)) } else { error }),
            Err(_) => Err(Error::new(
                Kind::Timeout,
                format!("the server did not confirm the subscription within {:?}", self.settings.timeout),
            )),
            Ok(Err(_)) => Err(Error::new(Kind::Closed, "this service was disconnected")),
        };
        if result.is_err() {
            self.unsubscribe(id);
        }
        result.map(|()| id)
    }

    pub fn unsubscribe(&self, id: u64) {
        self.posts().for_each(|post| post.unsubscribe(id));
    }

    pub fn close(&self) {
        self.posts().for_each(|post| *post.lock() = None);
    }

    fn posts(&self) -> impl Iterator<Item = &Post> {
        std::iter::once(&self.everywhere).chain(&self.sharded)
    }
}

impl Post {
    fn new(start: impl Fn(Arc<Book>, Orders) + Send + Sync + 'static) -> Self {
        let book = Arc::<Book>::default();
        let other = book.clone();
        Self { book, orders: Mutex::default(), start: Box::new(move |orders| start(other.clone(), orders)) }
    }

    fn unsubscribe(&self, id: u64) {
        let Some(topic) = self.book.remove(id) else { return };
        let mut orders = self.lock();
        if self.book.is_empty() {
            // The task, and its connections with it, end with their last sender.
            *orders = None;
        } else if let Some(orders) = &*orders {
            let _ = orders.send(Order::Unsubscribe(topic));
        }
    }

    fn order(&self, order: Order) {
        let mut orders = self.lock();
        let sender = orders.get_or_insert_with(|| {
            let (sender, inbox) = mpsc::unbounded_channel();
            (self.start)(inbox);
            sender
        });
        let _ = sender.send(order);
    }

    fn lock(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<Order>>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
