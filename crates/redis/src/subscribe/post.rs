//! Listeners, and the task that has them hear, for as long as there are any.

use std::sync::Arc;

use cinnabar_port::{MessageListener, Topic};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    KEPT,
    book::{Answer, Book},
    line::{Order, Orders},
};

/// Listeners and their task.
pub struct Post {
    book: Arc<Book>,
    link: Arc<Mutex<Link>>,
    start: Box<dyn Fn(Orders) + Send + Sync>,
}

#[derive(Default)]
struct Link {
    /// The task, and its connections with it, end with their last sender.
    orders: Option<mpsc::UnboundedSender<Order>>,
    /// Until when it is kept without listeners, after a refusal.
    kept_until: Option<Instant>,
}

impl Post {
    /// `start` spawns the task.
    pub fn new(start: impl Fn(Arc<Book>, Orders) + Send + Sync + 'static) -> Self {
        let book = Arc::<Book>::default();
        let other = book.clone();
        Self { book, link: Arc::default(), start: Box::new(move |orders| start(other.clone(), orders)) }
    }

    /// One more listener; `done` hears what becomes of that.
    pub fn subscribe(&self, topic: Topic, id: u64, listener: MessageListener, done: Answer) {
        self.book.add(&topic, id, listener, done);
        let mut link = self.link.lock();
        let orders = link.orders.get_or_insert_with(|| {
            let (sender, inbox) = mpsc::unbounded_channel();
            (self.start)(inbox);
            sender
        });
        let _ = orders.send(Order::Subscribe(topic));
    }

    /// One listener less.
    pub fn unsubscribe(&self, id: u64) {
        let Some(topic) = self.book.remove(id) else { return };
        self.link.lock().leave(&self.book, Order::Unsubscribe(topic));
    }

    /// The same for one who was refused, and may try again.
    pub fn refused(&self, id: u64) {
        let Some(topic) = self.book.remove(id) else { return };
        let mut link = self.link.lock();
        if link.orders.is_none() {
            // It was closed: there is nothing to keep.
            return;
        }
        let is_timed = link.kept_until.replace(Instant::now() + KEPT).is_some();
        link.leave(&self.book, Order::Refused(topic));
        drop(link);
        if !is_timed {
            self.end_in_time();
        }
    }

    /// Ends the task, whoever listens.
    pub fn close(&self) {
        *self.link.lock() = Link::default();
    }

    /// Ends the task when it is not to be kept any longer, unless somebody listens then.
    fn end_in_time(&self) {
        let (book, link) = (self.book.clone(), Arc::downgrade(&self.link));
        tokio::spawn(async move {
            while let Some(link) = link.upgrade() {
                let until = {
                    let mut link = link.lock();
                    let Some(until) = link.kept_until else { return };
                    if until <= Instant::now() {
                        link.kept_until = None;
                        if book.is_empty() {
                            link.orders = None;
                        }
                        return;
                    }
                    until
                };
                drop(link);
                sleep_until(until).await;
            }
        });
    }
}

impl Link {
    fn leave(&mut self, book: &Book, order: Order) {
        if book.is_empty() && self.kept_until.is_none() {
            self.orders = None;
        } else if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }
}
