//! Reconciles the members with the store: their rooms are renewed, and the store has all of them and no others.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::{members::MemberTask, pending_join::BATCH};

/// How often a room is renewed and its memberships are counted.
const COUNTED_EVERY: Duration = Duration::from_secs(60);
/// A process only adds rooms to its list in the store. Once it has left as many as it is in, and no fewer than these,
/// it takes a new process id.
const LEFT_ROOMS: usize = 1000;

impl MemberTask {
    /// Makes one pass.
    pub async fn reconcile(&mut self) {
        self.confirm().await;
        let (full, empty) = self.table.full_and_empty();
        if empty > LEFT_ROOMS.max(full) {
            self.rotate().await;
        }
        // The memberships have been registered again by now, so no user leaves a room by this.
        if self.table.is_registered_everywhere(self.presence.process().as_ref()) {
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

    /// Renews rooms and counts the memberships that the store has there.
    async fn confirm(&mut self) {
        let Some(process) = self.presence.process() else { return };
        let now = Instant::now();
        let before = self.unverified_since.or_else(|| now.checked_sub(COUNTED_EVERY)).unwrap_or(now);
        let (mut missing, mut foreign) = (false, false);
        loop {
            let stale = self.table.counted_before(before, BATCH);
            if stale.is_empty() {
                self.unverified_since = None;
                break;
            }
            if self.unverified_since.is_some() && !self.register_again(&process, &stale).await {
                break;
            }
            let calls = stale.into_iter().map(|(room, memberships)| {
                let call = self.presence.rooms.renew_room(&process, &room);
                (call, (room, memberships))
            });
            let mut failed = false;
            for (confirmed, (room, memberships)) in self.run(calls.collect()).await {
                match confirmed {
                    Ok(confirmed) if confirmed < memberships => {
                        self.table.mark_unregistered(&room);
                        missing = true;
                    }
                    Ok(confirmed) => {
                        foreign |= confirmed > memberships;
                        self.table.mark_registered(&room, &process, now);
                    }
                    Err(error) if error.is_unavailable() => failed = true,
                    // A failure of one room is no reason to repeat it immediately.
                    Err(_) => self.table.mark_registered(&room, &process, now),
                }
            }
            if failed || self.unverified_since.is_none() {
                break;
            }
        }
        if foreign {
            // A join that was given up succeeded. It is unknown which, so all memberships but the current ones are
            // swept.
            self.rotate().await;
        } else if missing {
            let _ = self.ensure_registered().await;
        }
    }

    /// Registers the rooms again; `false` if that is not possible.
    async fn register_again(&self, process: &Arc<str>, rooms: &[(Bytes, usize)]) -> bool {
        let rooms = rooms.iter().map(|(room, _)| room.clone()).collect();
        let registered = self.register(process, rooms).await;
        if registered.iter().any(|(registered, _)| matches!(registered, Ok(false))) {
            self.presence.lose_lease(process);
        }
        registered.iter().all(|(registered, _)| matches!(registered, Ok(true)))
    }

    /// Registers all members under a new process id; the old one is given up.
    async fn rotate(&mut self) {
        let now = Instant::now();
        if self.rotated.is_some_and(|rotated| now < rotated + self.presence.lease) {
            return;
        }
        self.rotated = Some(now);
        *self.presence.lock_process() = None;
        let _ = self.ensure_registered().await;
    }
}
