//! Looks after the members once in a while: that the store keeps their rooms, and that it knows all of them and no others.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::{joining::BATCH, members::Keeper};

/// How often a room is renewed and counted.
const COUNTED_EVERY: Duration = Duration::from_secs(60);
/// A process notes the rooms in which it may have seats and crosses none off: with as many that it has left, and no fewer
/// than these, it takes a new number.
const LEFT_ROOMS: usize = 1000;

impl Keeper {
    /// One round of it.
    pub async fn upkeep(&mut self) {
        self.confirm().await;
        let (full, empty) = self.roster.full_and_empty();
        if empty > LEFT_ROOMS.max(full) {
            self.rotate().await;
        }
        // Their seats have been taken again by now: no user leaves a room by this.
        if self.roster.is_settled(self.presence.node().as_ref()) {
            let mut swept = Vec::new();
            for (node, rooms) in std::mem::take(&mut self.retired) {
                match self.retire(&node, rooms.clone()).await {
                    Ok(()) => swept.push(node),
                    Err(_) => self.retired.push((node, rooms)),
                }
            }
            if !swept.is_empty() {
                self.presence.sweep_soon(swept.iter().map(ToString::to_string).collect());
                self.sweeping = swept;
            }
        }
    }

    /// Renews rooms and counts the seats that the store knows there.
    async fn confirm(&mut self) {
        let Some(node) = self.presence.node() else { return };
        let now = Instant::now();
        let before = self.doubt.or_else(|| now.checked_sub(COUNTED_EVERY)).unwrap_or(now);
        let (mut missing, mut foreign) = (false, false);
        loop {
            let stale = self.roster.counted_before(before, BATCH);
            if stale.is_empty() {
                self.doubt = None;
                break;
            }
            if self.doubt.is_some() && !self.register_again(&node, &stale).await {
                break;
            }
            let calls = stale.into_iter().map(|(room, seats)| {
                let call = self.presence.rooms.renew_room(&node, &room);
                (call, (room, seats))
            });
            let mut failed = false;
            for (kept, (room, seats)) in self.run(calls.collect()).await {
                match kept {
                    Ok(kept) if kept < seats => {
                        self.roster.unsettle(&room);
                        missing = true;
                    }
                    Ok(kept) => {
                        foreign |= kept > seats;
                        self.roster.settled(&room, &node, now);
                    }
                    Err(error) if error.is_unavailable() => failed = true,
                    // What is wrong with one room is no reason to ask for it again and again.
                    Err(_) => self.roster.settled(&room, &node, now),
                }
            }
            if failed || self.doubt.is_none() {
                break;
            }
        }
        if foreign {
            // A join came about that was given up. Nobody knows which, so all seats but those that are meant are swept.
            self.rotate().await;
        } else if missing {
            let _ = self.settle().await;
        }
    }

    /// Notes once more where there are seats; `false` where that cannot be.
    async fn register_again(&self, node: &Arc<str>, rooms: &[(Bytes, usize)]) -> bool {
        let rooms = rooms.iter().map(|(room, _)| room.clone()).collect();
        let registered = self.register(node, rooms).await;
        if registered.iter().any(|(registered, _)| matches!(registered, Ok(false))) {
            self.presence.lose(node);
        }
        registered.iter().all(|(registered, _)| matches!(registered, Ok(true)))
    }

    /// Takes a new number for all seats; the old one is given up behind them.
    async fn rotate(&mut self) {
        let now = Instant::now();
        if self.rotated.is_some_and(|rotated| now < rotated + self.presence.lease) {
            return;
        }
        self.rotated = Some(now);
        *self.presence.lock_node() = None;
        let _ = self.settle().await;
    }
}
