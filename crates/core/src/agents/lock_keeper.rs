//! Renews locks for as long as their callers hold them, and notices when one is lost, however busy JavaScript is.
//!
//! There is one keeper for each store and prefix. Its task renews what is due in one batch, and runs while there are locks. A renewal
//! extends the lock only if the token still holds it, and never creates it again.

mod lock_state;

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use cinnabar_port::{Call, Event, EventKind, error::Result, runtime};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use self::lock_state::LockState;
use crate::{
    features::lock::Locks,
    store::{Registry, Store},
};

/// The longest that one renewal may take, and the shortest that it is given.
const MAX_PATIENCE: Duration = Duration::from_secs(5);
const MIN_PATIENCE: Duration = Duration::from_millis(50);
/// Renewals that are due this much later are made together with those that are due.
const TOGETHER: Duration = Duration::from_millis(5);
/// The longest pause of a keeper that is not woken.
const MAX_PAUSE: Duration = Duration::from_secs(60);

static KEEPERS: Registry<(usize, String), LockKeeper> = Registry::new();

/// The locks of this process on one store.
pub struct LockKeeper {
    store: Arc<Store>,
    locks: Arc<Locks>,
    state: Mutex<State>,
    wake: Arc<Notify>,
}

#[derive(Default)]
struct State {
    held: Vec<Arc<RenewedLock>>,
    running: bool,
}

/// What is called once when a lock is lost.
type Notification = Box<dyn FnOnce() + Send>;

/// A lock that is being renewed, with the ttl that it gets.
type Renewal = (Arc<RenewedLock>, Duration);

/// A lock that is renewed until it is released or lost.
pub struct RenewedLock {
    /// What it locks.
    pub resource: String,
    /// The token that holds it.
    pub token: String,
    /// Its fencing token.
    pub fence: u64,
    store: Weak<Store>,
    lock: Mutex<LockState>,
    notify: Mutex<Option<Notification>>,
    wake: Arc<Notify>,
    over: Notify,
}

/// What a lock was acquired with.
pub struct Grant {
    /// What it locks.
    pub resource: String,
    /// The token that holds it.
    pub token: String,
    /// Its fencing token.
    pub fence: u64,
    /// When it was requested.
    pub requested: Instant,
    /// For how long it was acquired, and is extended each time.
    pub life: Duration,
    /// How long it is renewed.
    pub max_hold: Duration,
    /// How old the last heartbeat of its holder may be for it to be renewed, if it needs any.
    pub heartbeat: Option<Duration>,
}

impl LockKeeper {
    /// Returns the keeper for these locks on this store.
    pub fn shared(store: &Arc<Store>, locks: &Arc<Locks>) -> Arc<Self> {
        let key = (Arc::as_ptr(store) as usize, locks.prefix().to_owned());
        let make = || Ok::<_, std::convert::Infallible>(Self::new(store.clone(), locks.clone()));
        let Ok(keeper) = KEEPERS.get(&key, make);
        keeper
    }

    fn new(store: Arc<Store>, locks: Arc<Locks>) -> Self {
        Self { store, locks, state: Mutex::default(), wake: Arc::default() }
    }

    /// Renews a lock that was acquired, from now on.
    ///
    /// # Errors
    /// Those of the runtime, if it cannot be started.
    pub fn keep(self: &Arc<Self>, grant: Grant) -> Result<Arc<RenewedLock>> {
        let runtime = runtime::get()?;
        let Grant { resource, token, fence, requested, life, max_hold, heartbeat } = grant;
        let lock = Mutex::new(LockState::new(requested, life.min(max_hold), requested + max_hold, heartbeat));
        let (wake, over) = (self.wake.clone(), Notify::new());
        let store = Arc::downgrade(&self.store);
        let kept = Arc::new(RenewedLock { resource, token, fence, store, lock, notify: Mutex::default(), wake, over });
        let mut state = self.state.lock();
        state.held.push(kept.clone());
        if !std::mem::replace(&mut state.running, true) {
            runtime.spawn(run(self.clone()));
        }
        drop(state);
        self.wake.notify_one();
        Ok(kept)
    }

    /// Loses what is late and renews what is due. Returns when something is next, at the latest; `None` if no lock is held.
    fn turn(self: &Arc<Self>) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let late: Vec<_> = state.held.iter().filter(|kept| kept.lock.lock().lose_if_late(now)).cloned().collect();
        state.held.retain(|kept| !kept.lock.lock().is_over());
        let due = |kept: &Arc<RenewedLock>| Some((kept.clone(), kept.lock.lock().begin_renewal(now + TOGETHER)?));
        let due: Vec<_> = state.held.iter().filter_map(due).collect();
        let next = state.held.iter().filter_map(|kept| kept.lock.lock().next_event()).min();
        state.running = !state.held.is_empty();
        // The end of a release in doubt wakes the keeper.
        let next = state.running.then(|| next.unwrap_or(now + MAX_PAUSE));
        drop(state);
        late.iter().for_each(|kept| kept.report_lost());
        if !due.is_empty() {
            tokio::spawn(self.clone().renew(due));
        }
        next
    }

    async fn renew(self: Arc<Self>, due: Vec<Renewal>) {
        let requested = Instant::now();
        let patience = due.iter().map(|(_, ttl)| *ttl / 4).min().unwrap_or_default().clamp(MIN_PATIENCE, MAX_PATIENCE);
        let mut calls = Vec::with_capacity(due.len());
        for (kept, ttl) in due {
            match self.locks.extend(&kept.resource, &kept.token, ttl.as_secs_f64()) {
                Ok(call) => calls.push((call, (kept, ttl))),
                Err(_) => kept.lose(),
            }
        }
        let settle = |done: Vec<(Result<bool>, Renewal)>| {
            let now = Instant::now();
            for (renewed, (kept, ttl)) in done {
                let was_lost = kept.lock.lock().renewed(requested, ttl, renewed.ok(), now);
                if was_lost {
                    kept.report_lost();
                }
            }
        };
        self.store.run(calls, requested + patience, settle).await;
        self.wake.notify_one();
    }
}

