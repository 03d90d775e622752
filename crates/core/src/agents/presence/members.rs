//! The one task that changes who of this process is in which room.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{Call, Event, EventKind, EventListener, error::Result};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    Command, Member, Presence,
    pending_join::{BATCH, PendingJoin},
    table::PresenceTable,
};
use crate::features::room::Membership;

/// A process keeps its lease for so many of them after the last has left: somebody may come soon.
const IDLE_LEASES: u32 = 3;
/// How soon what failed is tried again, at the latest.
const AGAIN: Duration = Duration::from_millis(500);

/// What the task knows.
pub struct MemberTask {
    pub presence: Arc<Presence>,
    pub table: PresenceTable,
    /// Leaves that the store does not know of yet.
    pending_leaves: Vec<PendingLeave>,
    /// Numbers that were given up or lost, and the rooms in which there may be memberships under them: those are swept.
    pub retired: Vec<(Arc<str>, Vec<Bytes>)>,
    /// Numbers that were given up last, whose memberships may still be being swept.
    pub sweeping: Vec<Arc<str>>,
    /// Since when nobody is in a room.
    empty_since: Instant,
    /// When the members are looked after again.
    pub reconcile_at: Instant,
    /// Since when the store may have forgotten what it was told.
    pub doubt: Option<Instant>,
    pub rotated: Option<Instant>,
    /// The last number that was taken.
    pub former: Option<Arc<str>>,
}

/// A leave that the store has to be told.
struct PendingLeave {
    process: Arc<str>,
    membership: Membership,
    /// When nobody wants it any more; the lease ends then.
    until: Option<Instant>,
    _told: Arc<NotifyOnDrop>,
}

/// Answers when the last that holds it is gone.
struct NotifyOnDrop(Option<oneshot::Sender<()>>);

/// Until nobody is in a room, nor has been for a while.
pub async fn run(presence: Arc<Presence>, mut inbox: mpsc::UnboundedReceiver<Command>) {
    let mut keeper = MemberTask::new(presence.clone());
    let doubted = Arc::new(AtomicBool::new(false));
    let watcher = doubting(&presence, &doubted);
    presence.store.events().add_listener(&watcher);
    let mut orders = Vec::new();
    loop {
        tokio::select! {
            _ = inbox.recv_many(&mut orders, BATCH) => {}
            () = presence.doubt.notified() => {}
            () = sleep_until(keeper.reconcile_at) => {}
        }
        presence.waiting.fetch_sub(orders.len(), Ordering::Relaxed);
        if doubted.swap(false, Ordering::AcqRel) {
            keeper.doubt = Some(Instant::now());
        }
        keeper.turn(&mut orders).await;
        if keeper.is_done()
            && let Some(process) = presence.stop_members(&inbox)
        {
            keeper.retired.extend(process.map(|process| (process, Vec::new())));
            return keeper.clean().await;
        }
    }
}

/// Tells the task that a server may know less than it did.
fn doubting(presence: &Arc<Presence>, doubted: &Arc<AtomicBool>) -> Arc<EventListener> {
    let (presence, doubted) = (Arc::downgrade(presence), doubted.clone());
    Arc::new(move |event: &Event| {
        if matches!(event.kind, EventKind::Connected | EventKind::Failover | EventKind::TopologyChanged) {
            doubted.store(true, Ordering::Release);
            if let Some(presence) = presence.upgrade() {
                presence.doubt.notify_one();
            }
        }
    })
}

impl Presence {
    /// Ends the task unless somebody has given it an order by now; answers the number that nobody needs any more.
    fn stop_members(&self, inbox: &mpsc::UnboundedReceiver<Command>) -> Option<Option<Arc<str>>> {
        let mut tasks = self.tasks();
        if !inbox.is_empty() {
            return None;
        }
        tasks.orders = None;
        Some(self.lock_process().take())
    }
}

impl MemberTask {
    fn new(presence: Arc<Presence>) -> Self {
        let now = Instant::now();
        Self {
            presence,
            table: PresenceTable::default(),
            pending_leaves: Vec::new(),
            retired: Vec::new(),
            sweeping: Vec::new(),
            empty_since: now,
            reconcile_at: now + AGAIN,
            doubt: None,
            rotated: None,
            former: None,
        }
    }

    async fn turn(&mut self, orders: &mut Vec<Command>) {
        let mut joins = Vec::new();
        let mut leaving = Vec::new();
        for order in orders.drain(..) {
            match order {
                Command::Join(membership, number, done) => joins.push(PendingJoin { membership, number, done }),
                Command::Leave(member, done) => drop(self.queue_leaves(vec![member], None, done)),
                Command::LeaveAll(members, until, done) => {
                    leaving.push((until, self.queue_leaves(members, Some(until), done)))
                }
            }
        }
        if !joins.is_empty() {
            self.membership(joins).await;
        } else if !self.table.is_settled(self.presence.process().as_ref()) {
            // What fails is tried again at the next reconcile.
            let _ = self.settle().await;
        }
        if self.table.len() == 0
            && let Some(until) = leaving.iter().map(|(until, _)| *until).max()
        {
            self.give_up_lease(until).await;
        }
        self.send_leaves().await;
        if Instant::now() >= self.reconcile_at || self.doubt.is_some() {
            self.reconcile().await;
            self.reconcile_at = Instant::now() + self.presence.lease / 3;
        }
        if !self.pending_leaves.is_empty() || !self.table.is_settled(self.presence.process().as_ref()) {
            self.reconcile_at = self.reconcile_at.min(Instant::now() + AGAIN);
        }
        if self.table.len() > 0 {
            self.empty_since = Instant::now();
        }
    }

