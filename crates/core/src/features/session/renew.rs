//! Renews the ttl of a session, and those of its index entries and epochs, which must not expire before it.

use std::time::Duration;

use cinnabar_port::{Call, Effect, Merge, Reply, Request, Step, effect::is_one, error::Result, script};

use super::{
    SessionKey, Sessions, freshness::renewal_period, metadata::Record, open::OpenedSession, read::ValidSession,
};
use crate::features::{Moment, ttl};

script!(EXPIRE = "session/expire.lua", keys: 1, args: 2, with: ["clock.lua"]);

/// The default ttl of `storeSession`.
pub const STORE_SESSION_TTL: Duration = Duration::from_secs(3600);

impl Sessions {
    /// Sets a session's ttl to so many seconds. Returns false if it is missing.
    pub fn extend(&self, id: &str, seconds: f64) -> Result<Call<bool>> {
        self.extend_to(id, ttl::from_seconds("seconds", seconds)?)
    }

    fn extend_to(&self, id: &str, ttl: Duration) -> Result<Call<bool>> {
        let sessions = self.clone();
        let key = self.key(id)?;
        Ok(self.read(key.clone(), false).then(move |found| match found.valid() {
            Some(valid) => {
                let renewed = sessions.renew(key.clone(), &valid, ttl, Effect::ChangedIf(is_one))?;
                Ok(Step::Next(renewed.inspect(move |_| sessions.drop_freshness(&key.id))))
            }
            None => Ok(Step::Done(false)),
        }))
    }

    /// Renews a session to so many seconds, this once. Returns false if it is missing.
    pub fn touch_to(&self, id: &str, seconds: f64) -> Result<Call<bool>> {
        self.extend_to(id, ttl::from_seconds("ttl", seconds)?)
    }

    /// Renews a session with its own ttl. Returns false if it is missing.
    pub fn touch(&self, id: &str) -> Result<Call<bool>> {
        let sessions = self.clone();
        let key = self.key(id)?;
        Ok(self.read(key.clone(), true).then(move |found| {
            let Some(valid) = found.valid() else { return Ok(Step::Done(false)) };
            let ttl = sessions.renewal_ttl(&valid.record);
            // Another program's session with a longer ttl keeps it. One without a ttl, negative here, gets the default.
            if valid.record.metadata.is_none() && valid.ttl_ms > ttl.as_millis() as i64 {
                return Ok(Step::Done(true));
            }
            sessions.renew(key, &valid, ttl, Effect::ChangedIf(is_one)).map(Step::Next)
        }))
    }

    /// Returns the ttl for renewals: the one the session was given. A session of another program gets the default of the manager; one
    /// without an owner gets that of `storeSession`.
    pub(super) fn renewal_ttl(&self, record: &Record) -> Duration {
        match &record.metadata {
            Some(metadata) => metadata.ttl,
            None if record.named.is_some() => self.0.ttl,
            None => STORE_SESSION_TTL,
        }
    }

    fn renew(&self, key: SessionKey, valid: &ValidSession, ttl: Duration, effect: Effect) -> Result<Call<bool>> {
        let key = valid.successor.clone().map_or(key, |key| *key);
        let mut requests = self.renew_indexes(&valid.record.group_epochs, key.of, &key.id, ttl)?;
        let expire = match valid.record.until() {
            None => Request::keyed("PEXPIRE", [key.redis_key, ttl::millis(ttl)]).idempotent(),
            Some(until) => {
                let args = [key.redis_key, ttl::millis(ttl), until.to_string().into()];
                Request::script(&EXPIRE, args).merging(Merge::Script).idempotent()
            }
        };
        requests.push(expire.with_effect(effect));
        Ok(Call::round(requests, |replies| {
            let mut replies = replies.all()?;
            let renewed = replies.pop().unwrap_or(Reply::Nil).flag()?;
            Ok(Step::Done(renewed && !replies.contains(&Reply::Nil)))
        }))
    }

    /// Reads a rolling session. Without the time, the store decides in any case whether a renewal is due.
    pub(super) fn read_rolling(&self, key: SessionKey, now: Option<Moment>) -> Call<Option<OpenedSession>> {
        let Some(known) = self.freshness(&key.id, now) else { return self.read_and_renew(key, now, |_, _| ()) };
        let sessions = self.clone();
        self.read_then(key.clone(), move |found| {
            let Some(valid) = found?.valid() else { return Ok(Step::Done(None)) };
            if known.is_of(sessions.renewal_ttl(&valid.record)) {
                return Ok(Step::Done(Some(OpenedSession::new(&sessions, valid, false))));
            }
            Ok(Step::Next(sessions.read_and_renew(key, now, |_, _| ())))
        })
    }

    /// Reads a rolling session, and renews it if that is due. If it is not, `observe` gets it, and for how long it is not.
    pub(super) fn read_and_renew(
        &self,
        key: SessionKey,
        now: Option<Moment>,
        observe: impl FnOnce(&ValidSession, Duration) + Send + 'static,
    ) -> Call<Option<OpenedSession>> {
        let sessions = self.clone();
        self.read(key.clone(), true).then(move |found| {
            let Some(valid) = found.valid() else { return Ok(Step::Done(None)) };
            let ttl = sessions.renewal_ttl(&valid.record);
            // A ttl that was extended must not be shortened.
            if valid.outlasts(ttl - renewal_period(ttl)) {
                sessions.remember_fresh(&key.id, now, &valid, false);
                observe(&valid, sessions.lasts_fresh(&valid, false));
                return Ok(Step::Done(Some(OpenedSession::new(&sessions, valid, false))));
            }
            // The caller only reads, so this is no effect of the call.
            let renewed = sessions.renew(key.clone(), &valid, ttl, Effect::None)?;
            Ok(Step::Next(renewed.map(move |renewed| {
                renewed.then(|| {
                    sessions.remember_fresh(&key.id, now, &valid, true);
                    OpenedSession::new(&sessions, valid, true)
                })
            })))
        })
    }
}
