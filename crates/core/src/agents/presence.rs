//! The presence of a process in rooms: its lease, its members, and what others have left behind.
//!
//! There is one for all who share a store, a prefix and a lease. Two tasks belong to it. One keeps the lease and sweeps where
//! another's is over (`lease.rs`); it must never wait for anything else. The other alone changes who is in which room
//! (`members.rs`), so that a join and a leave of one connection cannot overtake each other.

mod lease;
mod members;
mod pending_join;
mod reconcile;
mod registration;
mod table;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{
    Call,
    error::{Error, Kind, Result},
    runtime,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};

use crate::{
    agents::clock_monitor::ClockMonitor,
    features::room::{Membership, Rooms},
    keys::Prefix,
    store::{Registry, Store},
};

/// Joins and leaves that may wait: more is a server that does not answer.
const MOST_WAITING: usize = 100_000;

/// For so long after somebody has asked who is in a room, dead ones are swept.
const LOOKED_AT: Duration = Duration::from_secs(60);

static PRESENCES: Registry<(usize, Prefix, Duration), Presence> = Registry::new();

/// What a process is in the rooms of one store.
pub struct Presence {
    store: Arc<Store>,
    rooms: Arc<Rooms>,
    lease: Duration,
    /// How long its own calls may take.
    patience: Duration,
    /// The number under which its lease runs.
    process: Mutex<Option<Arc<str>>>,
    /// The lease was lost, or the store may have lost what it was told.
    doubt: Notify,
    /// Checks the store's clock for jumps.
    steady: Mutex<ClockMonitor>,
    /// Rooms that somebody watches: they are swept though nobody here is in one.
    watchers: AtomicUsize,
    /// Until when somebody cares who is in the rooms, who asked a while ago.
    looked_at: Mutex<Option<Instant>>,
    next: AtomicU64,
    waiting: AtomicUsize,
    tasks: Mutex<Tasks>,
}

/// Which of the two tasks run.
#[derive(Default)]
struct Tasks {
    orders: Option<mpsc::UnboundedSender<Command>>,
    keeping: bool,
    sweeping: bool,
}

/// A connection of a user that is in a room.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    room: Bytes,
    number: u64,
}

/// What is asked of the task that keeps the members.
enum Command {
    Join(Membership, u64, oneshot::Sender<Result<Member>>),
    Leave(Member, oneshot::Sender<()>),
    /// Several at once, for as long as it may take.
    LeaveAll(Vec<Member>, Instant, oneshot::Sender<()>),
}

/// Somebody watches a room: whoever is dead is swept out of it.
pub struct SweepGuard(Arc<Presence>);

impl Presence {
    /// The process's own for these rooms on this store, with leases this long. It ends when nobody holds it and nobody is in
    /// a room any more.
    pub fn shared(store: &Arc<Store>, rooms: &Arc<Rooms>, lease: Duration, patience: Duration) -> Arc<Self> {
        let key = (Arc::as_ptr(store) as usize, rooms.prefix().clone(), lease);
        let make = || Ok::<_, std::convert::Infallible>(Self::new(store.clone(), rooms.clone(), lease, patience));
        let Ok(presence) = PRESENCES.get(&key, make);
        presence
    }

    /// One that shares its lease with nobody, as if it were a process of its own.
    pub fn new(store: Arc<Store>, rooms: Arc<Rooms>, lease: Duration, patience: Duration) -> Self {
        Self {
            store,
            rooms,
            lease,
            patience,
            process: Mutex::default(),
            doubt: Notify::new(),
            steady: Mutex::default(),
            watchers: AtomicUsize::new(0),
            looked_at: Mutex::default(),
            next: AtomicU64::new(1),
            waiting: AtomicUsize::new(0),
            tasks: Mutex::default(),
        }
    }

