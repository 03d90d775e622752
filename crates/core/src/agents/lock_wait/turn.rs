//! Waits for locks in the order in which callers asked for them, those of other processes too.
//!
//! The store has a queue for each lock, in which a caller is entered by its first attempt. It asks again when a message names its token as the
//! next one, when what is before it expires, and every two seconds, which also renews its entry.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{
    Delivery, MessageListener, Topic,
    error::{Error, Kind, Result},
};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    super::{lock_keeper::Grant, subscription::ChannelSubscription},
    ATTEMPT, Deadline, RECHECK_SOON, Wanted, leave, with_jitter,
};
use crate::{
    features::lock::{Attempt, Locks},
    store::{Registry, Store},
};

/// How often a caller asks although nothing was published, with jitter: so that its entry does not expire.
const RECHECK: Duration = Duration::from_secs(2);

/// By the address of their store and the channel of their lock.
static LISTENERS: Registry<(usize, Bytes), TurnListener> = Registry::new();

/// The callers of this process that wait for their turn with one lock.
struct TurnListener {
    callers: Arc<Callers>,
    _subscription: ChannelSubscription,
}

#[derive(Default)]
struct Callers {
    /// How each is woken, by its token.
    woken: Mutex<HashMap<Bytes, Arc<Notify>>>,
    /// Whether messages are received.
    is_subscribed: AtomicBool,
}

impl Callers {
    fn wake(&self, token: &Bytes) {
        if let Some(caller) = self.woken.lock().get(token) {
            caller.notify_one();
        }
    }

    fn wake_all(&self) {
        self.woken.lock().values().for_each(|caller| caller.notify_one());
    }
}

impl TurnListener {
    fn shared(store: &Arc<Store>, channel: Bytes) -> Arc<Self> {
        let key = (Arc::as_ptr(store).addr(), channel);
        let make = || Ok::<_, Infallible>(Self::new(store.clone(), key.1.clone()));
        let Ok(listener) = LISTENERS.get(&key, make);
        listener
    }

    fn new(store: Arc<Store>, channel: Bytes) -> Self {
        let callers = Arc::<Callers>::default();
        let (hearing, begun) = (callers.clone(), callers.clone());
        let listener: MessageListener = Arc::new(move |delivery| match delivery {
            Delivery::Message(message) if !message.payload.is_empty() => hearing.wake(&message.payload),
            _ => hearing.wake_all(),
        });
        let subscription = ChannelSubscription::of(store, Topic::Channel(channel), listener, move || {
            begun.is_subscribed.store(true, Ordering::Relaxed);
            begun.wake_all();
        });
        Self { callers, _subscription: subscription }
    }
}

/// A caller that waits for its turn.
pub struct Turn {
    store: Arc<Store>,
    locks: Arc<Locks>,
    wanted: Wanted,
    deadline: Deadline,
    woken: Arc<Notify>,
    listener: Option<Arc<TurnListener>>,
    /// The attempt in flight, and when it began.
    attempt: Option<(JoinHandle<Result<Attempt>>, Instant)>,
    /// Why the last attempt failed, if it did because the store was unavailable. It may have been applied.
    failure: Option<Error>,
    /// How long the last attempt with a reply took.
    round_trip: Duration,
    has_lock: bool,
}

impl Turn {
    /// Begins to wait for the lock until `deadline`; the caller has been entered.
    pub fn begin(store: &Arc<Store>, locks: &Arc<Locks>, wanted: Wanted, deadline: Deadline) -> Self {
        Self {
            store: store.clone(),
            locks: locks.clone(),
            wanted,
            deadline,
            woken: Arc::default(),
            listener: None,
            attempt: None,
            failure: None,
            round_trip: Duration::ZERO,
            has_lock: false,
        }
    }

