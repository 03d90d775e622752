//! How members get their seats: a lease first, then the room noted under it, then the seat. Whoever dies in between has left
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
    joining::{BATCH, Joining},
    members::Keeper,
};
use crate::features::room::Joined;

/// How often in a row a lease may be lost before its process gives up for now.
const TRIES: u32 = 3;

impl Keeper {
    /// Seats those who want to be in a room, and answers each.
    pub async fn seat(&mut self, mut joins: Vec<Joining>) {
        for _ in 0..TRIES {
            // Whoever waits no longer gets no seat.
            joins.retain(|join| !join.done.is_closed());
            if joins.is_empty() {
                return;
            }
            let node = match self.settle().await {
                Ok(node) => node,
                Err(error) => return joins.into_iter().for_each(|join| join.refuse(error.clone())),
            };
            joins = match self.register_for(&node, joins).await {
                Ok(joins) => self.take_seats(&node, joins).await,
                Err(joins) => joins,
            };
        }
        joins.into_iter().for_each(|join| join.refuse(lost()));
    }

    /// Registers the rooms they want to be in; answers who may go on, or all of them where the lease is over.
    async fn register_for(&mut self, node: &Arc<str>, joins: Vec<Joining>) -> Result<Vec<Joining>, Vec<Joining>> {
        let mut rooms: Vec<Bytes> = joins.iter().map(|join| join.seat.room.clone()).collect();
        rooms.sort_unstable();
        rooms.dedup();
        rooms.retain(|room| !self.roster.is_registered(room, node));
        if rooms.is_empty() {
            return Ok(joins);
        }
        let mut over = false;
        let mut refused = Vec::new();
        for (registered, room) in self.register(node, rooms).await {
            match registered {
                Ok(true) => self.roster.registered(&room, node, Instant::now()),
                Ok(false) => over = true,
                Err(error) => refused.push((room, error)),
            }
        }
        let mut going = Vec::with_capacity(joins.len());
        for join in joins {
            match refused.iter().find(|(room, _)| *room == join.seat.room) {
                Some((_, error)) => join.refuse(error.clone()),
                None => going.push(join),
            }
        }
        if over {
            self.presence.lose(node);
            return Err(going);
        }
        Ok(going)
    }

    /// Answers who has got no seat because the lease is over.
    async fn take_seats(&mut self, node: &Arc<str>, joins: Vec<Joining>) -> Vec<Joining> {
        let calls = joins
            .into_iter()
            .map(|join| (self.presence.store.recording_publication(self.presence.rooms.join(node, &join.seat)), join))
            .collect();
        let mut again = Vec::new();
        for (joined, join) in self.run(calls).await {
            let Joining { seat, number, done } = join;
            match joined {
                Ok(Joined::Registered) => {
                    let member = Member { room: seat.room.clone(), number };
                    if done.send(Ok(member)).is_ok() {
                        self.roster.add(number, seat, node, Instant::now());
                    } else {
                        self.owe_seat(node.clone(), seat);
                    }
                }
                Ok(Joined::Swept) => again.push(Joining { seat, number, done }),
                Err(error) => {
                    // It may have its seat nevertheless.
                    self.owe_seat(node.clone(), seat);
                    let _ = done.send(Err(error));
                }
            }
        }
        if !again.is_empty() {
            self.presence.lose(node);
        }
        again
    }

    /// Has a lease, and under it all seats that there are; answers its number.
    pub async fn settle(&mut self) -> Result<Arc<str>> {
        for _ in 0..TRIES {
            let node = match self.presence.node() {
                Some(node) => node,
                None => self.enlist().await?,
            };
            let unsettled = self.roster.unsettled(&node);
            if unsettled.is_empty() || self.reseat(&node, unsettled).await? {
                return Ok(node);
            }
            self.presence.lose(&node);
        }
        Err(lost())
    }

    async fn enlist(&mut self) -> Result<Arc<str>> {
        let node: Arc<str> = random::hex::<8>()?.into();
        let beat = self.presence.call(self.presence.rooms.create_lease(&node, self.presence.lease)).await?;
        // A store that has lost its data does not know where the number before had seats.
        self.retired.extend(self.former.replace(node.clone()).map(|former| (former, self.roster.rooms())));
        self.roster.forget_node();
        *self.presence.lock_node() = Some(node.clone());
        self.presence.keep_looking();
        if !beat.expired.is_empty() {
            self.presence.sweep_soon(beat.expired);
        }
        Ok(node)
    }

    /// Takes the seats in these rooms again; `false` where the lease is over.
    async fn reseat(&mut self, node: &Arc<str>, rooms: Vec<Bytes>) -> Result<bool> {
        let mut ready = Vec::new();
        for (registered, room) in self.register(node, rooms).await {
            if !registered? {
                return Ok(false);
            }
            ready.push(room);
        }
        let mut calls = Vec::new();
        let mut waiting = Vec::new();
        for room in ready {
            let seats = self.roster.seats(&room);
            calls.extend(seats.iter().map(|seat| {
                (self.presence.store.recording_publication(self.presence.rooms.join(node, seat)), waiting.len())
            }));
            waiting.push((room, true));
            if calls.len() < BATCH {
                continue;
            }
            if !self.reseat_some(node, std::mem::take(&mut calls), std::mem::take(&mut waiting)).await? {
                return Ok(false);
            }
        }
        self.reseat_some(node, calls, waiting).await
    }

    async fn reseat_some(
        &mut self,
        node: &Arc<str>,
        calls: Vec<(Call<Joined>, usize)>,
        mut rooms: Vec<(Bytes, bool)>,
    ) -> Result<bool> {
        for (joined, at) in self.run(calls).await {
            match joined {
                Ok(Joined::Registered) => {}
                Ok(Joined::Swept) => return Ok(false),
                Err(error) if error.is_unavailable() => {
                    // Whoever waits for a seat of its own has sent nothing yet, whatever became of these.
                    let message = error.message().to_owned();
                    return Err(error.with_kind(Kind::Unavailable, message));
                }
                // A room that cannot be joined, because its key holds something else, must not keep the others waiting.
                Err(_) => rooms[at].1 = false,
            }
        }
        for (room, _) in rooms.iter().filter(|(_, whole)| *whole) {
            self.roster.settled(room, node, Instant::now());
        }
        Ok(true)
    }

    pub async fn register(&self, node: &Arc<str>, rooms: Vec<Bytes>) -> Vec<(Result<bool>, Bytes)> {
        let calls = rooms.into_iter().map(|room| (self.presence.rooms.register(node, &room), room));
        self.run(calls.collect()).await
    }
}

fn lost() -> Error {
    Error::new(Kind::Unavailable, "the lease of this process on its rooms was lost again and again")
}
