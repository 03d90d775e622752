//! The callers of this process that wait for locks.
//!
//! Those that wait for one lock form a queue, of which only the first asks the store: when a message says that the lock
//! was released, when its ttl has ended, every few seconds, in case the message was lost, and shortly before a caller's deadline, which then
//! learns whether the store is still there. It subscribes before it first asks, so that no release is missed in between. The first of
//! another process may be faster.

use std::{
    collections::{HashMap, VecDeque},
    pin::pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{
    MessageListener, Topic,
    error::{Error, Kind, Result},
    runtime,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::{
    super::{doubtful_release, lock_keeper::Grant, subscription::ChannelSubscription},
    ATTEMPT, Deadline, RECHECK_SOON, Wanted, leave, with_jitter,
};
use crate::{
    features::lock::{Attempt, Locks},
    store::Store,
};

/// How often the first caller asks although nothing was published, with jitter.
const RECHECK: Duration = Duration::from_secs(5);
/// How long the first caller waits for the subscription, which a server may not allow.
const SUBSCRIBING: Duration = Duration::from_millis(500);
/// The queues of this process, by the address of their store and the channel of their lock.
static QUEUES: LazyLock<Mutex<HashMap<(usize, Bytes), Queue>>> = LazyLock::new(Mutex::default);

struct Queue {
    waiters: VecDeque<Waiter>,
    wake: Arc<Notify>,
    /// Why the last attempt failed, if it did because the store was unavailable.
    failure: Option<Error>,
    /// When the attempt in flight began.
    asking: Option<Instant>,
    /// How long the last attempt with a reply took.
    round_trip: Duration,
}

/// Dropped by all who have it once nothing of a caller that waited is left in the store.
type Stay = Arc<oneshot::Sender<()>>;

struct Waiter {
    wanted: Wanted,
    deadline: Deadline,
    done: oneshot::Sender<Result<Unclaimed>>,
    stay: Stay,
}

/// A lock that was acquired for a caller. Unless the caller takes it, it is released: the caller may go at any moment.
struct Unclaimed {
    grant: Option<Grant>,
    store: Arc<Store>,
    locks: Arc<Locks>,
}

impl Unclaimed {
    async fn release(mut self) {
        let Some(grant) = &self.grant else { return };
        let Ok(call) = self.locks.release(&grant.resource, &grant.token) else { return };
        if self.store.call(call, Instant::now() + ATTEMPT).await.is_ok() {
            self.grant = None;
        }
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        let Some(Grant { resource, token, life, .. }) = self.grant.take() else { return };
        let locks = self.locks.clone();
        doubtful_release::retry_until_released(&self.store, life, move || locks.release(&resource, &token));
    }
}

/// A caller that waits in a queue until it gets the lock or leaves.
pub struct Waiting {
    key: Key,
    deadline: Deadline,
    is_done: oneshot::Receiver<Result<Unclaimed>>,
    has_left: oneshot::Receiver<()>,
    wake: Arc<Notify>,
}

/// Whether a caller of this process waits for the lock.
pub fn is_waited_for(store: &Arc<Store>, locks: &Locks, resource: &str) -> bool {
    let Ok(channel) = locks.free_channel(resource) else { return false };
    let queues = QUEUES.lock();
    let queue = queues.get(&(Arc::as_ptr(store).addr(), channel));
    queue.is_some_and(|queue| queue.waiters.iter().any(|waiter| !waiter.done.is_closed()))
}

impl Waiting {
    /// Begins to wait for the lock until `deadline`, behind those of this process that wait already.
    ///
    /// # Errors
    /// Those of the arguments, and of the runtime.
    pub fn begin(store: &Arc<Store>, locks: &Arc<Locks>, wanted: Wanted, deadline: Deadline) -> Result<Self> {
        let runtime = runtime::get()?;
        let key = (Arc::as_ptr(store).addr(), locks.free_channel(&wanted.resource)?);
        let ((done, is_done), (stay, has_left)) = (oneshot::channel(), oneshot::channel());
        let waiter = Waiter { wanted, deadline, done, stay: Arc::new(stay) };
        let mut queues = QUEUES.lock();
        let queue = queues.entry(key.clone()).or_insert_with(|| {
            let wake = Arc::<Notify>::default();
            runtime.spawn(run(store.clone(), locks.clone(), key.clone(), wake.clone()));
            Queue { waiters: VecDeque::new(), wake, failure: None, asking: None, round_trip: Duration::ZERO }
        });
        queue.waiters.push_back(waiter);
        let wake = queue.wake.clone();
        drop(queues);
        wake.notify_one();
        Ok(Self { key, deadline, is_done, has_left, wake })
    }

    /// Waits until the lock is acquired; `None` if another caller still has it at the deadline.
    ///
    /// # Errors
    /// Those of the store: at once if they would not pass by themselves, otherwise at the deadline, if the last attempt failed.
    pub async fn granted(&mut self) -> Result<Option<Grant>> {
        let Ok(result) = timeout_at(self.deadline.at, &mut self.is_done).await else {
            let queues = QUEUES.lock();
            let failure_of =
                |queue: &Queue| queue.failure.clone().or_else(|| self.deadline.silence(queue.asking, queue.round_trip));
            let failure = queues.get(&self.key).and_then(failure_of);
            return failure.map_or(Ok(None), Err);
        };
        let result = result.unwrap_or_else(|_| Err(Error::new(Kind::Internal, "a waiting caller was never notified")));
        result.map(|mut unclaimed| unclaimed.grant.take())
    }

    /// Waits no more. Completes when nothing of it is left in the store, nor a lock that it was given meanwhile.
    pub async fn leave(mut self) {
        self.is_done.close();
        if let Ok(Ok(unclaimed)) = self.is_done.try_recv() {
            unclaimed.release().await;
        }
        self.wake.notify_one();
        let _ = (&mut self.has_left).await;
    }
}

// Its queue goes on without it.
impl Drop for Waiting {
    fn drop(&mut self) {
        self.is_done.close();
        self.wake.notify_one();
    }
}

/// The first of a queue, as the store may know it.
struct Entered {
    wanted: Wanted,
    /// Whether an attempt for it had an unknown outcome.
    in_doubt: bool,
    _stay: Stay,
}

type Key = (usize, Bytes);

/// Serves a queue until no caller waits in it.
async fn run(store: Arc<Store>, locks: Arc<Locks>, key: Key, wake: Arc<Notify>) {
    let begun = Arc::new(AtomicBool::new(false));
    let _subscription = subscribe(&store, &key, &wake, &begun).await;
    let mut entered: Option<Entered> = None;
    loop {
        let first = first(&key);
        let has_gone = |entered: &mut Entered| first.as_ref().is_none_or(|(it, _)| it.token != entered.wanted.token);
        if let Some(gone) = entered.take_if(has_gone) {
            let Entered { wanted, in_doubt, _stay } = gone;
            leave(&store, &locks, wanted, in_doubt).await;
        }
        let Some((wanted, stay)) = first else {
            if end(&key) {
                return;
            }
            continue;
        };
        let mut notified = pin!(wake.notified());
        notified.as_mut().enable();
        let requested = Instant::now();
        note_attempt(&key, requested);
        let result = match locks.attempt(&wanted.resource, &wanted.token, wanted.ttl) {
            Ok(call) => store.call(call, requested + ATTEMPT).await,
            Err(error) => Err(error),
        };
        let failure = result.as_ref().err().filter(|error| error.kind.is_unavailable()).cloned();
        let last_attempt = note_result(&key, failure, requested);
        let recheck = match result {
            Ok(Attempt::Acquired(fence)) => {
                entered = None;
                settle(&store, &locks, &key, wanted, Ok((fence, requested))).await;
                continue;
            }
            Ok(Attempt::Held(left)) => {
                entered = Some(Entered { wanted, in_doubt: false, _stay: stay });
                let left = if left.is_zero() { RECHECK_SOON } else { left + Duration::from_millis(1) };
                if begun.load(Ordering::Relaxed) { left.min(with_jitter(RECHECK)) } else { with_jitter(RECHECK_SOON) }
            }
            Err(error) if error.kind.is_unavailable() => {
                // It may have been entered, or have acquired the lock: the next attempt finds out.
                entered = Some(Entered { wanted, in_doubt: true, _stay: stay });
                with_jitter(RECHECK_SOON)
            }
            Err(error) => {
                entered = Some(Entered { wanted: wanted.clone(), in_doubt: false, _stay: stay });
                settle(&store, &locks, &key, wanted, Err(error)).await;
                continue;
            }
        };
        let recheck = Instant::now() + recheck;
        tokio::select! {
            () = notified => {}
            () = sleep_until(last_attempt.map_or(recheck, |due| due.min(recheck))) => {}
        }
    }
}

fn note_attempt(key: &Key, began: Instant) {
    if let Some(queue) = QUEUES.lock().get_mut(key) {
        queue.asking = Some(began);
    }
}

/// Returns when the last attempt for the next caller is due.
fn note_result(key: &Key, failure: Option<Error>, began: Instant) -> Option<Instant> {
    let mut queues = QUEUES.lock();
    let queue = queues.get_mut(key)?;
    if failure.is_none() {
        queue.round_trip = began.elapsed();
    }
    queue.failure = failure;
    queue.asking = None;
    queue.waiters.iter().filter_map(|waiter| waiter.deadline.last_attempt(began)).min()
}

async fn subscribe(store: &Arc<Store>, key: &Key, wake: &Arc<Notify>, begun: &Arc<AtomicBool>) -> ChannelSubscription {
    let waking = wake.clone();
    let listener: MessageListener = Arc::new(move |_| waking.notify_one());
    let (subscribed, is_subscribed) = oneshot::channel();
    let (begun, wake) = (begun.clone(), wake.clone());
    let subscription = ChannelSubscription::of(store.clone(), Topic::Channel(key.1.clone()), listener, move || {
        begun.store(true, Ordering::Relaxed);
        let _ = subscribed.send(());
        wake.notify_one();
    });
    let _ = timeout(SUBSCRIBING, is_subscribed).await;
    subscription
}

/// Removes callers that have gone. Returns what the first of the others wants.
fn first(key: &Key) -> Option<(Wanted, Stay)> {
    let mut queues = QUEUES.lock();
    let waiters = &mut queues.get_mut(key)?.waiters;
    waiters.retain(|waiter| !waiter.done.is_closed());
    waiters.front().map(|waiter| (waiter.wanted.clone(), waiter.stay.clone()))
}

/// Removes the queue if no caller waits in it; returns whether it did.
fn end(key: &Key) -> bool {
    let mut queues = QUEUES.lock();
    let is_empty = queues.get(key).is_none_or(|queue| queue.waiters.is_empty());
    if is_empty {
        queues.remove(key);
    }
    is_empty
}

/// Gives its first caller the lock, or an error.
async fn settle(store: &Arc<Store>, locks: &Arc<Locks>, key: &Key, wanted: Wanted, outcome: Result<(u64, Instant)>) {
    let waiter = QUEUES.lock().get_mut(key).and_then(|queue| queue.waiters.pop_front());
    let outcome = outcome.map(|(fence, requested)| {
        let grant = Some(wanted.granted(fence, requested));
        Unclaimed { grant, store: store.clone(), locks: locks.clone() }
    });
    let Some(Waiter { done, stay, .. }) = waiter else { return };
    if let Err(Ok(unclaimed)) = done.send(outcome) {
        unclaimed.release().await;
    }
    drop(stay);
}
