//! What is heard on one channel, kept for a while for all of this process who follow it.
//!
//! Each follower has a place of its own in it, so that a slow one costs no memory and delays nobody: one that falls out at the
//! end asks the store for what it has not seen.

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

/// What is kept of a channel: so many messages, and so many bytes.
const MOST_MESSAGES: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;
/// How soon what failed is tried again: first, and at the latest.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

static BUFFERS: Registry<(usize, Bytes), ChannelBuffer> = Registry::new();

/// One channel.
pub struct ChannelBuffer {
    store: Arc<Store>,
    channel: Bytes,
    /// The store's number of the subscription.
    subscription: OnceCell<u64>,
    ring: Mutex<Ring>,
    followers: Mutex<Vec<Weak<dyn Consumer>>>,
}

/// Who follows a channel.
pub trait Consumer: Send + Sync {
    /// There may be something new. Called from the thread that heard it, so it must not wait.
    fn advance(self: Arc<Self>);
}

/// Something heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// What was published.
    Message(Bytes),
    /// Something may be missing here.
    Lost,
}

/// What is at a place.
#[derive(Debug, PartialEq)]
pub enum Lookup {
    /// This.
    Item(Item),
    /// Nothing yet.
    Nothing,
    /// Nothing any more; the first that is left is at this place.
    Gone(u64),
}

/// The last items, by their places: the first ever heard is at 0.
#[derive(Default)]
struct Ring {
    items: VecDeque<Item>,
    /// The place of the first that is left.
    first: u64,
    bytes: usize,
}

impl ChannelBuffer {
    /// The process's own for this channel. It ends with its last holder.
    pub fn of(store: &Arc<Store>, channel: Bytes) -> Arc<Self> {
        let key = (Arc::as_ptr(store) as usize, channel);
        let Ok(feed) = BUFFERS.get(&key, || {
            Ok::<_, Infallible>(Self {
                store: store.clone(),
                channel: key.1.clone(),
                subscription: OnceCell::new(),
                ring: Mutex::default(),
                followers: Mutex::default(),
            })
        });
        feed
    }

    /// Answers when everything that is published from then on is heard. What may have been missed is looked after every
    /// `look`, where the store might not tell.
    pub async fn open(self: &Arc<Self>, look: Option<Duration>) -> Result<()> {
        let open = async {
            let feed = Arc::downgrade(self);
            let listener: MessageListener = Arc::new(move |heard| {
                if let Some(feed) = feed.upgrade() {
                    feed.hear(match heard {
                        Delivery::Message(Message { payload, .. }) => Item::Message(payload),
                        Delivery::Gap(_) => Item::Lost,
                    });
                }
            });
            let number = self.store.subscribe(Topic::Channel(self.channel.clone()), listener).await?;
            if let Some(look) = look {
                tokio::spawn(doubt(Arc::downgrade(self), look));
            }
            Ok(number)
        };
        self.subscription.get_or_try_init(|| open).await.map(|_| ())
    }

    /// Has somebody follow from now on for as long as it lives.
    pub fn follow(&self, follower: Weak<dyn Consumer>) {
        self.followers.lock().push(follower);
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The place of what will be heard next.
    pub fn end(&self) -> u64 {
        self.ring.lock().end()
    }

    /// What is at a place.
    pub fn at(&self, place: u64) -> Lookup {
        self.ring.lock().at(place)
    }

    /// The first that `look` finds in a message from a place on.
    pub fn find<T>(&self, place: u64, look: impl Fn(&Bytes) -> Option<T>) -> Option<T> {
        let ring = self.ring.lock();
        let skip = place.saturating_sub(ring.first) as usize;
        ring.items.iter().skip(skip).find_map(|item| match item {
            Item::Message(text) => look(text),
            Item::Lost => None,
        })
    }

    fn hear(&self, item: Item) {
        self.ring.lock().push(item);
        let followers: Vec<_> = {
            let mut followers = self.followers.lock();
            followers.retain(|follower| follower.strong_count() > 0);
            followers.iter().filter_map(Weak::upgrade).collect()
        };
        // Called outside the locks: they look into the ring.
        for follower in followers {
            follower.advance();
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
        // In memory of its own: it would otherwise hold all the bytes that were read along with it.
        let item = match item {
            Item::Message(text) => Item::Message(Bytes::copy_from_slice(&text)),
            Item::Lost => Item::Lost,
        };
        self.bytes += item.bytes();
        self.items.push_back(item);
        while self.items.len() > MOST_MESSAGES || self.bytes > MOST_BYTES && self.items.len() > 1 {
            let gone = self.items.pop_front();
            self.bytes -= gone.as_ref().map_or(0, Item::bytes);
            self.first += 1;
        }
    }

    fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    fn at(&self, place: u64) -> Lookup {
        match place.checked_sub(self.first).map(|offset| self.items.get(offset as usize)) {
            None => Lookup::Gone(self.first),
            Some(None) => Lookup::Nothing,
            Some(Some(item)) => Lookup::Item(item.clone()),
        }
    }
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(text) => text.len(),
            Self::Lost => 0,
        }
    }
}

