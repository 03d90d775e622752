//! The task that maintains a pool's connections while the pool is open.
//!
//! If a reply is overdue and nothing arrives, the server is either busy or down, and the connection does not show which. So it gets
//! no new requests, and a new connection is opened. If the server responds on the new one, the old one is dead and is
//! closed. If the old one recovers first, the server was only busy, and nothing was lost.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use cinnabar_port::{
    EventKind,
    error::{Error, Kind, Result},
};
use tokio::{
    task::yield_now,
    time::{Instant, sleep, timeout},
};

use super::{Member, Shared, State, closed};
use crate::{
    backoff::{STABLE_AFTER, before_reconnecting},
    endpoint::Endpoint,
    key_order,
    link::Link,
    settings::Settings,
};

/// How often the connections are checked, and how often while all of them are unresponsive.
const CHECK_EVERY: Duration = Duration::from_millis(250);
const CHECK_OFTEN: Duration = Duration::from_millis(20);
/// How long a retired connection waits for its pending replies.
const RETIRE_TIMEOUT: Duration = Duration::from_millis(250);
/// After this many unsuccessful connections in a row, callers do not wait for the next one.
const MAX_FAILURES: u32 = 3;
/// After this many connections in a row that did not last, the loss of the next ones is not reported.
const MAX_FLAPS: u32 = 4;
/// An extra connection that was idle for this long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The history of earlier connections.
#[derive(Default)]
struct Past {
    /// Failed or unsuccessful connections in a row.
    failures: u32,
    lost_at: Option<Instant>,
    /// When the last one was established.
    made_at: Option<Instant>,
    /// Connections in a row that did not last.
    flaps: u32,
    /// Since when changes are not reported, because there would be one after each call.
    quiet_since: Option<Instant>,
}

impl Past {
    /// Whether the current or most recent connection was successful: a caller got a reply over it, or it lasted for a while. A
    /// completed handshake alone does not prove that the server works.
    fn was_of_use(&self, shared: &Shared) -> bool {
        shared.worked.load(Ordering::Relaxed) || self.has_lasted()
    }

    fn has_lasted(&self) -> bool {
        self.made_at.is_some_and(|made| made.elapsed() >= STABLE_AFTER)
    }

    /// Emits `connected` after an outage. If connections keep ending early, only once one was successful.
    fn on_connected(&mut self, shared: &Shared) {
        if shared.useless.load(Ordering::Relaxed) && !self.was_of_use(shared) {
            return;
        }
        shared.useless.store(false, Ordering::Relaxed);
        if let Some(lost_at) = self.lost_at.take() {
            shared.reconnects.fetch_add(1, Ordering::Relaxed);
            if self.quiet_since.is_none() {
                let seconds = lost_at.elapsed().as_secs_f64();
                shared.emit(EventKind::Connected, format!("reconnected to {} after {seconds:.1} s", shared.source));
            }
        }
        if self.has_lasted()
            && let Some(since) = self.quiet_since.take()
        {
            let took = since.elapsed().saturating_sub(STABLE_AFTER).as_secs_f64();
            shared
                .emit(EventKind::Connected, format!("connections to {} last again, after {took:.1} s", shared.source));
        }
    }

    /// Emits `lost`, unless connections end again and again: that is reported once.
    fn on_lost(&mut self, shared: &Shared, was_of_use: bool, why: &Error) {
        self.flaps = if self.has_lasted() { 0 } else { self.flaps + 1 };
        let known = shared.useless.swap(!was_of_use, Ordering::Relaxed) || self.quiet_since.is_some();
        if known {
            return;
        }
        let mut text = format!("lost {}: {}", shared.source, why.message());
        if self.flaps > MAX_FLAPS {
            self.quiet_since = Some(Instant::now());
            text += "; it ends its connections again and again, which is not reported again until one has lasted";
        }
        shared.emit(EventKind::Lost, text);
    }
}

/// Connects, maintains the connections until none is left, and connects again.
pub async fn run(shared: Arc<Shared>) {
    let mut past = Past::default();
    while !shared.is_closed() {
        let made = tokio::select! {
            made = make(&shared) => made.map(Some),
            () = recovered(&shared) => Ok(None),
        };
        match made {
            Ok(member) => {
                past.made_at = Some(Instant::now());
                shared.worked.store(false, Ordering::Relaxed);
                shared.set_down_since(None);
                read_others(&shared).await;
                if member.is_some_and(|member| !add(&shared, member)) || !shared.replace(State::Ready) {
                    return;
                }
                let why = watch(&shared, &mut past).await;
                if shared.is_closed() {
                    return;
                }
                let was_of_use = past.was_of_use(&shared);
                past.failures = if was_of_use { 0 } else { past.failures + 1 };
                shared.note(&why);
                past.on_lost(&shared, was_of_use, &why);
                past.lost_at.get_or_insert_with(Instant::now);
                shared.set_down_since(past.lost_at);
                // Callers must not wait for a server that closes every connection.
                shared.replace(if past.failures >= MAX_FAILURES { State::Down(why) } else { State::Waiting });
                // Jitter: other clients lost it at the same moment and must not reconnect at the same moment.
                pause(&shared, past.failures.saturating_sub(1)).await;
            }
            Err(error) => {
                shared.note(&error);
                if past.lost_at.is_none() {
                    past.lost_at = Some(Instant::now());
                    shared.set_down_since(past.lost_at);
                    shared.emit(EventKind::Down, error.message().to_owned());
                }
                shared.replace(State::Down(error));
                pause(&shared, past.failures).await;
                past.failures += 1;
            }
        }
    }
}