async fn run(keeper: Arc<LockKeeper>) {
    let wake = keeper.wake.clone();
    while let Some(next) = keeper.turn() {
        tokio::select! {
            () = sleep_until(next) => {}
            () = wake.notified() => {}
        }
    }
}

impl RenewedLock {
    /// Whether no other caller can have it yet, by this process's clock.
    pub fn is_valid(&self) -> bool {
        self.lock.lock().is_valid(Instant::now())
    }

    /// Whether it has been lost.
    pub fn is_lost(&self) -> bool {
        let late = self.lock.lock().lose_if_late(Instant::now());
        if late {
            self.report_lost();
        }
        self.lock.lock().is_lost()
    }

    /// Calls `notify` once it is lost, perhaps at once.
    pub fn when_lost(&self, notify: impl FnOnce() + Send + 'static) {
        *self.notify.lock() = Some(Box::new(notify));
        if self.is_lost() {
            self.end();
        }
    }

    /// Its caller releases it, or has done so in another way.
    pub fn begin_release(&self) {
        self.lock.lock().release();
        self.over.notify_one();
        self.wake.notify_one();
    }

    /// Its caller releases it in another way: until `end_release_in_doubt` it is neither renewed nor lost.
    pub fn begin_release_in_doubt(&self) {
        self.lock.lock().begin_release_in_doubt();
    }

    /// Ends that: whether the store released the lock, `None` if that is unknown.
    pub fn end_release_in_doubt(&self, released: Option<bool>) {
        let was_lost = self.lock.lock().end_release_in_doubt(released);
        if was_lost {
            self.report_lost();
        } else if released == Some(true) {
            self.begin_release();
        }
        self.wake.notify_one();
    }

    /// A heartbeat of its holder. Returns false once it is released or lost.
    pub fn beat(&self) -> bool {
        let mut lock = self.lock.lock();
        lock.beat(Instant::now());
        self.wake.notify_one();
        !lock.is_over()
    }

    /// Whether its life may be over.
    pub fn is_expired(&self) -> bool {
        self.lock.lock().is_expired(Instant::now())
    }

    /// The remaining life.
    pub fn left(&self) -> Duration {
        self.lock.lock().left(Instant::now())
    }

    /// Returns the call that extends it to this ttl, which becomes its life. It is not renewed until that has ended.
    pub fn following(self: &Arc<Self>, extension: Call<bool>, ttl: Duration) -> Call<bool> {
        let (pending, kept) = (self.begin_extension(Instant::now(), ttl), self.clone());
        let extension = extension.inspect(move |extended| pending.end(extended.ok().copied()));
        // It may have been lost before the reply came.
        extension.map(move |extended| extended && kept.is_valid())
    }

    /// Its caller extends it to this ttl by a request at `requested`: it is not renewed until the returned guard is dropped.
    pub fn begin_extension(self: &Arc<Self>, requested: Instant, ttl: Duration) -> Extension {
        self.lock.lock().begin_extension();
        Extension { kept: self.clone(), requested, ttl, result: None }
    }

    /// Completes when it is over.
    pub async fn over(&self) {
        while !self.lock.lock().is_over() {
            self.over.notified().await;
        }
    }

    /// Declares it lost.
    pub fn lose(&self) {
        let was_held = self.lock.lock().lose();
        if was_held {
            self.report_lost();
        }
    }

    /// Its release has found that it was not held any more.
    pub fn lose_at_release(&self) {
        let is_news = self.lock.lock().lose_at_release();
        if is_news {
            self.report_lost();
        }
    }

    /// Notifies its holder and the listeners of the store.
    fn report_lost(&self) {
        self.end();
        let Some(store) = self.store.upgrade() else { return };
        let target = store.status().servers.first().map(|server| server.target.clone()).unwrap_or_default();
        let text = format!(
            "the lock on {:?} was lost before it was released; another holder may have acquired it",
            self.resource
        );
        store.events().emit(&Event::new(EventKind::LockLost, target, text));
    }

    fn end(&self) {
        self.over.notify_one();
        self.wake.notify_one();
        let notify = self.notify.lock().take();
        if let Some(notify) = notify {
            notify();
        }
    }
}

/// An extension of a lock by its caller, which is in flight.
pub struct Extension {
    kept: Arc<RenewedLock>,
    requested: Instant,
    ttl: Duration,
    result: Option<bool>,
}

impl Extension {
    /// Ends it: whether the store extended the lock, `None` if that is unknown, as it is for one that is dropped.
    pub fn end(mut self, result: Option<bool>) {
        self.result = result;
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        let was_lost = self.kept.lock.lock().extended(self.requested, self.ttl, self.result);
        if was_lost {
            self.kept.report_lost();
        }
        self.kept.wake.notify_one();
    }
}

impl fmt::Debug for RenewedLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenewedLock")
            .field("resource", &self.resource)
            .field("fence", &self.fence)
            .finish_non_exhaustive()
    }
}
