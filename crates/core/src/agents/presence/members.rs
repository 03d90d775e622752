//! The only task that changes which members of this process are in which rooms.

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

/// The lease is renewed for so many lease times after the last member has left, since another may join soon.
const IDLE_LEASES: u32 = 3;
/// The longest wait before what failed is retried.
const AGAIN: Duration = Duration::from_millis(500);

/// The state of the task.
pub struct MemberTask {
    pub presence: Arc<Presence>,
    pub table: PresenceTable,
    /// Leaves that the store has not confirmed yet.
    pending_leaves: Vec<PendingLeave>,
    /// Process ids that were given up or lost, with rooms in which they may have memberships: those are to be swept.
    pub retired: Vec<(Arc<str>, Vec<Bytes>)>,
    /// Process ids that were given up last, which another task may still be sweeping.
    pub sweeping: Vec<Arc<str>>,
    /// Since when no member is in a room.
    empty_since: Instant,
    /// When the members are reconciled with the store next.
    pub reconcile_at: Instant,
    /// Since when the store may have lost data.
    pub unverified_since: Option<Instant>,
    pub rotated: Option<Instant>,
    /// The last process id that was in use.
    pub former: Option<Arc<str>>,
}

/// A leave that the store has not confirmed.
struct PendingLeave {
    process: Arc<str>,
    membership: Membership,
    /// When it is given up; the lease expires then.
    until: Option<Instant>,
    _notify: Arc<NotifyOnDrop>,
}

/// Notifies the caller when the last clone is dropped.
struct NotifyOnDrop(Option<oneshot::Sender<()>>);

/// Runs until no member has been in a room for a while.
pub async fn run(presence: Arc<Presence>, mut inbox: mpsc::UnboundedReceiver<Command>) {
    let mut task = MemberTask::new(presence.clone());
    let disconnected = Arc::new(AtomicBool::new(false));
    let watcher = watch_connections(&presence, &disconnected);
    presence.store.events().add_listener(&watcher);
    let mut commands = Vec::new();
    loop {
        tokio::select! {
            _ = inbox.recv_many(&mut commands, BATCH) => {}
            () = presence.verify.notified() => {}
            () = sleep_until(task.reconcile_at) => {}
        }
        presence.waiting.fetch_sub(commands.len(), Ordering::Relaxed);
        if disconnected.swap(false, Ordering::AcqRel) {
            task.unverified_since = Some(Instant::now());
        }
        task.turn(&mut commands).await;
        if task.is_done()
            && let Some(process) = presence.stop_member_task(&inbox)
        {
            task.retired.extend(process.map(|process| (process, Vec::new())));
            return task.clean().await;
        }
    }
}

/// Notifies the task when a server may have lost data.
fn watch_connections(presence: &Arc<Presence>, disconnected: &Arc<AtomicBool>) -> Arc<EventListener> {
    let (presence, disconnected) = (Arc::downgrade(presence), disconnected.clone());
    Arc::new(move |event: &Event| {
        if matches!(event.kind, EventKind::Connected | EventKind::Failover | EventKind::TopologyChanged) {
            disconnected.store(true, Ordering::Release);
            if let Some(presence) = presence.upgrade() {
                presence.verify.notify_one();
            }
        }
    })
}

