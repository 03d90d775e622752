//! Sessions and validated users in the memory of this process, so that reading them again costs no call. They depend on their own key
//! and on the epochs of their groups, and a change of either ends them here too.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_port::{Call, error::Result};

use super::{OpenedSession, SessionKey, Sessions, read::ValidSession};
use crate::{
    features::{
        Moment,
        near::{Copy, NearAt, NearEntry, NearKind, NewEntry, Reading},
    },
    keys::Prefix,
};

/// A read that looks near first, and keeps near what it reads if that was read before.
pub struct NearRead {
    sessions: Sessions,
    near: NearAt,
    key: Bytes,
    kind: NearKind,
    reading: Option<Reading>,
}

impl NearRead {
    /// Begins to read this key.
    pub fn new(sessions: &Sessions, near: NearAt, key: &SessionKey) -> Self {
        let epoch_keys = sessions.0.hints.get(&key.id).unwrap_or_default();
        let reading = near.begin(&key.redis_key, &epoch_keys);
        let rolling = sessions.0.rolling && key.of.is_session();
        Self { sessions: sessions.clone(), near, key: key.redis_key.clone(), kind: kind(key, rolling), reading }
    }

    /// Returns what is near, which counts as found near.
    pub fn find(&self) -> Option<Arc<NearEntry>> {
        let entry = if self.near.is_missing { None } else { self.near.find(&self.key, self.kind) };
        entry.inspect(|_| self.sessions.0.counters.count_near())
    }

    /// Whether what is read is to be kept, for which its ttl must be read too.
    pub fn keeps(&self) -> bool {
        self.reading.is_some()
    }

    /// Keeps what was read until its ttl ends, but no longer than `at_most`.
    pub fn keep(self, valid: &ValidSession, at_most: Duration) {
        let Some(reading) = &self.reading else { return self.near.note(&self.key) };
        // What is found under a former token is stored under another key. A session without a ttl was changed by another program.
        let (None, Ok(ttl_ms @ 1..)) = (&valid.successor, u64::try_from(valid.ttl_ms)) else { return };
        let Ok(epoch_keys) = self.sessions.needed(&valid.record) else { return };
        let ttl = Duration::from_millis(ttl_ms).min(at_most);
        // The ttl with which it is renewed, which those who open it need, whatever their absolute ttl is.
        let life = Some(self.sessions.renewal_ttl(&valid.record));
        let new = NewEntry { kind: self.kind, json: &valid.record.json, ttl, life, epoch_keys: &epoch_keys };
        self.near.keep(&self.key, reading, new);
    }
}

/// Returns the kind of a key's value. What a read renews must not be found by reads that do not know when that is due, nor the reverse.
pub(super) fn kind(key: &SessionKey, rolling: bool) -> NearKind {
    NearKind(key.of.byte() + u8::from(rolling))
}

impl Sessions {
    /// Returns the prefix.
    pub fn prefix(&self) -> &Prefix {
        &self.0.prefix
    }

    /// Returns of what its values are decrypted, if they are encrypted.
    pub fn ring(&self) -> Option<[u8; 32]> {
        self.0.encryption.as_ref().map(|ring| ring.digest())
    }

    /// Does what `get_as` does, through the near tier.
    pub fn get_near<T: Send + 'static>(
        &self,
        id: &str,
        now: Option<Moment>,
        near: NearAt,
        convert: impl FnOnce(Option<Bytes>) -> T + Send + 'static,
    ) -> Result<Call<T>> {
        Ok(self.open(id, now, Some(near))?.map(|opened| convert(opened.map(|opened| opened.json))))
    }

    /// Reads a session through the near tier.
    pub(super) fn open_near(&self, key: SessionKey, now: Option<Moment>, near: NearAt) -> Call<Option<OpenedSession>> {
        let (sessions, near) = (self.clone(), NearRead::new(self, near, &key));
        if let Some(entry) = near.find() {
            let ttl = OpenedSession::at_most_absolute(self, entry.life.unwrap_or_default());
            return Call::ready(Some(OpenedSession { json: entry.json.clone(), successor: None, renewed: false, ttl }));
        }
        if self.0.rolling && near.keeps() {
            return self.read_and_renew(key, now, move |valid, lasts| near.keep(valid, lasts));
        }
        if self.0.rolling {
            return self.read_rolling(key, now).inspect(move |opened| {
                if let Ok(Some(_)) = opened {
                    near.near.note(&near.key);
                }
            });
        }
        self.read(key, near.keeps()).map(move |found| {
            let valid = found.valid()?;
            near.keep(&valid, Duration::MAX);
            Some(OpenedSession::new(&sessions, valid, false))
        })
    }

    /// Returns a session for JavaScript, which checks from then on itself that it is right, if it is near.
    pub fn near_session(&self, id: &str, near: &NearAt) -> Option<Copy> {
        let key = self.key(id).ok()?;
        near.copy(&key.redis_key, kind(&key, self.0.rolling))
    }
}