    /// Puts a connection of a user in a room as `{ ...info, joinedAt }`. Whoever loses interest still waits for the answer, and
    /// has the member leave then.
    ///
    /// # Errors
    /// As `Rooms::membership` has them; `E_BACKPRESSURE` where too many wait already; and whatever became of the call.
    pub async fn join(self: &Arc<Self>, room: &str, user: &str, info: &str, joined_at: &str) -> Result<Member> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let membership = self.rooms.membership(room, user, info, joined_at, number)?;
        if self.waiting.load(Ordering::Relaxed) >= MOST_WAITING {
            return Err(Error::new(Kind::Backpressure, format!("{MOST_WAITING} joins wait already")));
        }
        let (done, answer) = oneshot::channel();
        self.order(Command::Join(membership, number, done))?;
        answer.await.unwrap_or_else(|_| Err(Error::new(Kind::Internal, "a join was never answered")))
    }

    /// Takes a connection out again; returns a future of the moment when the store knows, which may never come. It is done
    /// whether or not the future is polled. Once more does nothing.
    pub fn leave(self: &Arc<Self>, member: Member) -> impl Future<Output = ()> + Send + use<> {
        let (done, answer) = oneshot::channel();
        let ordered = self.order(Command::Leave(member, done));
        async move {
            if ordered.is_ok() {
                let _ = answer.await;
            }
        }
    }

    /// The same for several, or none, and no longer than until the deadline. Where nobody is left in any room, the lease is
    /// given up; where the store cannot be told so by then, it ends by itself.
    pub fn leave_all(
        self: &Arc<Self>,
        members: Vec<Member>,
        deadline: Instant,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (done, answer) = oneshot::channel();
        let nothing = members.is_empty() && !self.is_kept();
        let ordered = !nothing && self.order(Command::LeaveAll(members, deadline, done)).is_ok();
        async move {
            if ordered {
                let _ = answer.await;
            }
        }
    }

    /// Has dead ones swept for as long as the answer is held.
    pub fn watch(self: &Arc<Self>) -> SweepGuard {
        self.watchers.fetch_add(1, Ordering::AcqRel);
        self.keep_looking();
        SweepGuard(self.clone())
    }

    /// Somebody asks who is there: has dead ones swept for a while.
    pub fn look(self: &Arc<Self>) {
        *self.looked_at.lock() = Some(Instant::now());
        self.keep_looking();
    }

    /// Whether anybody cares whether dead ones are swept, though nobody here is in a room.
    fn is_looked_at(&self) -> bool {
        self.watchers.load(Ordering::Acquire) > 0 || self.looked_at.lock().is_some_and(|at| at.elapsed() < LOOKED_AT)
    }

    /// Hands an order to the task that keeps the members, started if it does not run.
    fn order(self: &Arc<Self>, order: Command) -> Result<()> {
        let runtime = runtime::get()?;
        let mut tasks = self.tasks();
        let orders = tasks.orders.get_or_insert_with(|| {
            let (orders, inbox) = mpsc::unbounded_channel();
            runtime.spawn(members::run(self.clone(), inbox));
            orders
        });
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _ = orders.send(order);
        Ok(())
    }

    /// Whether the task that keeps the members runs.
    fn is_kept(&self) -> bool {
        self.tasks().orders.is_some()
    }

    /// Starts the task that keeps the lease and sweeps, if it does not run.
    fn keep_looking(self: &Arc<Self>) {
        let Ok(runtime) = runtime::get() else { return };
        let mut tasks = self.tasks();
        if !std::mem::replace(&mut tasks.keeping, true) {
            runtime.spawn(lease::run(Arc::downgrade(self)));
        }
    }

    /// The number under which its lease runs.
    fn process(&self) -> Option<Arc<str>> {
        self.lock_process().clone()
    }

    /// The lease under this number is over.
    fn lose(&self, process: &Arc<str>) {
        let mut current = self.lock_process();
        if current.as_ref() == Some(process) {
            *current = None;
            drop(current);
            self.doubt.notify_one();
        }
    }

    async fn call<T: Send + 'static>(&self, call: Call<T>) -> Result<T> {
        self.store.call(call, Instant::now() + self.patience).await
    }

    fn lock_process(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        self.process.lock()
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock()
    }
}

impl Drop for SweepGuard {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Ordering::AcqRel);
    }
}