/// Takes it for possible, once in a while, that something is missing.
async fn doubt(feed: Weak<ChannelBuffer>, every: Duration) {
    loop {
        sleep(every.mul_f64(0.75 + random::fraction() / 2.0)).await;
        let Some(feed) = feed.upgrade() else { return };
        feed.hear(Item::Lost);
    }
}

/// What several who ask at about the same time for the same may share.
pub struct SingleFlight<K, T>(Mutex<Vec<InFlight<K, T>>>);

struct InFlight<K, T> {
    what: K,
    /// The place that the feed had reached when it was asked.
    place: u64,
    answer: Weak<OnceCell<Result<T>>>,
}

impl<K: PartialEq + Send, T: Clone + Send + Sync> SingleFlight<K, T> {
    /// Nobody has asked.
    pub fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// What `ask` answers, or somebody else's that was asked for the same no earlier than at a place.
    pub async fn get<F: Future<Output = Result<T>>>(
        &self,
        what: K,
        since: u64,
        now: u64,
        ask: impl FnOnce() -> F,
    ) -> Result<T> {
        let answer = {
            let mut asked = self.0.lock();
            asked.retain(|asked| asked.answer.strong_count() > 0);
            let same = asked.iter().find(|asked| asked.what == what && asked.place >= since);
            same.and_then(|asked| asked.answer.upgrade()).unwrap_or_else(|| {
                let answer = Arc::new(OnceCell::new());
                asked.push(InFlight { what, place: now, answer: Arc::downgrade(&answer) });
                answer
            })
        };
        answer.get_or_init(ask).await.clone()
    }
}

/// Asks until the store has answered, or nobody wants to know any more: `ask` says so by `None`.
pub async fn retry_while_unavailable<T, F: Future<Output = Option<Result<T>>>>(
    mut ask: impl FnMut() -> F,
) -> Option<Result<T>> {
    let mut wait = FIRST_WAIT;
    loop {
        match ask().await? {
            Err(error) if error.is_unavailable() || matches!(error.kind, Kind::Auth | Kind::OutOfMemory) => {}
            answer => return Some(answer),
        }
        sleep(wait.mul_f64(0.5 + random::fraction() / 2.0)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Runs something on the runtime's thread, from whichever thread.
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = runtime::get() {
        runtime.spawn(task);
    }
}

/// When a call that begins now is late.
pub fn within(patience: Duration) -> Instant {
    Instant::now() + patience
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &'static str) -> Item {
        Item::Message(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_ring_keeps_places_and_forgets_the_oldest() {
        let mut ring = Ring::default();
        ring.push(message("a"));
        ring.push(Item::Lost);
        assert_eq!(
            [ring.at(0), ring.at(1), ring.at(2)],
            [Lookup::Item(message("a")), Lookup::Item(Item::Lost), Lookup::Nothing]
        );
        for _ in 0..MOST_MESSAGES {
            ring.push(message("b"));
        }
        assert_eq!((ring.end(), ring.items.len()), (MOST_MESSAGES as u64 + 2, MOST_MESSAGES));
        assert_eq!([ring.at(1), ring.at(2)], [Lookup::Gone(2), Lookup::Item(message("b"))]);
        ring.push(Item::Message(vec![b'x'; MOST_BYTES + 1].into()));
        assert_eq!((ring.items.len(), ring.bytes), (1, MOST_BYTES + 1), "one alone is never too much");
        ring.push(message("c"));
        assert_eq!((ring.items.len(), ring.bytes), (1, 1));
    }

    #[tokio::test]
    async fn what_was_asked_early_enough_is_shared() {
        let shared = SingleFlight::new();
        let ask = |answer: u32| {
            move || async move {
                tokio::task::yield_now().await;
                Ok(answer)
            }
        };
        let early = shared.get("a", 0, 5, ask(1));
        let later = shared.get("a", 5, 7, ask(2));
        let other = shared.get("b", 5, 7, ask(3));
        let newer = shared.get("a", 6, 7, ask(4));
        let answers = tokio::join!(early, later, other, newer);
        assert_eq!([answers.0, answers.1, answers.2, answers.3].map(Result::unwrap), [1, 1, 3, 4]);
        assert_eq!(shared.get("a", 0, 9, ask(5)).await.unwrap(), 5, "an answer is not kept");
    }
}
