//! The presence of a process in rooms: its lease, its members, and the removal of the members of dead processes.
//!
//! There is one for each store, prefix and lease time. It has two tasks. One renews the lease and sweeps processes
//! whose leases have expired (`lease.rs`); it must never wait for anything else. Only the other one changes who is in
//! which room (`members.rs`), so that a join and a leave of one connection cannot overtake each other.

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

/// The most joins and leaves that may be pending: if there are more, the server does not respond.
const MAX_WAITING: usize = 100_000;

/// Dead processes are swept for this long after the users of a room were read.
const SWEEP_AFTER_READ: Duration = Duration::from_secs(60);

static PRESENCES: Registry<(usize, Prefix, Duration), Presence> = Registry::new();

/// The presence of a process in the rooms of one store.
pub struct Presence {
    store: Arc<Store>,
    rooms: Arc<Rooms>,
    lease: Duration,
    /// The timeout of its own calls.
    patience: Duration,
    /// The process id that its lease is for.
    process: Mutex<Option<Arc<str>>>,
    /// Notified when the lease was lost, or the store may have lost data.
    verify: Notify,
    /// Checks the store's clock for jumps.
    clock: Mutex<ClockMonitor>,
    /// The number of watched rooms: dead processes are swept even if no member is here.
    watchers: AtomicUsize,
    /// When the users of a room were last read.
    read_at: Mutex<Option<Instant>>,
    next: AtomicU64,
    waiting: AtomicUsize,
    tasks: Mutex<Tasks>,
}

/// Which of the two tasks run.
#[derive(Default)]
struct Tasks {
    commands: Option<mpsc::UnboundedSender<Command>>,
    lease_task: bool,
    sweeping: bool,
}

/// A connection of a user that is in a room.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    room: Bytes,
    number: u64,
}

/// A command to the task that changes members.
enum Command {
    Join(Membership, u64, oneshot::Sender<Result<Member>>),
    Leave(Member, oneshot::Sender<()>),
    /// Several at once, until a deadline.
    LeaveAll(Vec<Member>, Instant, oneshot::Sender<()>),
}

/// While it exists, dead processes are swept.
pub struct SweepGuard(Arc<Presence>);

impl Presence {
    /// The shared presence for these rooms, store and lease time. It ends when its last owner has dropped it and no
    /// member is in a room.
    pub fn shared(store: &Arc<Store>, rooms: &Arc<Rooms>, lease: Duration, patience: Duration) -> Arc<Self> {
        let key = (Arc::as_ptr(store) as usize, rooms.prefix().clone(), lease);
        let make = || Ok::<_, std::convert::Infallible>(Self::new(store.clone(), rooms.clone(), lease, patience));
        let Ok(presence) = PRESENCES.get(&key, make);
        presence
    }

    /// One with a lease of its own, as if it were a separate process.
    pub fn new(store: Arc<Store>, rooms: Arc<Rooms>, lease: Duration, patience: Duration) -> Self {
        Self {
            store,
            rooms,
            lease,
            patience,
            process: Mutex::default(),
            verify: Notify::new(),
            clock: Mutex::default(),
            watchers: AtomicUsize::new(0),
            read_at: Mutex::default(),
            next: AtomicU64::new(1),
            waiting: AtomicUsize::new(0),
            tasks: Mutex::default(),
        }
    }

    /// Registers a connection of a user in a room as `{ ...info, joinedAt }`. A caller that is no longer interested
    /// still awaits the reply, and then has the member leave.
    ///
    /// # Errors
    /// Those of `Rooms::membership`; `E_BACKPRESSURE` if too many are pending; and those of the call.
    pub async fn join(self: &Arc<Self>, room: &str, user: &str, info: &str, joined_at: &str) -> Result<Member> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let membership = self.rooms.membership(room, user, info, joined_at, number)?;
        if self.waiting.load(Ordering::Relaxed) >= MAX_WAITING {
            return Err(Error::new(Kind::Backpressure, format!("{MAX_WAITING} joins wait already")));
        }
        let (done, reply) = oneshot::channel();
        self.send_command(Command::Join(membership, number, done))?;
        reply.await.unwrap_or_else(|_| Err(Error::new(Kind::Internal, "a join was never handled")))
    }

    /// Removes a connection; returns a future that resolves when the store has done so, which may never happen. The
    /// removal happens whether or not the future is polled. Calling it again has no effect.
    pub fn leave(self: &Arc<Self>, member: Member) -> impl Future<Output = ()> + Send + use<> {
        let (done, reply) = oneshot::channel();
        let sent = self.send_command(Command::Leave(member, done));
        async move {
            if sent.is_ok() {
                let _ = reply.await;
            }
        }
    }

    /// The same for any number of members, until the deadline. If no member is left in any room, the lease is
    /// released; if the store cannot be reached by then, it expires.
    pub fn leave_all(
        self: &Arc<Self>,
        members: Vec<Member>,
        deadline: Instant,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (done, reply) = oneshot::channel();
        let nothing = members.is_empty() && !self.has_member_task();
        let sent = !nothing && self.send_command(Command::LeaveAll(members, deadline, done)).is_ok();
        async move {
            if sent {
                let _ = reply.await;
            }
        }
    }

    /// Has dead processes swept until the returned guard is dropped.
    pub fn watch(self: &Arc<Self>) -> SweepGuard {
        self.watchers.fetch_add(1, Ordering::AcqRel);
        self.start_lease_task();
        SweepGuard(self.clone())
    }

    /// Has dead processes swept for a while, because the users of a room are read.
    pub fn request_sweeps(self: &Arc<Self>) {
        *self.read_at.lock() = Some(Instant::now());
        self.start_lease_task();
    }

    /// Whether dead processes are to be swept even if no member is here.
    fn is_sweep_wanted(&self) -> bool {
        self.watchers.load(Ordering::Acquire) > 0
            || self.read_at.lock().is_some_and(|at| at.elapsed() < SWEEP_AFTER_READ)
    }

    /// Sends a command to the task that changes members; starts the task if it does not run.
    fn send_command(self: &Arc<Self>, command: Command) -> Result<()> {
        let runtime = runtime::get()?;
        let mut tasks = self.tasks();
        let commands = tasks.commands.get_or_insert_with(|| {
            let (commands, inbox) = mpsc::unbounded_channel();
            runtime.spawn(members::run(self.clone(), inbox));
            commands
        });
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _ = commands.send(command);
        Ok(())
    }

    /// Whether the task that changes members runs.
    fn has_member_task(&self) -> bool {
        self.tasks().commands.is_some()
    }

    /// Starts the task that renews the lease and sweeps, if it does not run.
    fn start_lease_task(self: &Arc<Self>) {
        let Ok(runtime) = runtime::get() else { return };
        let mut tasks = self.tasks();
        if !std::mem::replace(&mut tasks.lease_task, true) {
            runtime.spawn(lease::run(Arc::downgrade(self)));
        }
    }

    /// The process id that its lease is for.
    fn process(&self) -> Option<Arc<str>> {
        self.lock_process().clone()
    }

    /// Records that the lease of this process id has ended.
    fn lose_lease(&self, process: &Arc<str>) {
        let mut current = self.lock_process();
        if current.as_ref() == Some(process) {
            *current = None;
            drop(current);
            self.verify.notify_one();
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
