//! Reads the session of a request.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_port::{Call, error::Result};

use super::{Sessions, read::ValidSession};
use crate::features::{Moment, near::NearAt};

/// A session as a request reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedSession {
    /// Its JSON.
    pub json: Bytes,
    /// Its token, if the one of the request has been rotated.
    pub successor: Option<Arc<str>>,
    /// Whether its ttl was renewed.
    pub renewed: bool,
    /// Its ttl for renewals.
    pub ttl: Duration,
}

impl OpenedSession {
    pub(super) fn new(sessions: &Sessions, valid: ValidSession, renewed: bool) -> Self {
        let ttl = Self::at_most_absolute(sessions, sessions.renewal_ttl(&valid.record));
        let successor = valid.successor.and_then(|key| key.token);
        Self { json: valid.record.json, successor, renewed, ttl }
    }

    pub(super) fn at_most_absolute(sessions: &Sessions, ttl: Duration) -> Duration {
        sessions.0.absolute_ttl.map_or(ttl, |absolute| ttl.min(absolute))
    }
}

impl Sessions {
    /// Returns the session with this token for a request, or `None`. `now` is as for `get_as`.
    pub fn open(&self, token: &str, now: Option<Moment>, near: Option<NearAt>) -> Result<Call<Option<OpenedSession>>> {
        let (sessions, key) = (self.clone(), self.key(token)?);
        let opened = if let Some(near) = near {
            self.open_near(key, now, near)
        } else if self.0.rolling {
            self.read_rolling(key, now)
        } else {
            let sessions = self.clone();
            self.read(key, false)
                .map(move |found| found.valid().map(|valid| OpenedSession::new(&sessions, valid, false)))
        };
        Ok(opened.inspect(move |opened| sessions.0.counters.count(opened.map(Option::is_some).ok())))
    }
}
