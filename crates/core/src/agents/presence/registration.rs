//! Registers members: first a lease, then the room in the list of the process, then the membership. If the process
//! dies in between, whatever it has left can be found.

use std::sync::Arc;

use bytes::Bytes;
use cinnabar_port::{
    Call,
    error::{Error, Kind, Result},
    random,
};
use tokio::time::Instant;

use super::{
    Member,
    members::MemberTask,
    pending_join::{BATCH, PendingJoin},
};
use crate::features::room::Joined;

/// How often in a row a lease may be lost before joins are rejected.
const TRIES: u32 = 3;

impl MemberTask {
    /// Registers pending joins, and replies to each.
    pub async fn membership(&mut self, mut joins: Vec<PendingJoin>) {
        for _ in 0..TRIES {
            // A join whose caller has given up is not registered.
            joins.retain(|join| !join.done.is_closed());
            if joins.is_empty() {
                return;
            }
            let process = match self.ensure_registered().await {
                Ok(process) => process,
                Err(error) => return joins.into_iter().for_each(|join| join.reject(error.clone())),
            };
            joins = match self.register_for(&process, joins).await {
                Ok(joins) => self.join_members(&process, joins).await,
                Err(joins) => joins,
            };
        }
        joins.into_iter().for_each(|join| join.reject(lost()));
    }

    /// Registers the rooms of the joins. Returns the joins that may continue, or all of them as an error if the lease
    /// has ended.
    async fn register_for(
        &mut self,
        process: &Arc<str>,
        joins: Vec<PendingJoin>,
    ) -> Result<Vec<PendingJoin>, Vec<PendingJoin>> {
        let mut rooms: Vec<Bytes> = joins.iter().map(|join| join.membership.room.clone()).collect();
        rooms.sort_unstable();
        rooms.dedup();
        rooms.retain(|room| !self.table.is_registered(room, process));
        if rooms.is_empty() {
            return Ok(joins);
        }
        let mut over = false;
        let mut refused = Vec::new();
        for (registered, room) in self.register(process, rooms).await {
            match registered {
                Ok(true) => self.table.registered(&room, process, Instant::now()),
                Ok(false) => over = true,
                Err(error) => refused.push((room, error)),
            }
        }
        let mut going = Vec::with_capacity(joins.len());
        for join in joins {
            match refused.iter().find(|(room, _)| *room == join.membership.room) {
                Some((_, error)) => join.reject(error.clone()),
                None => going.push(join),
            }
        }
        if over {
            self.presence.lose_lease(process);
            return Err(going);
        }
        Ok(going)
    }

    /// Registers the memberships. Returns the joins that failed because the lease has ended.
    async fn join_members(&mut self, process: &Arc<str>, joins: Vec<PendingJoin>) -> Vec<PendingJoin> {
        let calls = joins
            .into_iter()
            .map(|join| {
                (self.presence.store.recording_publication(self.presence.rooms.join(process, &join.membership)), join)
            })
            .collect();
        let mut again = Vec::new();
        for (joined, join) in self.run(calls).await {
            let PendingJoin { membership, number, done } = join;
            match joined {
                Ok(Joined::Registered) => {
                    let member = Member { room: membership.room.clone(), number };
                    if done.send(Ok(member)).is_ok() {
                        self.table.add(number, membership, process, Instant::now());
                    } else {
                        self.queue_leave(process.clone(), membership);
                    }
                }
                Ok(Joined::Swept) => again.push(PendingJoin { membership, number, done }),
                Err(error) => {
                    // The membership may exist nevertheless.
                    self.queue_leave(process.clone(), membership);
                    let _ = done.send(Err(error));
                }
            }
        }
        if !again.is_empty() {
            self.presence.lose_lease(process);
        }
        again
    }

    /// Ensures that there is a lease with all members registered under it; returns its process id.
    pub async fn ensure_registered(&mut self) -> Result<Arc<str>> {
        for _ in 0..TRIES {
            let process = match self.presence.process() {
                Some(process) => process,
                None => self.new_process().await?,
            };
            let unregistered = self.table.unregistered(&process);
            if unregistered.is_empty() || self.register_members(&process, unregistered).await? {
                return Ok(process);
            }
            self.presence.lose_lease(&process);
        }
        Err(lost())
    }

    async fn new_process(&mut self) -> Result<Arc<str>> {
        let process: Arc<str> = random::hex::<8>()?.into();
        let renewal = self.presence.call(self.presence.rooms.create_lease(&process, self.presence.lease)).await?;
        // A store that has lost its data does not know where the former process id had memberships.
        self.retired.extend(self.former.replace(process.clone()).map(|former| (former, self.table.rooms())));
        self.table.reset_process();
        *self.presence.lock_process() = Some(process.clone());
        self.presence.start_lease_task();
        if !renewal.expired.is_empty() {
            self.presence.sweep_soon(renewal.expired);
        }
        Ok(process)
    }

    /// Registers the members of these rooms again; `false` if the lease has ended.
    async fn register_members(&mut self, process: &Arc<str>, rooms: Vec<Bytes>) -> Result<bool> {
        let mut ready = Vec::new();
        for (registered, room) in self.register(process, rooms).await {
            if !registered? {
                return Ok(false);
            }
            ready.push(room);
        }
        let mut calls = Vec::new();
        let mut waiting = Vec::new();
        for room in ready {
            let memberships = self.table.memberships(&room);
            calls.extend(memberships.iter().map(|membership| {
                (
                    self.presence.store.recording_publication(self.presence.rooms.join(process, membership)),
                    waiting.len(),
                )
            }));
            waiting.push((room, true));
            if calls.len() < BATCH {
                continue;
            }
            if !self.register_batch(process, std::mem::take(&mut calls), std::mem::take(&mut waiting)).await? {
                return Ok(false);
            }
        }
        self.register_batch(process, calls, waiting).await
    }

    async fn register_batch(
        &mut self,
        process: &Arc<str>,
        calls: Vec<(Call<Joined>, usize)>,
        mut rooms: Vec<(Bytes, bool)>,
    ) -> Result<bool> {
        for (joined, at) in self.run(calls).await {
            match joined {
                Ok(Joined::Registered) => {}
                Ok(Joined::Swept) => return Ok(false),
                Err(error) if error.is_unavailable() => {
                    // The pending joins have sent nothing yet, whatever became of these memberships.
                    let message = error.message().to_owned();
                    return Err(error.with_kind(Kind::Unavailable, message));
                }
                // A room that cannot be joined, because its key has another type, must not block the others.
                Err(_) => rooms[at].1 = false,
            }
        }
        for (room, _) in rooms.iter().filter(|(_, whole)| *whole) {
            self.table.mark_registered(room, process, Instant::now());
        }
        Ok(true)
    }

    pub async fn register(&self, process: &Arc<str>, rooms: Vec<Bytes>) -> Vec<(Result<bool>, Bytes)> {
        let calls = rooms.into_iter().map(|room| (self.presence.rooms.register(process, &room), room));
        self.run(calls.collect()).await
    }
}

fn lost() -> Error {
    Error::new(Kind::Unavailable, "the lease of this process on its rooms was lost again and again")
}