    /// A connection may have a membership that it must not have.
    pub fn queue_seat_removal(&mut self, process: Arc<str>, membership: Membership) {
        self.pending_leaves.push(PendingLeave {
            process,
            membership,
            until: None,
            _told: Arc::new(NotifyOnDrop(None)),
        });
    }

    /// Takes members off the table; the store is told by `pay`.
    fn queue_leaves(
        &mut self,
        members: Vec<Member>,
        until: Option<Instant>,
        done: oneshot::Sender<()>,
    ) -> Arc<NotifyOnDrop> {
        let told = Arc::new(NotifyOnDrop(Some(done)));
        let process = self.presence.process();
        for member in members {
            // Without a lease there is nothing under which the store could know it.
            if let (Some(membership), Some(process)) = (self.table.take(&member), &process) {
                self.pending_leaves.push(PendingLeave {
                    process: process.clone(),
                    membership,
                    until,
                    _told: told.clone(),
                });
            }
        }
        told
    }

    /// Tells the store who has left.
    async fn send_leaves(&mut self) {
        let now = Instant::now();
        let is_late = |pending_leaves: &PendingLeave| pending_leaves.until.is_some_and(|until| now >= until);
        if self.table.len() == 0 && self.pending_leaves.iter().any(is_late) {
            // Nobody waits any longer. The lease ends by itself, and then all of them are swept.
            *self.presence.lock_process() = None;
        }
        let process = self.presence.process();
        // Whoever left under a lease that is over is swept.
        self.pending_leaves
            .retain(|pending_leaves| Some(&pending_leaves.process) == process.as_ref() && !is_late(pending_leaves));
        let pending_leaves = std::mem::take(&mut self.pending_leaves);
        let leave = |pending_leaves: &PendingLeave| {
            self.presence
                .store
                .recording_publication(self.presence.rooms.leave(&pending_leaves.process, &pending_leaves.membership))
        };
        let calls = pending_leaves.into_iter().map(|pending_leaves| (leave(&pending_leaves), pending_leaves)).collect();
        for (left, pending_leaves) in self.run(calls).await {
            if left.is_err_and(|error| error.is_unavailable()) {
                self.pending_leaves.push(pending_leaves);
            }
        }
    }

    /// Gives the lease up with all that has a membership under it: for many that is faster than one by one.
    async fn give_up_lease(&mut self, until: Instant) {
        let process = self.presence.lock_process().take();
        self.former = None;
        // Including the leases that another task is sweeping: the process may exit before that task has finished.
        let given_up = std::mem::take(&mut self.sweeping).into_iter().chain(process);
        self.retired.extend(given_up.map(|process| (process, Vec::new())));
        // What this does not get to, another process sweeps: a lease that nobody keeps ends by itself.
        let _ = timeout_at(until, self.clean()).await;
        self.table.forget_process();
    }

    fn is_done(&self) -> bool {
        let idle = self.empty_since.elapsed() >= self.presence.lease * IDLE_LEASES;
        self.table.len() == 0 && (idle || self.pending_leaves.is_empty() && self.presence.process().is_none())
    }

    /// Sweeps all that was given up.
    async fn clean(&mut self) {
        while let Some((process, rooms)) = self.retired.pop() {
            if self.retire(&process, rooms).await.is_ok() {
                let _ = self.presence.sweep(&process).await;
            }
        }
    }

    /// Has a number swept.
    pub async fn retire(&self, process: &str, rooms: Vec<Bytes>) -> Result<()> {
        let mut rooms = rooms.chunks(BATCH);
        let mut some = rooms.next().unwrap_or_default();
        loop {
            self.presence.call(self.presence.rooms.end_lease(process, some.to_vec())).await?;
            let Some(next) = rooms.next() else { return Ok(()) };
            some = next;
        }
    }

    /// Runs calls, so many at a time; their answers with what came with them, in any order.
    pub async fn run<T: Send + 'static, Tag: Send>(&self, calls: Vec<(Call<T>, Tag)>) -> Vec<(Result<T>, Tag)> {
        let mut answers = Vec::with_capacity(calls.len());
        let mut calls = calls.into_iter();
        while calls.len() > 0 {
            let some: Vec<_> = calls.by_ref().take(BATCH).collect();
            self.presence.store.run(some, Instant::now() + self.presence.patience, |done| answers.extend(done)).await;
        }
        answers
    }
}

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            let _ = done.send(());
        }
    }
}
