//! Connections of this process that are bound to sessions, such as WebSockets: notices that a session has ended, on whatever process,
//! and keeps the state of its connections in the store.
//!
//! Published endings are hints: the session is then read. Each session is also read three times per lease, since a hint may get lost and
//! a session may expire. If it could not be read for a whole lease, it counts as ended.

mod table;

use std::{
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{
    Call, Delivery, MessageListener, Topic,
    error::{Error, Kind, Result},
    random, runtime,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, OnceCell, oneshot},
    time::{Instant, sleep_until, timeout},
};

use self::table::{Connection, Table};
use super::subscription::ChannelSubscription;
use crate::{
    features::session::{BoundSession, Ending, Reason, Sessions},
    inbox::{Entry, Inbox, Label},
    store::Store,
};

/// How often a session is read during a lease.
const CHECKS: u32 = 3;
/// How many sessions are read together.
const BATCH: usize = 1024;
/// The longest wait before a failed read is repeated.
const AGAIN: Duration = Duration::from_millis(500);
/// How long the message that says why a session ended may take longer than a read that finds it ended.
const MESSAGE: Duration = Duration::from_millis(200);
/// How long the first connection waits for the subscription to endings, which a server may not allow.
const SUBSCRIBING: Duration = Duration::from_millis(500);
/// For how many leases an index entry is not renewed.
const INDEXED: u32 = 2;

/// The bound connections of one service.
pub struct Connections {
    store: Arc<Store>,
    sessions: Sessions,
    lease: Duration,
    patience: Duration,
    state: Mutex<State>,
    wake: Arc<Notify>,
    /// Made before the first connection is bound.
    subscription: OnceCell<ChannelSubscription>,
}

#[derive(Default)]
struct State {
    table: Table,
    running: bool,
    /// Connections whose state has to be deleted.
    removed: Vec<Connection>,
}

/// What binds a connection.
pub struct Binding {
    /// The id or token of the session.
    pub token: String,
    /// Its user, as the caller knows it.
    pub user: Option<String>,
    /// The id of the connection.
    pub id: String,
    /// The fields of the application in its state, as the text of a JSON object.
    pub fields: String,
    /// The current time as an ISO time.
    pub connected_at: String,
}

impl Connections {
    /// Returns an empty set of connections.
    pub fn new(store: Arc<Store>, sessions: Sessions, lease: Duration, patience: Duration) -> Self {
        let (wake, subscription) = (Arc::default(), OnceCell::new());
        Self { store, sessions, lease, patience, state: Mutex::default(), wake, subscription }
    }

    /// Binds a connection to a session. The inbox gets the reason under the name `ended` when the session ends, perhaps at once, and
    /// ends itself then.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid id of the connection; `E_CONFLICT` if a connection with this id is bound here; those of the call.
    pub async fn bind(self: &Arc<Self>, binding: Binding, inbox: Arc<Inbox>) -> Result<()> {
        let Binding { token, user, id, fields, connected_at } = binding;
        let began = Instant::now();
        let unchecked =
            BoundSession { public_id: String::new(), user: None, tags: Vec::new(), ttl: None, successor: None };
        self.sessions.connection_state(&unchecked, &connected_at, &fields)?;
        self.subscription.get_or_init(|| self.subscribe()).await;
        let Some(session) = self.call(self.sessions.bound(&token, true)?).await? else {
            end(&inbox, Reason::Expired);
            return Ok(());
        };
        if session.user != user {
            end(&inbox, Reason::UserChanged);
            return Ok(());
        }
        let state = self.sessions.connection_state(&session, &connected_at, &fields)?;
        let token = session.successor.clone().unwrap_or_else(|| token.into());
        let (id, expires): (Arc<str>, _) = (id.into(), session.ttl.map(|ttl| began + ttl));
        let keep = self.sessions.keep_connection(&id, user.as_deref(), state.clone(), self.lease, true)?;
        let connection = Connection {
            id: id.clone(),
            token,
            session,
            connected_at,
            state,
            inbox,
            confirmed: began,
            // An ending may have been published before the connection was in the table.
            next_check: began,
            expires,
            indexed: Some(began),
            hint: None,
            is_missing: false,
        };
        if !self.state.lock().table.insert(connection) {
            return Err(Error::new(Kind::Conflict, "a connection with this id is bound already"));
        }
        self.start()?;
        if let Err(error) = self.call(keep).await {
            drop(self.unbind(&id));
            return Err(error);
        }
        Ok(())
    }

