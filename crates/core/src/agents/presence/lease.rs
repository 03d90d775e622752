//! Keeps a process's lease, and sweeps where another's is over.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use cinnabar_port::{error::Result, random};
use parking_lot::MutexGuard;
use tokio::time::{Instant, sleep};

use super::Presence;
use crate::agents::clock_monitor::ClockMonitor;

/// A third of a lease: two beats may fail.
const BEATS: u32 = 3;
/// How soon a beat that failed is tried again, at the latest.
const AGAIN: Duration = Duration::from_millis(500);
/// Rooms of a dead process that are swept side by side.
const ROOMS: usize = 16;

/// Until there is neither a lease to keep nor anybody who watches.
pub async fn run(presence: Weak<Presence>) {
    loop {
        // Held only while it is asked: nobody else may need it, nor the connections that it holds.
        let pause = {
            let Some(presence) = presence.upgrade() else { return };
            let failed = match beat(&presence).await {
                Some(beat) => beat.is_err(),
                None if presence.stop_keeping() => return,
                None => false,
            };
            let pause = presence.lease / BEATS;
            // Soon again where it failed.
            if failed { pause.min(AGAIN) } else { pause }
        };
        // Not all processes at one moment.
        sleep(pause.mul_f64(0.9 + random::fraction() / 10.0)).await;
    }
}

/// `None` where there is no need for one.
async fn beat(presence: &Arc<Presence>) -> Option<Result<()>> {
    let process = presence.process();
    let overdue = || presence.steady().ask(presence.lease, Instant::now());
    let call = match &process {
        Some(process) => presence.rooms.renew_lease(process, presence.lease, overdue()),
        None if presence.is_looked_at() => presence.rooms.find_expired(presence.lease, overdue()),
        None => return None,
    };
    let within = (presence.lease / BEATS).clamp(Duration::from_millis(100), presence.patience);
    let beat = match presence.store.call(call, Instant::now() + within).await {
        Ok(beat) => beat,
        Err(error) => return Some(Err(error)),
    };
    presence.steady().saw(beat.now_ms, presence.lease, Instant::now());
    if let Some(process) = process.filter(|_| !beat.has_lease) {
        presence.lose(&process);
    }
    if !beat.expired.is_empty() {
        presence.sweep_soon(beat.expired);
    }
    Some(Ok(()))
}

impl Presence {
    fn steady(&self) -> MutexGuard<'_, ClockMonitor> {
        self.steady.lock()
    }

    /// Ends the task unless somebody wants it by now.
    fn stop_keeping(&self) -> bool {
        let mut tasks = self.tasks();
        let wanted = self.process().is_some() || self.is_looked_at();
        tasks.keeping = wanted;
        !wanted
    }

    /// Sweeps in a task of its own, which keeps no beat waiting, one such task at a time.
    pub(super) fn sweep_soon(self: &Arc<Self>, processes: Vec<String>) {
        if std::mem::replace(&mut self.tasks().sweeping, true) {
            return;
        }
        let presence = self.clone();
        tokio::spawn(async move {
            for process in processes {
                // What fails is told of again by the next beat.
                let _ = presence.sweep(&process).await;
            }
            presence.tasks().sweeping = false;
        });
    }

    /// Takes all memberships of a process away whose lease is over, some at a time.
    ///
    /// Several may do so at once: each membership is taken away by one of them, and a room is crossed off only when it has none left.
    pub(super) async fn sweep(&self, process: &str) -> Result<()> {
        loop {
            let rooms = self.call(self.rooms.orphaned_rooms(process, ROOMS)).await?;
            if rooms.is_empty() {
                return Ok(());
            }
            let calls = rooms
                .into_iter()
                .map(|room| (self.store.recording_publication(self.rooms.sweep(process, &room)), room))
                .collect();
            let (mut empty, mut some, mut failure) = (Vec::new(), false, None);
            let deadline = Instant::now() + self.patience;
            let settle = |done: Vec<(Result<usize>, _)>| {
                for (left, room) in done {
                    match left {
                        Ok(0) => empty.push(room),
                        Ok(_) => some = true,
                        Err(error) => failure = Some(error),
                    }
                }
            };
            self.store.run(calls, deadline, settle).await;
            if !empty.is_empty() {
                self.call(self.rooms.remove_swept(process, empty)).await?;
            } else if let Some(failure) = failure.filter(|_| !some) {
                return Err(failure);
            }
        }
    }
}
