//! The last messages of one channel, buffered for all consumers in this process.
//!
//! Each consumer has a position of its own in the buffer, so that a slow one costs no memory and delays no other: one
//! that falls behind the buffer reads from the store what it has missed.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{
    Delivery, Message, MessageListener, Topic,
    error::{Kind, Result},
    random, runtime,
};
use parking_lot::Mutex;
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use crate::store::{Registry, Store};

/// Bounds of the buffer of a channel: messages and bytes.
const MOST_MESSAGES: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;
/// The backoff of a failed request: the first, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

static BUFFERS: Registry<(usize, Bytes), ChannelBuffer> = Registry::new();

/// The buffer of one channel.
pub struct ChannelBuffer {
    store: Arc<Store>,
    channel: Bytes,
    /// The id of the subscription in the store.
    subscription: OnceCell<u64>,
    ring: Mutex<Ring>,
    consumers: Mutex<Vec<Weak<dyn Consumer>>>,
}

/// Consumes the messages of a channel.
pub trait Consumer: Send + Sync {
    /// Called when there may be something new, on the thread that received it, so it must not block.
    fn advance(self: Arc<Self>);
}

/// An item of the buffer.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A published message.
    Message(Bytes),
    /// Messages may be missing here.
    Gap,
}

/// What is at a position.
#[derive(Debug, PartialEq)]
pub enum Lookup {
    /// This item.
    Item(Item),
    /// Nothing yet.
    NotYet,
    /// The item was dropped; this is the position of the oldest one left.
    Dropped(u64),
}

/// The last items, by position: the first one ever received is at 0.
#[derive(Default)]
struct Ring {
    items: VecDeque<Item>,
    /// The position of the oldest item left.
    first: u64,
    bytes: usize,
}

impl ChannelBuffer {
    /// The buffer of this channel, shared by all of this process. It ends when it is dropped by its last owner.
    pub fn of(store: &Arc<Store>, channel: Bytes) -> Arc<Self> {
        let key = (Arc::as_ptr(store) as usize, channel);
        let Ok(buffer) = BUFFERS.get(&key, || {
            Ok::<_, Infallible>(Self {
                store: store.clone(),
                channel: key.1.clone(),
                subscription: OnceCell::new(),
                ring: Mutex::default(),
                consumers: Mutex::default(),
            })
        });
        buffer
    }

    /// Subscribes; returns once every message published from then on is received. Where the store might not report
    /// gaps, one is assumed every `refresh`.
    pub async fn open(self: &Arc<Self>, refresh: Option<Duration>) -> Result<()> {
        let open = async {
            let buffer = Arc::downgrade(self);
            let listener: MessageListener = Arc::new(move |heard| {
                if let Some(buffer) = buffer.upgrade() {
                    buffer.receive(match heard {
                        Delivery::Message(Message { payload, .. }) => Item::Message(payload),
                        Delivery::Gap(_) => Item::Gap,
                    });
                }
            });
            let number = self.store.subscribe(Topic::Channel(self.channel.clone()), listener).await?;
            if let Some(refresh) = refresh {
                tokio::spawn(assume_gaps(Arc::downgrade(self), refresh));
            }
            Ok(number)
        };
        self.subscription.get_or_try_init(|| open).await.map(|_| ())
    }

    /// Adds a consumer, for as long as it lives.
    pub fn add_consumer(&self, consumer: Weak<dyn Consumer>) {
        self.consumers.lock().push(consumer);
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The position of the next item to be received.
    pub fn end(&self) -> u64 {
        self.ring.lock().end()
    }

    /// The item at a position.
    pub fn at(&self, position: u64) -> Lookup {
        self.ring.lock().at(position)
    }

    /// The first result of `read` for the messages at or after a position.
    pub fn find<T>(&self, position: u64, read: impl Fn(&Bytes) -> Option<T>) -> Option<T> {
        let ring = self.ring.lock();
        let skip = position.saturating_sub(ring.first) as usize;
        ring.items.iter().skip(skip).find_map(|item| match item {
            Item::Message(text) => read(text),
            Item::Gap => None,
        })
    }

    fn receive(&self, item: Item) {
        self.ring.lock().push(item);
        let consumers: Vec<_> = {
            let mut consumers = self.consumers.lock();
            consumers.retain(|consumer| consumer.strong_count() > 0);
            consumers.iter().filter_map(Weak::upgrade).collect()
        };
        // Called outside the locks, since consumers read the ring.
        for consumer in consumers {
            consumer.advance();
        }
    }
}

impl Drop for ChannelBuffer {
    fn drop(&mut self) {
        if let Some(number) = self.subscription.get() {
            self.store.unsubscribe(*number);
        }
    }
}

impl Ring {
    fn push(&mut self, item: Item) {
        // A copy, because the original would retain the whole read buffer.
        let item = match item {
            Item::Message(text) => Item::Message(Bytes::copy_from_slice(&text)),
            Item::Gap => Item::Gap,
        };
        self.bytes += item.bytes();
        self.items.push_back(item);
        while self.items.len() > MOST_MESSAGES || self.bytes > MOST_BYTES && self.items.len() > 1 {
            let dropped = self.items.pop_front();
            self.bytes -= dropped.as_ref().map_or(0, Item::bytes);
            self.first += 1;
        }
    }

    fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    fn at(&self, position: u64) -> Lookup {
        match position.checked_sub(self.first).map(|offset| self.items.get(offset as usize)) {
            None => Lookup::Dropped(self.first),
            Some(None) => Lookup::NotYet,
            Some(Some(item)) => Lookup::Item(item.clone()),
        }
    }
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(text) => text.len(),
            Self::Gap => 0,
        }
    }
}

/// Reports a possible gap once in a while.
async fn assume_gaps(buffer: Weak<ChannelBuffer>, every: Duration) {
    loop {
        // With jitter, so that many processes do not read at the same moment. Nothing reports a lost message: this is the poll.
        sleep(every.mul_f64(0.75 + random::fraction() / 2.0)).await;
        let Some(buffer) = buffer.upgrade() else { return };
        buffer.receive(Item::Gap);
    }
}

/// Single flight: shares a request among callers that need the same at about the same time.
pub struct SingleFlight<K, T>(Mutex<Vec<InFlight<K, T>>>);

struct InFlight<K, T> {
    key: K,
    /// The position that the buffer had reached when the request was made.
    position: u64,
    result: Weak<OnceCell<Result<T>>>,
}

impl<K: PartialEq + Send, T: Clone + Send + Sync> SingleFlight<K, T> {
    /// With nothing in flight.
    pub fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The result of `request`, or of a request in flight for the same key that was made no earlier than at position
    /// `since`.
    pub async fn get<F: Future<Output = Result<T>>>(
        &self,
        key: K,
        since: u64,
        now: u64,
        request: impl FnOnce() -> F,
    ) -> Result<T> {
        let result = {
            let mut in_flight = self.0.lock();
            in_flight.retain(|in_flight| in_flight.result.strong_count() > 0);
            let same = in_flight.iter().find(|in_flight| in_flight.key == key && in_flight.position >= since);
            same.and_then(|in_flight| in_flight.result.upgrade()).unwrap_or_else(|| {
                let result = Arc::new(OnceCell::new());
                in_flight.push(InFlight { key, position: now, result: Arc::downgrade(&result) });
                result
            })
        };
        result.get_or_init(request).await.clone()
    }
}

/// Repeats a request until the store is available, or until `request` returns `None` because no caller needs the
/// result.
pub async fn retry_while_unavailable<T, F: Future<Output = Option<Result<T>>>>(
    mut request: impl FnMut() -> F,
) -> Option<Result<T>> {
    let mut wait = FIRST_WAIT;
    loop {
        match request().await? {
            Err(error) if error.is_unavailable() || matches!(error.kind, Kind::Auth | Kind::OutOfMemory) => {}
            result => return Some(result),
        }
        sleep(wait.mul_f64(0.5 + random::fraction() / 2.0)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Runs a task on the runtime's thread; may be called on any thread.
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = runtime::get() {
        runtime.spawn(task);
    }
}

/// The deadline of a call that begins now.
pub fn deadline_in(patience: Duration) -> Instant {
    Instant::now() + patience
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &'static str) -> Item {
        Item::Message(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_ring_keeps_positions_and_drops_the_oldest() {
        let mut ring = Ring::default();
        ring.push(message("a"));
        ring.push(Item::Gap);
        assert_eq!(
            [ring.at(0), ring.at(1), ring.at(2)],
            [Lookup::Item(message("a")), Lookup::Item(Item::Gap), Lookup::NotYet]
        );
        for _ in 0..MOST_MESSAGES {
            ring.push(message("b"));
        }
        assert_eq!((ring.end(), ring.items.len()), (MOST_MESSAGES as u64 + 2, MOST_MESSAGES));
        assert_eq!([ring.at(1), ring.at(2)], [Lookup::Dropped(2), Lookup::Item(message("b"))]);
        ring.push(Item::Message(vec![b'x'; MOST_BYTES + 1].into()));
        assert_eq!((ring.items.len(), ring.bytes), (1, MOST_BYTES + 1), "one alone is never too much");
        ring.push(message("c"));
        assert_eq!((ring.items.len(), ring.bytes), (1, 1));
    }

    #[tokio::test]
    async fn requests_made_late_enough_are_shared() {
        let shared = SingleFlight::new();
        let request = |result: u32| {
            move || async move {
                tokio::task::yield_now().await;
                Ok(result)
            }
        };
        let early = shared.get("a", 0, 5, request(1));
        let later = shared.get("a", 5, 7, request(2));
        let other = shared.get("b", 5, 7, request(3));
        let newer = shared.get("a", 6, 7, request(4));
        let results = tokio::join!(early, later, other, newer);
        assert_eq!([results.0, results.1, results.2, results.3].map(Result::unwrap), [1, 1, 3, 4]);
        assert_eq!(shared.get("a", 0, 9, request(5)).await.unwrap(), 5, "an result is not stored");
    }
}
