//! Renews the lease of this process, and sweeps processes whose leases have expired.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use cinnabar_port::{error::Result, random};
use parking_lot::MutexGuard;
use tokio::time::{Instant, sleep};

use super::Presence;
use crate::agents::clock_monitor::ClockMonitor;

/// A third of a lease: two renewals may fail.
const RENEWALS: u32 = 3;
/// The longest wait before a failed renewal is retried.
const AGAIN: Duration = Duration::from_millis(500);
/// How many rooms of a dead process are swept concurrently.
const ROOMS: usize = 16;

/// Runs until there is neither a lease to renew nor a reason to sweep.
pub async fn run(presence: Weak<Presence>) {
    loop {
        // Not owned between renewals: it may be the last reference, and would leave connections open.
        let pause = {
            let Some(presence) = presence.upgrade() else { return };
            let failed = match renew_lease(&presence).await {
                Some(renewed) => renewed.is_err(),
                None if presence.stop_lease_task() => return,
                None => false,
            };
            let pause = presence.lease / RENEWALS;
            // Retried soon after a failure.
            if failed { pause.min(AGAIN) } else { pause }
        };
        // With jitter, so that not all processes renew at the same moment.
        sleep(pause.mul_f64(0.9 + random::fraction() / 10.0)).await;
    }
}

/// Renews the lease, or only finds expired ones; `None` if neither is needed.
async fn renew_lease(presence: &Arc<Presence>) -> Option<Result<()>> {
    let process = presence.process();
    let overdue = || presence.clock().before_read(presence.lease, Instant::now());
    let call = match &process {
        Some(process) => presence.rooms.renew_lease(process, presence.lease, overdue()),
        None if presence.is_sweep_wanted() => presence.rooms.find_expired(presence.lease, overdue()),
        None => return None,
    };
    let within = (presence.lease / RENEWALS).clamp(Duration::from_millis(100), presence.patience);
    let renewal = match presence.store.call(call, Instant::now() + within).await {
        Ok(renewal) => renewal,
        Err(error) => return Some(Err(error)),
    };
    presence.clock().after_read(renewal.now_ms, presence.lease, Instant::now());
    if let Some(process) = process.filter(|_| !renewal.has_lease) {
        presence.lose_lease(&process);
    }
    if !renewal.expired.is_empty() {
        presence.sweep_soon(renewal.expired);
    }
    Some(Ok(()))
}

impl Presence {
    fn clock(&self) -> MutexGuard<'_, ClockMonitor> {
        self.clock.lock()
    }

    /// Ends the task unless it is needed by now.
    fn stop_lease_task(&self) -> bool {
        let mut tasks = self.tasks();
        let wanted = self.process().is_some() || self.is_sweep_wanted();
        tasks.lease_task = wanted;
        !wanted
    }

    /// Sweeps in a separate task, so that no renewal waits for it; one such task at a time.
    pub(super) fn sweep_soon(self: &Arc<Self>, processes: Vec<String>) {
        if std::mem::replace(&mut self.tasks().sweeping, true) {
            return;
        }
        let presence = self.clone();
        tokio::spawn(async move {
            for process in processes {
                // A failed sweep is retried after the next renewal, which finds the process again.
                let _ = presence.sweep(&process).await;
            }
            presence.tasks().sweeping = false;
        });
    }

    /// Removes all memberships of a process whose lease has expired, some at a time.
    ///
    /// Several processes may do so concurrently: each membership is removed by one of them, and a room is removed from
    /// the list of the dead process only once it has none left.
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
