//! Finds the primary when an address leads to a replica: a fail-over behind a DNS name is in progress, or the address is a
//! reader endpoint.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cinnabar_port::{EventKind, error::Result};
use tokio::time::{sleep, timeout};

use super::{
    Member, Shared,
    maintain::{add, member, read_others},
};
use crate::{
    backoff::{STABLE_AFTER, before_reconnecting},
    dial::is_primary,
    login::proves_server_is_up,
};

/// How long a server may take to report its role.
const LIMIT: Duration = Duration::from_secs(2);

/// State of the search, for a server that rejects writes.
#[derive(Default)]
pub struct PrimarySearch {
    running: AtomicBool,
    /// Whether a write was rejected since the last check.
    refused: AtomicBool,
    /// Whether `lost` was emitted for the missing primary.
    reported: AtomicBool,
}

/// The server that a new connection leads to.
enum Found {
    Primary(Member),
    /// Its role is unknown, because the user may not run ROLE.
    Either(Member),
    Replica,
}

/// A write was rejected. Starts the search for a primary if it is not running.
pub fn start(shared: &Arc<Shared>) {
    shared.primary_search.refused.store(true, Ordering::Relaxed);
    if !shared.primary_search.running.swap(true, Ordering::AcqRel) {
        tokio::spawn(run(shared.clone()));
    }
}

async fn run(shared: Arc<Shared>) {
    let primary_search = &shared.primary_search;
    if !primary_search.reported.swap(true, Ordering::Relaxed) {
        let words = format!("{} is a replica now and rejects writes; it is used for reads only", shared.source);
        shared.emit(EventKind::Lost, words);
    }
    let mut failures = 0;
    while !shared.is_closed() {
        primary_search.refused.store(false, Ordering::Relaxed);
        let found = query_role(&shared).await.unwrap_or(Found::Replica);
        let (known, fresh) = match found {
            Found::Primary(member) => (Some(true), Some(member)),
            Found::Either(member) => (None, Some(member)),
            Found::Replica => (Some(false), None),
        };
        read_others(&shared).await;
        if fresh.is_some_and(|fresh| !replace(&shared, fresh)) {
            break;
        }
        if known == Some(true) {
            on_connected(&shared);
            break;
        }
        sleep(before_reconnecting(&shared.settings, failures)).await;
        failures += 1;
        if !is_refused_again(&shared).await {
            if known.is_none() {
                on_connected(&shared);
            }
            break;
        }
    }
    primary_search.running.store(false, Ordering::Release);
}

fn on_connected(shared: &Shared) {
    if shared.primary_search.reported.swap(false, Ordering::Relaxed) {
        shared.emit(EventKind::Connected, format!("{} accepts writes again", shared.source));
    }
}

async fn query_role(shared: &Shared) -> Result<Found> {
    let (endpoint, mut link) = shared.source.dial(&shared.dialler).await?;
    match timeout(LIMIT, is_primary(&mut link)).await {
        Ok(Ok(true)) => Ok(Found::Primary(member(shared, endpoint, link))),
        Ok(Err(error)) if proves_server_is_up(&error) => Ok(Found::Either(member(shared, endpoint, link))),
        _ => Ok(Found::Replica),
    }
}

/// Replaces all other connections by the new one.
fn replace(shared: &Arc<Shared>, fresh: Member) -> bool {
    let before: Vec<Member> = shared.members.lock().clone();
    if !add(shared, fresh) {
        return false;
    }
    before.iter().for_each(|member| member.retire("the server became a replica"));
    shared.changed.notify_one();
    true
}

/// Whether another write is rejected soon. If nothing writes, the search can end.
async fn is_refused_again(shared: &Shared) -> bool {
    let refused = async {
        while !shared.primary_search.refused.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(STABLE_AFTER, refused).await.is_ok()
}
