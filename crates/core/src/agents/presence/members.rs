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
    Member, Order, Presence,
    joining::{BATCH, Joining},
    roster::Roster,
};
use crate::features::room::Membership;

/// A process keeps its lease for so many of them after the last has left: somebody may come soon.
const IDLE_LEASES: u32 = 3;
/// How soon what failed is tried again, at the latest.
const AGAIN: Duration = Duration::from_millis(500);

/// What the task knows.
pub struct Keeper {
    pub presence: Arc<Presence>,
    pub roster: Roster,
    /// Leaves that the store does not know of yet.
    owed: Vec<Owed>,
    /// Numbers that were given up or lost, and the rooms in which there may be seats under them: those are swept.
    pub retired: Vec<(Arc<str>, Vec<Bytes>)>,
    /// Numbers that were given up last, whose seats may still be being swept.
    pub sweeping: Vec<Arc<str>>,
    /// Since when nobody is in a room.
    empty_since: Instant,
    /// When the members are looked after again.
    pub upkeep_at: Instant,
    /// Since when the store may have forgotten what it was told.
    pub doubt: Option<Instant>,
    pub rotated: Option<Instant>,
    /// The last number that was taken.
    pub former: Option<Arc<str>>,
}

/// A leave that the store has to be told.
struct Owed {
    node: Arc<str>,
    seat: Membership,
    /// When nobody wants it any more; the lease ends then.
    until: Option<Instant>,
    _told: Arc<Told>,
}

/// Answers when the last that holds it is gone.
struct Told(Option<oneshot::Sender<()>>);