    /// Replaces the application's fields in the state of a connection; returns whether it is bound.
    pub fn update(&self, id: &str, fields: &str) -> Result<Call<bool>> {
        let (state, user) = {
            let mut own = self.state.lock();
            let Some(connection) = own.table.get_mut(id) else { return Ok(Call::ready(false)) };
            let state = self.sessions.connection_state(&connection.session, &connection.connected_at, fields)?;
            connection.state = state.clone();
            (state, connection.session.user.clone())
        };
        Ok(self.sessions.keep_connection(id, user.as_deref(), state, self.lease, false)?.map(|()| true))
    }

    /// Removes a connection and its state; the future completes when the latter is done. It happens whether or not the future is polled.
    /// Does nothing if the connection is not bound.
    pub fn unbind(self: &Arc<Self>, id: &str) -> impl Future<Output = ()> + Send + use<> {
        let removed = self.state.lock().table.remove(id);
        self.drop_states(removed.into_iter().collect())
    }

    /// The same for all connections, whose inboxes are closed.
    pub fn unbind_all(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let removed = self.state.lock().table.take_all();
        removed.iter().for_each(|connection| connection.inbox.close());
        self.drop_states(removed)
    }

    fn drop_states(self: &Arc<Self>, removed: Vec<Connection>) -> impl Future<Output = ()> + Send + use<> {
        self.wake.notify_one();
        let this = self.clone();
        let dropping = runtime::get().ok().filter(|_| !removed.is_empty()).map(|runtime| {
            runtime.spawn(async move {
                let calls =
                    removed.iter().flat_map(|connection| this.drop_state(connection)).map(|call| (call, ())).collect();
                this.store.run(calls, Instant::now() + this.patience, |_| {}).await;
            })
        });
        async move {
            if let Some(dropping) = dropping {
                let _ = dropping.await;
            }
        }
    }

