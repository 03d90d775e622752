//! How members get their memberships: a lease first, then the room noted under it, then the membership. Whoever dies in between has left
//! nothing that nobody finds.

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

/// How often in a row a lease may be lost before its process gives up for now.
const TRIES: u32 = 3;

impl MemberTask {
    /// Seats those who want to be in a room, and answers each.
    pub async fn membership(&mut self, mut joins: Vec<PendingJoin>) {
        for _ in 0..TRIES {
            // Whoever waits no longer gets no membership.
            joins.retain(|join| !join.done.is_closed());
            if joins.is_empty() {
                return;
            }
            let process = match self.settle().await {
                Ok(process) => process,
                Err(error) => return joins.into_iter().for_each(|join| join.refuse(error.clone())),
            };
            joins = match self.register_for(&process, joins).await {
                Ok(joins) => self.join_members(&process, joins).await,
                Err(joins) => joins,
            };
        }
        joins.into_iter().for_each(|join| join.refuse(lost()));
    }

    /// Registers the rooms they want to be in; answers who may go on, or all of them where the lease is over.
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
                Some((_, error)) => join.refuse(error.clone()),
                None => going.push(join),
            }
        }
        if over {
            self.presence.lose(process);
            return Err(going);
        }
        Ok(going)
    }

    /// Answers who has got no membership because the lease is over.
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
                        self.queue_seat_removal(process.clone(), membership);
                    }
                }
                Ok(Joined::Swept) => again.push(PendingJoin { membership, number, done }),
                Err(error) => {
                    // It may have its membership nevertheless.
                    self.queue_seat_removal(process.clone(), membership);
                    let _ = done.send(Err(error));
                }
            }
        }
        if !again.is_empty() {
            self.presence.lose(process);
        }
        again
    }

    /// Has a lease, and under it all memberships that there are; answers its number.
    pub async fn settle(&mut self) -> Result<Arc<str>> {
        for _ in 0..TRIES {
            let process = match self.presence.process() {
                Some(process) => process,
                None => self.new_process().await?,
            };
            let unsettled = self.table.unsettled(&process);
            if unsettled.is_empty() || self.register_members(&process, unsettled).await? {
                return Ok(process);
            }
            self.presence.lose(&process);
        }
        Err(lost())
    }

    async fn new_process(&mut self) -> Result<Arc<str>> {
        let process: Arc<str> = random::hex::<8>()?.into();
        let beat = self.presence.call(self.presence.rooms.create_lease(&process, self.presence.lease)).await?;
        // A store that has lost its data does not know where the number before had memberships.
        self.retired.extend(self.former.replace(process.clone()).map(|former| (former, self.table.rooms())));
        self.table.forget_process();
        *self.presence.lock_process() = Some(process.clone());
        self.presence.keep_looking();
        if !beat.expired.is_empty() {
            self.presence.sweep_soon(beat.expired);
        }
        Ok(process)
    }

    /// Takes the memberships in these rooms again; `false` where the lease is over.
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
                    // Whoever waits for a membership of its own has sent nothing yet, whatever became of these.
                    let message = error.message().to_owned();
                    return Err(error.with_kind(Kind::Unavailable, message));
                }
                // A room that cannot be joined, because its key holds something else, must not keep the others waiting.
                Err(_) => rooms[at].1 = false,
            }
        }
        for (room, _) in rooms.iter().filter(|(_, whole)| *whole) {
            self.table.settled(room, process, Instant::now());
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