impl Presence {
    /// Ends the task unless it has been sent another command by now; returns the process id that is no longer needed.
    fn stop_member_task(&self, inbox: &mpsc::UnboundedReceiver<Command>) -> Option<Option<Arc<str>>> {
        let mut tasks = self.tasks();
        if !inbox.is_empty() {
            return None;
        }
        tasks.commands = None;
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
            unverified_since: None,
            rotated: None,
            former: None,
        }
    }

    async fn turn(&mut self, commands: &mut Vec<Command>) {
        let mut joins = Vec::new();
        let mut leaving = Vec::new();
        for command in commands.drain(..) {
            match command {
                Command::Join(membership, number, done) => joins.push(PendingJoin { membership, number, done }),
                Command::Leave(member, done) => drop(self.queue_leaves(vec![member], None, done)),
                Command::LeaveAll(members, until, done) => {
                    leaving.push((until, self.queue_leaves(members, Some(until), done)))
                }
            }
        }
        if !joins.is_empty() {
            self.membership(joins).await;
        } else if !self.table.is_registered_everywhere(self.presence.process().as_ref()) {
            // A failure is retried by the next reconciliation.
            let _ = self.ensure_registered().await;
        }
        if self.table.len() == 0
            && let Some(until) = leaving.iter().map(|(until, _)| *until).max()
        {
            self.give_up_lease(until).await;
        }
        self.send_leaves().await;
        if Instant::now() >= self.reconcile_at || self.unverified_since.is_some() {
            self.reconcile().await;
            self.reconcile_at = Instant::now() + self.presence.lease / 3;
        }
        if !self.pending_leaves.is_empty() || !self.table.is_registered_everywhere(self.presence.process().as_ref()) {
            self.reconcile_at = self.reconcile_at.min(Instant::now() + AGAIN);
        }
        if self.table.len() > 0 {
            self.empty_since = Instant::now();
        }
    }

    /// Queues a leave for a membership that may exist in the store and should not.
    pub fn queue_leave(&mut self, process: Arc<str>, membership: Membership) {
        self.pending_leaves.push(PendingLeave {
            process,
            membership,
            until: None,
            _notify: Arc::new(NotifyOnDrop(None)),
        });
    }

    /// Removes members from the table and queues their leaves for `send_leaves`.
    fn queue_leaves(
        &mut self,
        members: Vec<Member>,
        until: Option<Instant>,
        done: oneshot::Sender<()>,
    ) -> Arc<NotifyOnDrop> {
        let notify = Arc::new(NotifyOnDrop(Some(done)));
        let process = self.presence.process();
        for member in members {
            // Without a lease the store has no memberships of this process.
            if let (Some(membership), Some(process)) = (self.table.take(&member), &process) {
                self.pending_leaves.push(PendingLeave {
                    process: process.clone(),
                    membership,
                    until,
                    _notify: notify.clone(),
                });
            }
        }
        notify
    }

    /// Sends the queued leaves to the store.
    async fn send_leaves(&mut self) {
        let now = Instant::now();
        let is_late = |pending_leaves: &PendingLeave| pending_leaves.until.is_some_and(|until| now >= until);
        if self.table.len() == 0 && self.pending_leaves.iter().any(is_late) {
            // No caller waits any longer. The lease expires, and then all its members are swept.
            *self.presence.lock_process() = None;
        }
        let process = self.presence.process();
        // Members that left under a lease that has ended are swept.
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

    /// Ends the lease with all memberships under it: faster than one leave for each of many.
    async fn give_up_lease(&mut self, until: Instant) {
        let process = self.presence.lock_process().take();
        self.former = None;
        // Including the leases that another task is sweeping: the process may exit before that task has finished.
        let given_up = std::mem::take(&mut self.sweeping).into_iter().chain(process);
        self.retired.extend(given_up.map(|process| (process, Vec::new())));
        // Another process sweeps what is left: a lease that is not renewed expires.
        let _ = timeout_at(until, self.clean()).await;
        self.table.reset_process();
    }

    fn is_done(&self) -> bool {
        let idle = self.empty_since.elapsed() >= self.presence.lease * IDLE_LEASES;
        self.table.len() == 0 && (idle || self.pending_leaves.is_empty() && self.presence.process().is_none())
    }

    /// Sweeps all process ids that were given up.
    async fn clean(&mut self) {
        while let Some((process, rooms)) = self.retired.pop() {
            if self.retire(&process, rooms).await.is_ok() {
                let _ = self.presence.sweep(&process).await;
            }
        }
    }

    /// Queues a process id for cleanup.
    pub async fn retire(&self, process: &str, rooms: Vec<Bytes>) -> Result<()> {
        let mut rooms = rooms.chunks(BATCH);
        let mut some = rooms.next().unwrap_or_default();
        loop {
            self.presence.call(self.presence.rooms.end_lease(process, some.to_vec())).await?;
            let Some(next) = rooms.next() else { return Ok(()) };
            some = next;
        }
    }

    /// Runs calls, so many at a time; returns their results with what was passed along, in any order.
    pub async fn run<T: Send + 'static, Tag: Send>(&self, calls: Vec<(Call<T>, Tag)>) -> Vec<(Result<T>, Tag)> {
        let mut results = Vec::with_capacity(calls.len());
        let mut calls = calls.into_iter();
        while calls.len() > 0 {
            let some: Vec<_> = calls.by_ref().take(BATCH).collect();
            self.presence.store.run(some, Instant::now() + self.presence.patience, |done| results.extend(done)).await;
        }
        results
    }
}

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            let _ = done.send(());
        }
    }
}