    /// Starts the task, which runs until no connection is bound, and has it check what is due.
    fn start(self: &Arc<Self>) -> Result<()> {
        let runtime = runtime::get()?;
        if !std::mem::replace(&mut self.state.lock().running, true) {
            runtime.spawn(run(Arc::downgrade(self), self.wake.clone()));
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Subscribes to endings, so that no message about a session is missed that is bound from then on. If that is not possible soon, it is
    /// tried again for as long as this exists.
    async fn subscribe(self: &Arc<Self>) -> ChannelSubscription {
        let (listening, beginning) = (Arc::downgrade(self), Arc::downgrade(self));
        let listener: MessageListener = Arc::new(move |delivery| {
            let Some(connections) = listening.upgrade() else { return };
            match delivery {
                Delivery::Message(message) => {
                    // Messages of other programs are ignored.
                    if let Some(ending) = Ending::read(&message.payload) {
                        connections.receive(Some(&ending));
                    }
                }
                Delivery::Gap(_) => connections.receive(None),
            }
        });
        let (begun, has_begun) = oneshot::channel();
        let topic = Topic::Channel(self.sessions.endings_channel());
        let subscription = ChannelSubscription::of(self.store.clone(), topic, listener, move || {
            if let Some(connections) = beginning.upgrade() {
                connections.receive(None);
            }
            let _ = begun.send(());
        });
        let _ = timeout(SUBSCRIBING, has_begun).await;
        subscription
    }

    /// Checks what is due; returns when something is next.
    async fn turn(&self) -> Instant {
        let now = Instant::now();
        let pause = (self.lease / CHECKS).mul_f64(0.9 + random::fraction() / 10.0);
        let due = self.state.lock().table.take_due(now, now + pause, BATCH);
        let mut calls = Vec::with_capacity(due.len());
        for (id, token, with_ttl) in due {
            match self.sessions.bound(&token, with_ttl) {
                Ok(call) => calls.push((call, id)),
                Err(_) => self.end(&id, Reason::Expired),
            }
        }
        let deadline = now + self.patience.min(self.lease / CHECKS);
        let again = now + AGAIN.min(pause);
        self.store
            .run(calls, deadline, |done| done.into_iter().for_each(|(found, id)| self.learn(&id, found, now, again)))
            .await;
        self.keep(now, deadline).await;
        self.remove(deadline).await;
        self.state.lock().table.next_check().unwrap_or(again)
    }

    /// Learns from a read that began at `began`.
    fn learn(&self, id: &str, found: Result<Option<BoundSession>>, began: Instant, again: Instant) {
        let mut own = self.state.lock();
        let Some(connection) = own.table.get_mut(id) else { return };
        let reason = match found {
            Ok(Some(session)) if session.user == connection.session.user => {
                (connection.confirmed, connection.is_missing) = (began, false);
                // A message that came meanwhile may be about an end that this read did not see.
                connection.hint = connection.hint.filter(|(_, since)| *since > began);
                if let Some(ttl) = session.ttl {
                    let expires = began + ttl;
                    connection.expires = Some(expires);
                    connection.next_check = connection.next_check.min(expires);
                }
                if let Some(token) = session.successor {
                    connection.token = token;
                }
                return;
            }
            Ok(Some(_)) => Reason::UserChanged,
            Ok(None) => match connection.hint {
                Some((reason, _)) => reason,
                None if connection.is_missing => Reason::Expired,
                None => {
                    connection.is_missing = true;
                    connection.next_check = connection.next_check.min(Instant::now() + MESSAGE);
                    return;
                }
            },
            Err(_) => {
                connection.next_check = connection.next_check.min(again);
                return;
            }
        };
        drop(own);
        self.end(id, reason);
    }

    /// Renews the states of the connections whose sessions were confirmed in this turn.
    async fn keep(&self, turn: Instant, deadline: Instant) {
        let mut calls = Vec::new();
        for connection in self.state.lock().table.confirmed_at(turn) {
            let indexed = connection.indexed.is_none_or(|at| at + self.lease * INDEXED <= turn);
            if indexed {
                connection.indexed = Some(turn);
            }
            let user = connection.session.user.as_deref();
            let call =
                self.sessions.keep_connection(&connection.id, user, connection.state.clone(), self.lease, indexed);
            calls.extend(call.map(|call| (call, connection.id.clone())));
        }
        let failed = |(kept, id): (Result<()>, Arc<str>)| kept.err().map(|_| id);
        self.store
            .run(calls, deadline, |done| {
                // Its index entry may not have been renewed.
                for id in done.into_iter().filter_map(failed) {
                    if let Some(connection) = self.state.lock().table.get_mut(&id) {
                        connection.indexed = None;
                    }
                }
            })
            .await;
    }

    /// Deletes the states of removed connections. If that fails, they expire with the lease.
    async fn remove(&self, deadline: Instant) {
        let removed = std::mem::take(&mut self.state.lock().removed);
        let calls = removed.iter().flat_map(|connection| self.drop_state(connection)).map(|call| (call, ())).collect();
        self.store.run(calls, deadline, |_| {}).await;
    }

    fn drop_state(&self, connection: &Connection) -> Result<Call<()>> {
        let user = connection.session.user.as_deref();
        self.sessions.drop_connection(&connection.id, user, connection.state.clone())
    }

    /// Ends the connections whose sessions were not confirmed for a lease.
    fn end_unconfirmed(&self) {
        let Some(before) = Instant::now().checked_sub(self.lease) else { return };
        let late = self.state.lock().table.unconfirmed_since(before);
        late.iter().for_each(|id| self.end(id, Reason::Unreachable));
    }

    fn lease_end(&self) -> Instant {
        self.state.lock().table.lease_end(self.lease).unwrap_or_else(|| Instant::now() + self.lease)
    }

    fn end(&self, id: &str, reason: Reason) {
        let mut own = self.state.lock();
        if let Some(connection) = own.table.remove(id) {
            let inbox = connection.inbox.clone();
            own.removed.push(connection);
            drop(own);
            end(&inbox, reason);
        }
    }

    /// Ends the task if nothing is left to do.
    fn stop(&self) -> bool {
        let mut own = self.state.lock();
        own.running = !own.table.is_empty() || !own.removed.is_empty();
        !own.running
    }

    fn receive(&self, ending: Option<&Ending>) {
        let now = Instant::now();
        let mut own = self.state.lock();
        match ending {
            Some(ending) => own.table.mark(ending, now),
            None => own.table.mark_all(now),
        }
        drop(own);
        self.wake.notify_one();
    }

    async fn call<T: Send + 'static>(&self, call: Call<T>) -> Result<T> {
        self.store.call(call, Instant::now() + self.patience).await
    }
}

/// Checks sessions until no connection is bound. Owned by its connections only while it works, so that they can close the store.
async fn run(connections: Weak<Connections>, wake: Arc<Notify>) {
    loop {
        let next = {
            let Some(connections) = connections.upgrade() else { return };
            let mut turn = pin!(connections.turn());
            let next = loop {
                tokio::select! {
                    next = &mut turn => break next,
                    () = sleep_until(connections.lease_end()) => connections.end_unconfirmed(),
                }
            };
            connections.end_unconfirmed();
            if connections.stop() {
                return;
            }
            next.min(connections.lease_end())
        };
        tokio::select! {
            () = sleep_until(next) => {}
            () = wake.notified() => {}
        }
    }
}

fn end(inbox: &Inbox, reason: Reason) {
    let text = format!("\"{}\"", reason.name());
    inbox.push(Entry { text: text.into(), label: Label::Name(Bytes::from_static(b"ended")) });
    inbox.end(None);
}
