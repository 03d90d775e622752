//! The connections to one server: opened on demand, reopened when they are lost, replaced when they stop responding.

mod find_primary;
mod maintain;

pub use maintain::unresponsive_after;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use cinnabar_port::{
    Event, EventEmitter, EventKind, PoolStatus,
    error::{Error, Kind, Result},
    sequence::Sequence,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, futures::Notified, watch},
    time::{Instant, timeout_at},
};

use super::{connection::Connection, dial::Dialler, endpoint::Endpoint, scripts::Scripts, source::Source};
use crate::settings::Settings;

/// After a server has been down for this long, a fail-over is no longer expected.
const FAIL_OVER: Duration = Duration::from_secs(60);

/// A connection whose oldest reply has been pending for longer than this is busy: new calls should use another one.
const BUSY_AFTER: Duration = Duration::from_millis(20);

/// Connections to one server. Clones are the same pool.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Arc<Settings>,
    dialler: Arc<Dialler>,
    source: Source,
    events: Arc<EventEmitter>,
    state: watch::Sender<State>,
    members: Mutex<Vec<Member>>,
    /// Whether the task that maintains the connections was started.
    maintained: AtomicBool,
    growing: AtomicBool,
    /// The members have changed.
    changed: Notify,
    /// An unresponsive connection has recovered.
    back: Notify,
    /// The server has moved: connect without waiting for the backoff.
    moved: Notify,
    /// Whether a caller's command got a reply since the last connection was established.
    worked: AtomicBool,
    /// Whether the last connection ended before it was used successfully.
    useless: AtomicBool,
    primary_search: find_primary::PrimarySearch,
    made: AtomicU64,
    reconnects: AtomicU64,
    last_error: Mutex<Option<(Error, SystemTime)>>,
    /// Since when there has been no connection.
    down_since: Mutex<Option<Instant>>,
}

#[derive(Debug, Clone)]
enum State {
    /// No connection was requested yet, or one is being established.
    Waiting,
    Ready,
    /// The last attempt failed; another follows after a backoff.
    Down(Error),
    Closed,
}

/// One connection, the address of its server, and the scripts that server has loaded.
#[derive(Clone)]
pub struct Member {
    /// Unique among all connections of the process.
    pub number: u32,
    pub connection: Connection,
    /// Replies are processed in the order in which the requests were sent.
    pub order: Arc<Sequence>,
    pub endpoint: Endpoint,
    pub scripts: Arc<Scripts>,
    /// A reply is overdue and nothing arrives: the connection gets no new requests.
    silent: Arc<AtomicBool>,
    /// Since when, and why, it gets no new requests although the server responds.
    retired: Arc<OnceLock<(Instant, Error)>>,
}

