//! The connections of a process that are bound to sessions, by their id, session and user.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    features::session::{BoundSession, Ending, Reason},
    inbox::Inbox,
};

/// A connection that is bound to a session.
pub struct Connection {
    /// Its id.
    pub id: Arc<str>,
    /// The id or token of the session.
    pub token: Arc<str>,
    /// The session.
    pub session: BoundSession,
    /// When it was bound, as an ISO time.
    pub connected_at: String,
    /// Its state in the store.
    pub state: Bytes,
    /// Where its end is delivered.
    pub inbox: Arc<Inbox>,
    /// When a read of the session that found it began.
    pub confirmed: Instant,
    /// When the session is read next.
    pub next_check: Instant,
    /// When the session expires unless it is renewed.
    pub expires: Option<Instant>,
    /// When the index entry was last renewed.
    pub indexed: Option<Instant>,
    /// Why the session has probably ended, and since when that is known.
    pub hint: Option<(Reason, Instant)>,
    /// Whether the last read did not find the session.
    pub is_missing: bool,
}

/// The connections of a process.
#[derive(Default)]
pub struct Table {
    connections: HashMap<Arc<str>, Connection>,
    by_session: HashMap<String, HashSet<Arc<str>>>,
    by_user: HashMap<String, HashSet<Arc<str>>>,
    by_tag: HashMap<String, HashSet<Arc<str>>>,
}

impl Table {
    /// Adds a connection; returns false if there is one with this id.
    pub fn insert(&mut self, connection: Connection) -> bool {
        let id = connection.id.clone();
        if self.connections.contains_key(&id) {
            return false;
        }
        self.by_session.entry(connection.session.public_id.clone()).or_default().insert(id.clone());
        if let Some(user) = &connection.session.user {
            self.by_user.entry(user.clone()).or_default().insert(id.clone());
        }
        for tag in &connection.session.tags {
            self.by_tag.entry(tag.clone()).or_default().insert(id.clone());
        }
        self.connections.insert(id, connection);
        true
    }

    /// Removes a connection.
    pub fn remove(&mut self, id: &str) -> Option<Connection> {
        let connection = self.connections.remove(id)?;
        remove_from(&mut self.by_session, &connection.session.public_id, id);
        if let Some(user) = &connection.session.user {
            remove_from(&mut self.by_user, user, id);
        }
        for tag in &connection.session.tags {
            remove_from(&mut self.by_tag, tag, id);
        }
        Some(connection)
    }

    /// Removes all connections.
    pub fn take_all(&mut self) -> Vec<Connection> {
        std::mem::take(self).connections.into_values().collect()
    }

    /// Returns a connection.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Connection> {
        self.connections.get_mut(id)
    }

    /// Returns the connections whose sessions were last confirmed by reads that began at this instant.
    pub fn confirmed_at(&mut self, began: Instant) -> impl Iterator<Item = &mut Connection> {
        self.connections.values_mut().filter(move |connection| connection.confirmed == began)
    }

    /// Whether no connection is bound.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Has the sessions checked that an ending is about.
    pub fn mark(&mut self, ending: &Ending, now: Instant) {
        let found = match (&ending.public_id, &ending.user_id, &ending.tag) {
            (Some(public_id), ..) => self.by_session.get(public_id),
            (None, Some(user), _) => self.by_user.get(user),
            (None, None, Some(tag)) => self.by_tag.get(tag),
            (None, None, None) => None,
        };
        for id in found.into_iter().flatten() {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.next_check = now;
                // A session that goes on may end for another reason before it is read.
                if !ending.goes_on {
                    connection.hint = Some((ending.reason, now));
                }
            }
        }
    }

    /// Has all sessions checked.
    pub fn mark_all(&mut self, now: Instant) {
        for connection in self.connections.values_mut() {
            connection.next_check = now;
        }
    }

    /// Returns up to `most` connections whose sessions are due to be checked, with their tokens and whether their ttl has to be read. The
    /// next check is set to `next`, so a mark that comes meanwhile is noticed.
    pub fn take_due(&mut self, now: Instant, next: Instant, most: usize) -> Vec<(Arc<str>, Arc<str>, bool)> {
        let due = self.connections.values_mut().filter(|connection| connection.next_check <= now).take(most);
        due.map(|connection| {
            let is_over = connection.expires.is_some_and(|expires| expires <= now);
            connection.next_check = connection.expires.filter(|_| !is_over).map_or(next, |expires| next.min(expires));
            (connection.id.clone(), connection.token.clone(), is_over)
        })
        .collect()
    }

    /// Returns when the next session is due.
    pub fn next_check(&self) -> Option<Instant> {
        self.connections.values().map(|connection| connection.next_check).min()
    }

    /// Returns when the lease of the session ends that was confirmed first.
    pub fn lease_end(&self, lease: Duration) -> Option<Instant> {
        self.connections.values().map(|connection| connection.confirmed + lease).min()
    }

    /// Returns the connections whose sessions were confirmed before an instant.
    pub fn unconfirmed_since(&self, before: Instant) -> Vec<Arc<str>> {
        let late = self.connections.values().filter(|connection| connection.confirmed <= before);
        late.map(|connection| connection.id.clone()).collect()
    }
}

fn remove_from(index: &mut HashMap<String, HashSet<Arc<str>>>, key: &str, id: &str) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}
