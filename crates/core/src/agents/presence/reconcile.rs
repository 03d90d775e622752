//! Looks after the members once in a while: that the store keeps their rooms, and that it knows all of them and no others.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::{members::MemberTask, pending_join::BATCH};

/// How often a room is renewed and counted.
const COUNTED_EVERY: Duration = Duration::from_secs(60);
/// A process notes the rooms in which it may have memberships and crosses none off: with as many that it has left, and no fewer
/// than these, it takes a new number.
const LEFT_ROOMS: usize = 1000;

impl MemberTask {
    /// One round of it.
    pub async fn reconcile(&mut self) {
        self.confirm().await;
        let (full, empty) = self.table.full_and_empty();
        if empty > LEFT_ROOMS.max(full) {
            self.rotate().await;
        }
        // Their memberships have been taken again by now: no user leaves a room by this.
        if self.table.is_settled(self.presence.process().as_ref()) {
            let mut swept = Vec::new();
            for (process, rooms) in std::mem::take(&mut self.retired) {
                match self.retire(&process, rooms.clone()).await {
                    Ok(()) => swept.push(process),
                    Err(_) => self.retired.push((process, rooms)),
                }
            }
            if !swept.is_empty() {
                self.presence.sweep_soon(swept.iter().map(ToString::to_string).collect());
                self.sweeping = swept;
            }
        }
    }

    /// Renews rooms and counts the memberships that the store knows there.
    async fn confirm(&mut self) {
        let Some(process) = self.presence.process() else { return };
        let now = Instant::now();
        let before = self.doubt.or_else(|| now.checked_sub(COUNTED_EVERY)).unwrap_or(now);
        let (mut missing, mut foreign) = (false, false);
        loop {
            let stale = self.table.counted_before(before, BATCH);
            if stale.is_empty() {
                self.doubt = None;
                break;
            }
            if self.doubt.is_some() && !self.register_again(&process, &stale).await {
                break;
            }
            let calls = stale.into_iter().map(|(room, memberships)| {
                let call = self.presence.rooms.renew_room(&process, &room);
                (call, (room, memberships))
            });
            let mut failed = false;
            for (kept, (room, memberships)) in self.run(calls.collect()).await {
                match kept {
                    Ok(kept) if kept < memberships => {
                        self.table.unsettle(&room);
                        missing = true;
                    }
                    Ok(kept) => {
                        foreign |= kept > memberships;
                        self.table.settled(&room, &process, now);
                    }
                    Err(error) if error.is_unavailable() => failed = true,
                    // What is wrong with one room is no reason to ask for it again and again.
                    Err(_) => self.table.settled(&room, &process, now),
                }
            }
            if failed || self.doubt.is_none() {
                break;
            }
        }
        if foreign {
            // A join came about that was given up. Nobody knows which, so all memberships but those that are meant are swept.
            self.rotate().await;
        } else if missing {
            let _ = self.settle().await;
        }
    }

    /// Notes once more where there are memberships; `false` where that cannot be.
    async fn register_again(&self, process: &Arc<str>, rooms: &[(Bytes, usize)]) -> bool {
        let rooms = rooms.iter().map(|(room, _)| room.clone()).collect();
        let registered = self.register(process, rooms).await;
        if registered.iter().any(|(registered, _)| matches!(registered, Ok(false))) {
            self.presence.lose(process);
        }
        registered.iter().all(|(registered, _)| matches!(registered, Ok(true)))
    }

    /// Takes a new number for all memberships; the old one is given up behind them.
    async fn rotate(&mut self) {
        let now = Instant::now();
        if self.rotated.is_some_and(|rotated| now < rotated + self.presence.lease) {
            return;
        }
        self.rotated = Some(now);
        *self.presence.lock_process() = None;
        let _ = self.settle().await;
    }
}