impl Pool {
    /// Creates a pool. It connects at the first `take`.
    pub fn new(settings: Arc<Settings>, dialler: Arc<Dialler>, source: Source, events: Arc<EventEmitter>) -> Self {
        let shared = Shared {
            settings,
            dialler,
            source,
            events,
            state: watch::Sender::new(State::Waiting),
            members: Mutex::default(),
            maintained: AtomicBool::new(false),
            growing: AtomicBool::new(false),
            changed: Notify::new(),
            back: Notify::new(),
            moved: Notify::new(),
            worked: AtomicBool::new(false),
            useless: AtomicBool::new(false),
            primary_search: find_primary::PrimarySearch::default(),
            made: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            last_error: Mutex::default(),
            down_since: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the connection for the next calls. Waits for one that is being established, but not if the last attempt failed.
    ///
    /// # Errors
    /// Why there is none: `E_UNAVAILABLE`, `E_AUTH`, or `E_CLOSED` after `close`.
    pub async fn take(&self, until: Instant) -> Result<Member> {
        if let Some(member) = self.pick() {
            return Ok(member);
        }
        self.start();
        let mut state = self.shared.state.subscribe();
        let last = Mutex::new(None);
        let ready = timeout_at(until, async {
            loop {
                let now = state.wait_for(|state| !matches!(state, State::Waiting)).await.map(|state| state.clone());
                match now {
                    Ok(State::Ready) => match self.pick() {
                        Some(member) => return Ok(member),
                        // It ended or became unresponsive in the meantime.
                        None => drop(state.changed().await),
                    },
                    Ok(State::Down(error)) if !self.may_fail_over() => return Err(error),
                    Ok(State::Down(error)) => {
                        last.lock().replace(error);
                        drop(state.changed().await);
                    }
                    _ => return Err(closed()),
                }
            }
        });
        ready.await.unwrap_or_else(|_| {
            let late = || Error::new(Kind::Unavailable, format!("no connection to {} in time", self.shared.source));
            Err(last.lock().take().unwrap_or_else(late))
        })
    }

    /// Opens a connection that does not belong to the pool.
    pub async fn make(&self) -> Result<Member> {
        maintain::make(&self.shared).await
    }

    /// Resolves when an unresponsive connection has recovered.
    pub fn back(&self) -> Notified<'_> {
        self.shared.back.notified()
    }

    /// How long there has been no connection; `None` if there is one, or none was requested yet.
    pub fn down_for(&self) -> Option<Duration> {
        self.shared.down_since.lock().map(|since| since.elapsed())
    }

    /// Whether sentinels can be expected to promote another server soon.
    fn may_fail_over(&self) -> bool {
        let lately = self.down_for().is_some_and(|down| down < FAIL_OVER);
        matches!(self.shared.source, Source::Named(_)) && self.made() > 0 && lately
    }

    /// The connection with this number, if it can be used.
    pub fn member(&self, number: u32) -> Option<Member> {
        self.shared.members.lock().iter().find(|member| member.number == number && member.is_usable()).cloned()
    }

    /// Whether there is at most one connection.
    pub fn is_single(&self) -> bool {
        self.shared.members.lock().len() <= 1
    }

    /// Whether a usable connection exists.
    pub fn is_connected(&self) -> bool {
        self.shared.members.lock().iter().any(Member::is_usable)
    }

    /// Whether the last attempt to connect has not failed.
    pub fn is_reachable(&self) -> bool {
        !matches!(*self.shared.state.borrow(), State::Down(_) | State::Closed)
    }

    /// Records that a caller's command got a reply.
    pub fn worked(&self) {
        self.shared.worked.store(true, Ordering::Relaxed);
    }

    /// Whether connections end before they are used successfully, so that a new one does not prove that the server is back.
    pub fn is_useless(&self) -> bool {
        self.shared.useless.load(Ordering::Relaxed)
    }

    /// A write was rejected because the server is a replica. It still serves reads; new connections are tried until the address
    /// leads to a primary again.
    pub fn demoted(&self) {
        find_primary::start(&self.shared);
    }

    /// Retires every connection to another address: the server has moved.
    pub fn move_to(&self, endpoint: &Endpoint) {
        for member in self.shared.members.lock().iter().filter(|member| member.endpoint != *endpoint) {
            member.retire(&format!("{endpoint} is the primary now"));
        }
        self.shared.changed.notify_one();
        // The notification is stored for a task that is connecting to the old address right now.
        self.shared.moved.notify_one();
    }

    /// Closes all connections permanently.
    pub fn close(&self) {
        self.shared.state.send_replace(State::Closed);
        for member in self.shared.members.lock().drain(..) {
            member.connection.end(closed());
        }
        self.shared.changed.notify_one();
    }

    pub fn status(&self) -> PoolStatus {
        let members = self.shared.members.lock();
        let usable = members.iter().filter(|member| member.is_usable());
        PoolStatus {
            size: usable.clone().count() as u32,
            available: usable.filter(|member| member.connection.pending() == 0).count() as u32,
            pending: members.iter().map(|member| member.connection.unsent() as u64).sum(),
        }
    }

    pub fn last_error(&self) -> Option<(Error, SystemTime)> {
        self.shared.last_error.lock().clone()
    }

    /// Records an error for the health check.
    pub fn note(&self, error: &Error) {
        self.shared.note(error);
    }

    /// How many connections have been established in total.
    pub fn made(&self) -> u64 {
        self.shared.made.load(Ordering::Relaxed)
    }

    /// How many commands are pending.
    pub fn pending(&self) -> u64 {
        self.shared.members.lock().iter().map(|member| member.connection.pending() as u64).sum()
    }

    /// How often a connection was established after all had been lost.
    pub fn reconnects(&self) -> u64 {
        self.shared.reconnects.load(Ordering::Relaxed)
    }

    /// The first connection that is not busy, so that calls share one as long as that is faster; otherwise the least busy one.
    pub fn pick(&self) -> Option<Member> {
        let members = self.shared.members.lock();
        let mut usable = members.iter().filter(|member| member.is_usable());
        let now = Instant::now();
        if let Some(member) = usable.clone().find(|member| member.connection.delay(now) < BUSY_AFTER) {
            return Some(member.clone());
        }
        let least = usable.by_ref().min_by_key(|member| member.connection.pending())?.clone();
        if members.len() < self.shared.settings.pool_size as usize && !self.shared.growing.swap(true, Ordering::AcqRel)
        {
            tokio::spawn(maintain::grow(self.shared.clone()));
        }
        Some(least)
    }

    fn start(&self) {
        if !self.shared.maintained.swap(true, Ordering::AcqRel) {
            tokio::spawn(maintain::run(self.shared.clone()));
        }
    }
}

impl Member {
    fn is_usable(&self) -> bool {
        !self.silent.load(Ordering::Relaxed) && self.retired.get().is_none() && !self.connection.has_ended()
    }

    fn retire(&self, why: &str) {
        let _ = self.retired.set((Instant::now(), Error::new(Kind::Unavailable, why.to_owned())));
    }
}

impl Shared {
    /// Changes the state unless the pool is closed; returns whether it did.
    fn replace(&self, new: State) -> bool {
        self.state.send_if_modified(|state| {
            let open = !matches!(state, State::Closed);
            if open {
                *state = new;
            }
            open
        })
    }

    /// Records since when there is no connection, or `None` if there is one.
    fn set_down_since(&self, since: Option<Instant>) {
        *self.down_since.lock() = since;
    }

    fn is_closed(&self) -> bool {
        matches!(*self.state.borrow(), State::Closed)
    }

    fn note(&self, error: &Error) {
        *self.last_error.lock() = Some((error.clone(), SystemTime::now()));
    }

    fn emit(&self, what: EventKind, text: String) {
        self.events.emit(&Event::new(what, self.source.to_string(), text));
    }
}

fn closed() -> Error {
    Error::new(Kind::Closed, "this service was disconnected")
}
