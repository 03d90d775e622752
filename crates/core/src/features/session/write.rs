//! Writes sessions with the epochs of their groups.
//!
//! A session records the epochs that its groups have once it is in their indexes, so writing one takes two rounds. A new session
//! takes one, if this process knows these epochs: it is written with them in the same round. If one has changed since, the
//! session is invalid, like all earlier ones of the group, and is written again before the caller gets its id. An epoch never returns,
//! so an outdated one cannot make a session valid.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{Call, Replies, Reply, Request, Step, error::Result, random::to_hex};

use super::{
    SessionKey, Sessions,
    ending::{Ending, Reason},
    group::{Epoch, Group, GroupEpoch, Kind, group_states},
    index::public_id,
    metadata::{Extra, Metadata},
    put::{Bound, put},
    read::EpochKeys,
    set, taken,
    update::damaged_epoch,
};

/// A session that is about to be written.
pub struct SessionWrite {
    pub sessions: Sessions,
    pub key: SessionKey,
    /// The owner, if there is one, and the tags.
    pub groups: Vec<Group>,
    pub json: Vec<u8>,
    pub ttl: Duration,
    pub extra: Option<Box<Extra>>,
}

impl SessionWrite {
    /// Adds the session to the indexes of its groups, then writes it with their epochs. Dropping a group in between therefore
    /// ends the session too. Returns false if the request had no effect.
    pub fn write(
        self,
        request: impl FnOnce(&SessionKey, Bytes, Duration) -> Request + Send + 'static,
    ) -> Result<Call<bool>> {
        let requests = self.add_to_indexes()?;
        Ok(Call::round(requests, move |replies| {
            let epochs = self.group_states(replies.all()?)?;
            self.write_with(epochs, request).map(Step::Next)
        }))
    }

    /// Writes a session that was admitted to the index of its user, who has this epoch. It is added to the indexes of its tags first.
    pub fn write_admitted(
        self,
        epoch: Epoch,
        request: impl FnOnce(&SessionKey, Bytes, Duration) -> Request + Send + 'static,
    ) -> Result<Call<bool>> {
        let requests = self.add_to_indexes()?.split_off(1);
        Ok(Call::round(requests, move |replies| {
            let mut epochs = vec![epoch];
            epochs.extend(self.group_states(replies.all()?)?);
            self.write_with(epochs, request).map(Step::Next)
        }))
    }

    /// Writes a session under a new id. Returns false if the id is already in use.
    pub fn write_new(self) -> Result<Call<bool>> {
        let needed = self.needed()?;
        let Some(known) = needed.iter().map(|key| self.sessions.0.epochs.get(key)).collect::<Option<Vec<_>>>() else {
            let put = self.put(true);
            return self.write(put);
        };
        let mut requests = self.add_to_indexes()?;
        requests.push(self.put(true)(&self.key, self.encoded(&known)?, self.ttl));
        Ok(Call::round(requests, move |replies: Replies| {
            let replies = replies.all().inspect_err(|_| {
                // If the store rejects writes, the next call should fail in its first round, before it writes anything.
                needed.iter().for_each(|key| self.sessions.0.epochs.remove(key));
            });
            let mut replies = replies?;
            if replies.pop().is_none_or(|stored| stored == Reply::Nil) {
                return Ok(Step::Done(false));
            }
            let epochs = self.group_states(replies)?;
            if epochs == known {
                self.sessions.hint(&self.key.id, &needed);
                return Ok(Step::Done(true));
            }
            let put = self.put(false);
            self.write_with(epochs, put).map(Step::Next)
        }))
    }

    /// What is published once it is written, if its manager publishes new sessions.
    pub fn created(&self) -> Option<Ending> {
        let own = self.extra.as_ref().and_then(|extra| extra.public_id);
        let public_id = own.map_or_else(|| public_id(&String::from_utf8_lossy(&self.key.id)), |own| to_hex(&own));
        let user = self.groups.iter().find(|group| group.kind == Kind::User).map(|group| group.name.clone());
        self.sessions.0.events.then(|| Ending { goes_on: true, ..Ending::of_session(Reason::Created, public_id, user) })
    }

    /// Returns the request that writes the value. With `is_new` it writes only if the key has no value yet.
    pub fn put(&self, is_new: bool) -> impl FnOnce(&SessionKey, Bytes, Duration) -> Request + use<> {
        let absolute = self.sessions.0.absolute_ttl;
        move |key, value, ttl| match absolute {
            None => set(key.redis_key.clone(), value, ttl, is_new.then_some("NX")),
            Some(absolute) => put(key.redis_key.clone(), value, ttl, Bound::After(absolute), is_new.then(Bytes::new)),
        }
    }

    fn add_to_indexes(&self) -> Result<Vec<Request>> {
        self.sessions.add_to_indexes(&self.groups, self.key.of, &self.key.id, self.ttl)
    }

    fn group_states(&self, replies: impl IntoIterator<Item = Reply>) -> Result<Vec<Epoch>> {
        let known = group_states(replies)?.into_iter().collect::<Option<Vec<_>>>().ok_or_else(damaged_epoch)?;
        Ok(known.into_iter().map(|known| known.epoch).collect())
    }

    /// Returns the keys of the epochs of its groups.
    fn needed(&self) -> Result<EpochKeys> {
        self.groups.iter().map(|group| group.epoch_key(&self.sessions.0.prefix)).collect()
    }

    fn encoded(&self, epochs: &[Epoch]) -> Result<Bytes> {
        let group_epochs =
            self.groups.iter().zip(epochs).map(|(group, epoch)| GroupEpoch { group: group.clone(), epoch: *epoch });
        let (owners, group_epochs): (Vec<_>, Vec<_>) =
            group_epochs.partition(|recorded| recorded.group.kind == Kind::User);
        let owner = owners.first().map(|recorded| recorded.epoch);
        let extra = self.extra.clone();
        let tail = Metadata { of: self.key.of, ttl: self.ttl, owner, group_epochs, extra }.encode();
        self.sessions.stored_value(&self.key.id, &self.json, &tail)
    }

    fn write_with(
        self,
        epochs: Vec<Epoch>,
        request: impl FnOnce(&SessionKey, Bytes, Duration) -> Request,
    ) -> Result<Call<bool>> {
        let needed = self.needed()?;
        let write = request(&self.key, self.encoded(&epochs)?, self.ttl);
        Ok(Call::new(write, move |reply| {
            let stored = !matches!(reply, Reply::Nil | Reply::Int(0));
            if stored {
                self.sessions.hint(&self.key.id, &needed);
                needed.iter().zip(epochs).for_each(|(key, epoch)| self.sessions.0.epochs.insert(key, epoch));
            }
            Ok(stored)
        }))
    }
}

impl Sessions {
    /// Writes a session under a new id or token, which it returns.
    pub(super) fn write_new(&self, write: SessionWrite, id: String) -> Result<Call<String>> {
        let (sessions, created) = (self.clone(), write.created());
        Ok(write.write_new()?.then(move |stored| sessions.created(stored, created, id)))
    }

    /// Returns the id of a session that was stored, once that is published.
    pub(super) fn created(&self, stored: bool, created: Option<Ending>, id: String) -> Result<Step<String>> {
        if stored { self.announce(created, move || Ok(Step::Done(id))) } else { Err(taken()) }
    }
}
