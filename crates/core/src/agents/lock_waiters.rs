//! Waits for locks that other callers hold.
//!
//! The callers of this process that wait for one lock form a queue, of which only the first asks the store: when a message says that the lock
//! was released, when its ttl has ended, and every few seconds, in case the message was lost. It subscribes before it first asks, so that no
//! release is missed in between. The first of another process may be faster.

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
    random, runtime,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::{lock_keeper::Grant, lock_release, subscription::ChannelSubscription};
use crate::{
    features::lock::{Attempt, Locks},
    store::Store,
};

/// How often the first caller asks although nothing was published, with jitter.
const RECHECK: Duration = Duration::from_secs(5);
/// The same without a subscription, after a failure, and for a lock whose ttl should have ended.
const RECHECK_SOON: Duration = Duration::from_millis(100);
/// How long the first caller waits for the subscription, which a server may not allow.
const SUBSCRIBING: Duration = Duration::from_millis(500);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(2);

/// The queues of this process, by the address of their store and the channel of their lock.
static QUEUES: LazyLock<Mutex<HashMap<(usize, Bytes), Queue>>> = LazyLock::new(Mutex::default);

struct Queue {
    waiters: VecDeque<Waiter>,
    wake: Arc<Notify>,
}

/// A lock that is waited for.
#[derive(Clone)]
pub struct Wanted {
    /// What it locks.
    pub resource: String,
    /// The token that is to hold it.
    pub token: String,
    /// For how long it is to be acquired.
    pub ttl: Duration,
    /// How long it is to be renewed.
    pub max_hold: Duration,
}

struct Waiter {
    wanted: Wanted,
    done: oneshot::Sender<Result<Unclaimed>>,
}

/// A lock that was acquired for a caller. Unless the caller takes it, it is released: the caller may go at any moment.
struct Unclaimed {
    grant: Option<Grant>,
    store: Arc<Store>,
    locks: Arc<Locks>,
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        let Some(Grant { resource, token, life, .. }) = self.grant.take() else { return };
        let locks = self.locks.clone();
        lock_release::retry_until_released(&self.store, life, move || locks.release(&resource, &token));
    }
}

/// Wakes the queue when its caller has gone.
struct WakeOnDrop {
    wake: Arc<Notify>,
    waits: bool,
}

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        if self.waits {
            self.wake.notify_one();
        }
    }
}

/// Waits until the lock is acquired; `None` if it is not by the deadline. If the future is dropped, the lock is not acquired, or released again.
///
/// # Errors
/// Those of the store that would not pass by themselves.
pub async fn wait(store: &Arc<Store>, locks: &Arc<Locks>, wanted: Wanted, deadline: Instant) -> Result<Option<Grant>> {
    let runtime = runtime::get()?;
    let key = (Arc::as_ptr(store).addr(), locks.free_channel(&wanted.resource)?);
    let (done, is_done) = oneshot::channel();
    let waiter = Waiter { wanted, done };
    let wake = {
        let mut queues = QUEUES.lock();
        let queue = queues.entry(key.clone()).or_insert_with(|| {
            let wake = Arc::<Notify>::default();
            runtime.spawn(run(store.clone(), locks.clone(), key, wake.clone()));
            Queue { waiters: VecDeque::new(), wake }
        });
        queue.waiters.push_back(waiter);
        queue.wake.clone()
    };
    wake.notify_one();
    let mut guard = WakeOnDrop { wake, waits: true };
    let Ok(result) = timeout_at(deadline, is_done).await else { return Ok(None) };
    guard.waits = false;
    let result = result.unwrap_or_else(|_| Err(Error::new(Kind::Internal, "a waiting caller was never notified")));
    result.map(|mut unclaimed| unclaimed.grant.take())
}

type Key = (usize, Bytes);

/// Serves a queue until no caller waits in it.
async fn run(store: Arc<Store>, locks: Arc<Locks>, key: Key, wake: Arc<Notify>) {
    let begun = Arc::new(AtomicBool::new(false));
    let _subscription = subscribe(&store, &key, &wake, &begun).await;
    // What the store knows as waiting, and whether an attempt for it had an unknown outcome.
    let mut entered: Option<(Wanted, bool)> = None;
    loop {
        let first = first(&key);
        let has_gone = |entered: &mut (Wanted, bool)| first.as_ref().is_none_or(|first| first.token != entered.0.token);
        if let Some((gone, in_doubt)) = entered.take_if(has_gone) {
            leave(&store, &locks, gone, in_doubt).await;
        }
        let Some(wanted) = first else {
            if end(&key) {
                return;
            }
            continue;
        };
        let mut notified = pin!(wake.notified());
        notified.as_mut().enable();
        let requested = Instant::now();
        let result = match locks.attempt(&wanted.resource, &wanted.token, wanted.ttl) {
            Ok(call) => store.call(call, requested + ATTEMPT).await,
            Err(error) => Err(error),
        };
        let recheck = match result {
            Ok(Attempt::Acquired(fence)) => {
                entered = None;
                settle(&store, &locks, &key, wanted, Ok((fence, requested)));
                continue;
            }
            Ok(Attempt::Held(left)) => {
                entered = Some((wanted, false));
                let left = if left.is_zero() { RECHECK_SOON } else { left + Duration::from_millis(1) };
                if begun.load(Ordering::Relaxed) { left.min(with_jitter(RECHECK)) } else { with_jitter(RECHECK_SOON) }
            }
            Err(error) if error.kind.is_unavailable() => {
                // It may have been entered, or have acquired the lock: the next attempt finds out.
                entered = Some((wanted, true));
                with_jitter(RECHECK_SOON)
            }
            Err(error) => {
                entered = Some((wanted.clone(), false));
                settle(&store, &locks, &key, wanted, Err(error));
                continue;
            }
        };
        tokio::select! {
            () = notified => {}
            () = sleep_until(Instant::now() + recheck) => {}
        }
    }
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

/// Removes a caller that has gone from the store, and the lock that it may have acquired.
async fn leave(store: &Arc<Store>, locks: &Arc<Locks>, gone: Wanted, in_doubt: bool) {
    let Wanted { resource, token, ttl, .. } = gone;
    if let Ok(call) = locks.stop_waiting(&resource, &token) {
        let _ = store.call(call, Instant::now() + ATTEMPT).await;
    }
    if in_doubt {
        let locks = locks.clone();
        lock_release::retry_until_released(store, ttl, move || locks.release(&resource, &token));
    }
}

/// Removes callers that have gone. Returns what the first of the others wants.
fn first(key: &Key) -> Option<Wanted> {
    let mut queues = QUEUES.lock();
    let waiters = &mut queues.get_mut(key)?.waiters;
    waiters.retain(|waiter| !waiter.done.is_closed());
    Some(waiters.front()?.wanted.clone())
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
fn settle(store: &Arc<Store>, locks: &Arc<Locks>, key: &Key, wanted: Wanted, outcome: Result<(u64, Instant)>) {
    let waiter = QUEUES.lock().get_mut(key).and_then(|queue| queue.waiters.pop_front());
    let Wanted { resource, token, ttl, max_hold } = wanted;
    let outcome = outcome.map(|(fence, requested)| {
        let grant = Some(Grant { resource, token, fence, requested, life: ttl, max_hold });
        Unclaimed { grant, store: store.clone(), locks: locks.clone() }
    });
    if let Some(waiter) = waiter {
        let _ = waiter.done.send(outcome);
    }
}

fn with_jitter(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + random::fraction() / 2.0)
}