/// Opens one more connection, because the existing ones are busy or unresponsive.
pub async fn grow(shared: Arc<Shared>) {
    match make(&shared).await {
        Ok(member) => {
            read_others(&shared).await;
            add(&shared, member);
        }
        Err(error) => {
            shared.note(&error);
            // Otherwise every call would try again.
            sleep(before_reconnecting(&shared.settings, 4)).await;
        }
    }
    shared.growing.store(false, Ordering::Release);
}

async fn pause(shared: &Shared, failures: u32) {
    tokio::select! {
        () = sleep(before_reconnecting(&shared.settings, failures)) => {}
        () = recovered(shared) => {}
        // The new address is a different server, so the backoff does not apply.
        () = shared.moved.notified() => {}
    }
}

/// Opens a new connection.
pub async fn make(shared: &Shared) -> Result<Member> {
    let (endpoint, link) = shared.source.dial(&shared.dialler).await?;
    Ok(member(shared, endpoint, link))
}

/// Creates a pool member for this link.
pub(super) fn member(shared: &Shared, endpoint: Endpoint, link: Link) -> Member {
    let connection = link.start(shared.settings.keepalive);
    Member {
        number: key_order::number_connection(),
        connection,
        order: Arc::default(),
        endpoint,
        scripts: Arc::default(),
        silent: Arc::default(),
        retired: Arc::default(),
    }
}

/// Gives unresponsive connections time to be read before they are declared dead: this process may have been slow itself, so that their replies
/// are there and nothing has read them yet.
pub(super) async fn read_others(shared: &Shared) {
    let has_silent = || shared.members.lock().iter().any(|member| member.silent.load(Ordering::Relaxed));
    if has_silent() {
        // A reply that was sent before those on the new connection may arrive a little after them.
        sleep(CHECK_OFTEN).await;
        // What came while this slept is read by other tasks, which are polled before this one goes on.
        yield_now().await;
        yield_now().await;
    }
}

/// Adds a connection. Since the server responds on it, the ones that are still unresponsive are dead and are closed.
pub(super) fn add(shared: &Arc<Shared>, member: Member) -> bool {
    let mut members = shared.members.lock();
    if shared.is_closed() {
        member.connection.end(closed());
        return false;
    }
    let after = unresponsive_after(&shared.settings);
    let is_silent = |member: &&Member| member.silent.load(Ordering::Relaxed) && member.connection.silence() >= after;
    for silent in members.iter().filter(is_silent) {
        silent
            .connection
            .end(Error::new(Kind::Unavailable, "it stopped responding while the server replied on another connection"));
    }
    let (pool, connection) = (shared.clone(), member.connection.clone());
    tokio::spawn(async move {
        connection.ended().await;
        pool.changed.notify_one();
    });
    members.push(member);
    shared.made.fetch_add(1, Ordering::Relaxed);
    true
}

/// Waits until no connection is usable; returns why.
async fn watch(shared: &Arc<Shared>, past: &mut Past) -> Error {
    loop {
        past.on_connected(shared);
        let _ = timeout(CHECK_EVERY, shared.changed.notified()).await;
        let ended = remove_ended(shared);
        let silent = mark_silent(shared);
        let (members, usable, retired) = {
            let members = shared.members.lock();
            let retired = members.iter().find_map(|member| member.retired.get().map(|(_, why)| why.clone()));
            (members.len(), members.iter().filter(|member| member.is_usable()).count(), retired)
        };
        if members == 0 {
            return ended.unwrap_or_else(closed);
        }
        if usable == 0 {
            let after = unresponsive_after(&shared.settings);
            return retired.unwrap_or_else(|| {
                Error::new(Kind::Unavailable, format!("it sent nothing for {after:?} while replies were pending"))
            });
        }
        if silent > 0 && !shared.growing.swap(true, Ordering::AcqRel) {
            tokio::spawn(grow(shared.clone()));
        }
    }
}

/// Waits until an unresponsive connection has recovered.
async fn recovered(shared: &Shared) {
    loop {
        sleep(CHECK_OFTEN).await;
        remove_ended(shared);
        mark_silent(shared);
        if shared.members.lock().iter().any(Member::is_usable) {
            return;
        }
    }
}

fn remove_ended(shared: &Shared) -> Option<Error> {
    let mut why = None;
    let mut standing = 0;
    shared.members.lock().retain(|Member { connection, retired, .. }: &Member| {
        if let Some((since, why)) = retired.get()
            && (connection.pending() == 0 || since.elapsed() >= RETIRE_TIMEOUT)
        {
            connection.end(why.clone());
        }
        why = connection.why_ended().or(why.take());
        if standing > 0 && connection.unused() >= IDLE_TIMEOUT {
            connection.end(closed());
        }
        let stands = !connection.has_ended();
        standing += usize::from(stands);
        stands
    });
    why
}

/// Marks the connections on which a reply is overdue; returns how many there are.
fn mark_silent(shared: &Shared) -> usize {
    let after = unresponsive_after(&shared.settings);
    let silent = |member: &&Member| {
        let silent = member.connection.silence() >= after;
        if member.silent.swap(silent, Ordering::Relaxed) && !silent {
            shared.back.notify_waiters();
        }
        silent
    };
    shared.members.lock().iter().filter(silent).count()
}

/// After how long without any data a connection with pending replies is considered unresponsive.
pub fn unresponsive_after(settings: &Settings) -> Duration {
    (settings.timeout / 2).clamp(Duration::from_secs(1), Duration::from_secs(2))
}