    /// Waits until the lock is acquired; `None` if it is not this caller's turn by the deadline.
    ///
    /// # Errors
    /// Those of the arguments and the store: at once if they would not pass by themselves, otherwise at the deadline, if the last attempt
    /// failed.
    pub async fn granted(&mut self) -> Result<Option<Grant>> {
        let woken = self.woken.clone();
        // Its turn may have come before it listened.
        let mut due = Instant::now();
        if !self.listen()? {
            due += RECHECK_SOON;
        }
        loop {
            tokio::select! {
                () = woken.notified() => {}
                () = sleep_until(due.min(self.deadline.at)) => {}
            }
            let requested = Instant::now();
            if requested >= self.deadline.at {
                return self.at_deadline();
            }
            let recheck = match self.ask(requested).await {
                None => return self.at_deadline(),
                Some(Ok(Attempt::Acquired(fence))) => {
                    self.has_lock = true;
                    return Ok(Some(self.wanted.clone().granted(fence, requested)));
                }
                Some(Ok(Attempt::Held(left))) => {
                    self.failure = None;
                    self.round_trip = requested.elapsed();
                    let left = if left.is_zero() { RECHECK_SOON } else { left + Duration::from_millis(1) };
                    left.min(with_jitter(if self.listen()? { RECHECK } else { RECHECK_SOON }))
                }
                Some(Err(error)) if error.kind.is_unavailable() => {
                    self.failure = Some(error);
                    with_jitter(RECHECK_SOON)
                }
                Some(Err(error)) => return Err(error),
            };
            due = self.next_attempt(requested, recheck);
        }
    }

    /// Asks for the lock; `None` if there is no reply by the deadline.
    async fn ask(&mut self, requested: Instant) -> Option<Result<Attempt>> {
        let call = match self.locks.attempt_in_turn(&self.wanted.resource, &self.wanted.token, self.wanted.ttl) {
            Ok(call) => call,
            Err(error) => return Some(Err(error)),
        };
        let store = self.store.clone();
        // It is never cancelled, so that its outcome is known when the caller leaves.
        let attempt = tokio::spawn(async move { store.call(call, requested + ATTEMPT).await });
        let (attempt, _) = self.attempt.insert((attempt, requested));
        let result = timeout_at(self.deadline.at, attempt).await.ok()?;
        self.attempt = None;
        Some(result.unwrap_or_else(|_| Err(Error::new(Kind::Internal, "an attempt to acquire a lock ended early"))))
    }

    /// Listens for its turn from now on; returns whether messages are received.
    fn listen(&mut self) -> Result<bool> {
        let callers = match &self.listener {
            Some(listener) => &listener.callers,
            None => {
                let listener = TurnListener::shared(&self.store, self.locks.free_channel(&self.wanted.resource)?);
                listener.callers.woken.lock().insert(self.token(), self.woken.clone());
                &self.listener.insert(listener).callers
            }
        };
        Ok(callers.is_subscribed.load(Ordering::Relaxed))
    }

    fn token(&self) -> Bytes {
        Bytes::copy_from_slice(self.wanted.token.as_bytes())
    }

    fn next_attempt(&self, last: Instant, recheck: Duration) -> Instant {
        (Instant::now() + recheck).min(self.deadline.last_attempt(last).unwrap_or(self.deadline.at))
    }

    fn at_deadline(&self) -> Result<Option<Grant>> {
        let began = self.attempt.as_ref().map(|(_, began)| *began);
        let failure = self.failure.clone().or_else(|| self.deadline.silence(began, self.round_trip));
        failure.map_or(Ok(None), Err)
    }

    /// Waits no more. Completes when nothing of it is left in the store, nor a lock that it was given meanwhile.
    pub async fn leave(mut self) {
        if let Some(listener) = self.listener.take() {
            listener.callers.woken.lock().remove(&self.token());
        }
        if self.has_lock {
            return;
        }
        let is_in_doubt = match self.attempt.take() {
            Some((attempt, _)) => !matches!(attempt.await, Ok(Ok(Attempt::Held(_)))),
            None => self.failure.is_some(),
        };
        leave(&self.store, &self.locks, self.wanted, is_in_doubt).await;
    }
}