/// Until nobody is in a room, nor has been for a while.
pub async fn run(presence: Arc<Presence>, mut inbox: mpsc::UnboundedReceiver<Order>) {
    let mut keeper = Keeper::new(presence.clone());
    let doubted = Arc::new(AtomicBool::new(false));
    let watcher = doubting(&presence, &doubted);
    presence.store.events().add_listener(&watcher);
    let mut orders = Vec::new();
    loop {
        tokio::select! {
            _ = inbox.recv_many(&mut orders, BATCH) => {}
            () = presence.doubt.notified() => {}
            () = sleep_until(keeper.upkeep_at) => {}
        }
        presence.waiting.fetch_sub(orders.len(), Ordering::Relaxed);
        if doubted.swap(false, Ordering::AcqRel) {
            keeper.doubt = Some(Instant::now());
        }
        keeper.turn(&mut orders).await;
        if keeper.is_done()
            && let Some(node) = presence.stop_members(&inbox)
        {
            keeper.retired.extend(node.map(|node| (node, Vec::new())));
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
    fn stop_members(&self, inbox: &mpsc::UnboundedReceiver<Order>) -> Option<Option<Arc<str>>> {
        let mut tasks = self.tasks();
        if !inbox.is_empty() {
            return None;
        }
        tasks.orders = None;
        Some(self.lock_node().take())
    }
}

impl Keeper {
    fn new(presence: Arc<Presence>) -> Self {
        let now = Instant::now();
        Self {
            presence,
            roster: Roster::default(),
            owed: Vec::new(),
            retired: Vec::new(),
            sweeping: Vec::new(),
            empty_since: now,
            upkeep_at: now + AGAIN,
            doubt: None,
            rotated: None,
            former: None,
        }
    }

    async fn turn(&mut self, orders: &mut Vec<Order>) {
        let mut joins = Vec::new();
        let mut leaving = Vec::new();
        for order in orders.drain(..) {
            match order {
                Order::Join(seat, number, done) => joins.push(Joining { seat, number, done }),
                Order::Leave(member, done) => drop(self.owe(vec![member], None, done)),
                Order::LeaveAll(members, until, done) => leaving.push((until, self.owe(members, Some(until), done))),
            }
        }
        if !joins.is_empty() {
            self.seat(joins).await;
        } else if !self.roster.is_settled(self.presence.node().as_ref()) {
            // What fails is tried again at the next upkeep.
            let _ = self.settle().await;
        }
        if self.roster.len() == 0
            && let Some(until) = leaving.iter().map(|(until, _)| *until).max()
        {
            self.vacate(until).await;
        }
        self.pay().await;
        if Instant::now() >= self.upkeep_at || self.doubt.is_some() {
            self.upkeep().await;
            self.upkeep_at = Instant::now() + self.presence.lease / 3;
        }
        if !self.owed.is_empty() || !self.roster.is_settled(self.presence.node().as_ref()) {
            self.upkeep_at = self.upkeep_at.min(Instant::now() + AGAIN);
        }
        if self.roster.len() > 0 {
            self.empty_since = Instant::now();
        }
    }

    /// A connection may have a seat that it must not have.
    pub fn owe_seat(&mut self, node: Arc<str>, seat: Membership) {
        self.owed.push(Owed { node, seat, until: None, _told: Arc::new(Told(None)) });
    }

    /// Takes members off the roster; the store is told by `pay`.
    fn owe(&mut self, members: Vec<Member>, until: Option<Instant>, done: oneshot::Sender<()>) -> Arc<Told> {
        let told = Arc::new(Told(Some(done)));
        let node = self.presence.node();
        for member in members {
            // Without a lease there is nothing under which the store could know it.
            if let (Some(seat), Some(node)) = (self.roster.take(&member), &node) {
                self.owed.push(Owed { node: node.clone(), seat, until, _told: told.clone() });
            }
        }
        told
    }

    /// Tells the store who has left.
    async fn pay(&mut self) {
        let now = Instant::now();
        let is_late = |owed: &Owed| owed.until.is_some_and(|until| now >= until);
        if self.roster.len() == 0 && self.owed.iter().any(is_late) {
            // Nobody waits any longer. The lease ends by itself, and then all of them are swept.
            *self.presence.lock_node() = None;
        }
        let node = self.presence.node();
        // Whoever left under a lease that is over is swept.
        self.owed.retain(|owed| Some(&owed.node) == node.as_ref() && !is_late(owed));
        let owed = std::mem::take(&mut self.owed);
        let leave =
            |owed: &Owed| self.presence.store.recording_publication(self.presence.rooms.leave(&owed.node, &owed.seat));
        let calls = owed.into_iter().map(|owed| (leave(&owed), owed)).collect();
        for (left, owed) in self.run(calls).await {
            if left.is_err_and(|error| error.is_unavailable()) {
                self.owed.push(owed);
            }
        }
    }

    /// Gives the lease up with all that has a seat under it: for many that is faster than one by one.
    async fn vacate(&mut self, until: Instant) {
        let node = self.presence.lock_node().take();
        self.former = None;
        // Including the leases that another task is sweeping: the process may exit before that task has finished.
        let given_up = std::mem::take(&mut self.sweeping).into_iter().chain(node);
        self.retired.extend(given_up.map(|node| (node, Vec::new())));
        // What this does not get to, another process sweeps: a lease that nobody keeps ends by itself.
        let _ = timeout_at(until, self.clean()).await;
        self.roster.forget_node();
    }

    fn is_done(&self) -> bool {
        let idle = self.empty_since.elapsed() >= self.presence.lease * IDLE_LEASES;
        self.roster.len() == 0 && (idle || self.owed.is_empty() && self.presence.node().is_none())
    }

    /// Sweeps all that was given up.
    async fn clean(&mut self) {
        while let Some((node, rooms)) = self.retired.pop() {
            if self.retire(&node, rooms).await.is_ok() {
                let _ = self.presence.sweep(&node).await;
            }
        }
    }

    /// Has a number swept.
    pub async fn retire(&self, node: &str, rooms: Vec<Bytes>) -> Result<()> {
        let mut rooms = rooms.chunks(BATCH);
        let mut some = rooms.next().unwrap_or_default();
        loop {
            self.presence.call(self.presence.rooms.end_lease(node, some.to_vec())).await?;
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

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            let _ = done.send(());
        }
    }
}
