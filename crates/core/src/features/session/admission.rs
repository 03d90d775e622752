//! Limits how many sessions a user has at once.
//!
//! The script that admits a session to the user's index does so only if the index is as it was read, so no two sessions take the last
//! place. What has to end is removed from the index in the same run, and deleted before the new session is written. At the end the new
//! session must still be in the index: if another one has taken its place meanwhile, it is deleted and its token is never returned.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{
    Call, Merge, Reply, Request, Step,
    error::{Error, Kind, Result},
    script,
};

use super::{
    MAX_ROUNDS, SLACK, Sessions,
    contents::Contents,
    destroy::Dropped,
    ending::{Ending, Reason},
    group::{Epoch, Group, GroupState},
    index::{Entries, ListedSession, ids},
    read::EpochKeys,
    update::damaged_epoch,
    write::SessionWrite,
};
use crate::{features::ttl, keys};

script!(ADMIT = "session/admit.lua", keys: 4, args: 8, with: ["clock.lua", "session/index_entries.lua"]);
script!(CONFIRM = "session/confirm.lua", keys: 2, args: 2);

/// How long a session counts as under creation, whose id has a place before there is a session.
const CREATION: Duration = Duration::from_secs(10);
/// Rounds after which sessions under creation have to make room.
const PATIENCE: usize = 3;

/// What happens if a user who has as many sessions as allowed signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// The session that was created first ends.
    #[default]
    EndOldest,
    /// The session whose ttl was not renewed for the longest time ends.
    EndIdle,
    /// The new session is not created.
    Reject,
}

/// A limit of sessions per user.
#[derive(Debug, Clone, Copy)]
pub struct PerUser {
    /// How many.
    pub most: usize,
    /// What happens to one more.
    pub when_full: WhenFull,
}

/// A session that is to be admitted.
struct Admission {
    limit: PerUser,
    user: String,
    write: SessionWrite,
    /// Sessions that are being created, and have to make room.
    yielding: Vec<String>,
    rounds: usize,
}

impl Sessions {
    /// Writes a new session of a user; returns the sessions that ended for it, or `None` if other sign-ins took its place.
    ///
    /// # Errors
    /// `E_TOO_MANY_SESSIONS` if the user has as many as allowed and none may end.
    pub(super) fn admit(
        &self,
        limit: PerUser,
        user: String,
        write: SessionWrite,
    ) -> Result<Call<Option<Vec<ListedSession>>>> {
        Admission { limit, user, write, yielding: Vec::new(), rounds: 0 }.begin()
    }
}

impl Admission {
    fn begin(mut self) -> Result<Call<Option<Vec<ListedSession>>>> {
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Ok(Call::ready(None));
        }
        let entries = self.write.sessions.entries(&self.user, true)?;
        Ok(entries.then(move |Entries { listed: mut live, mut missing, foreign }| {
            live.sort_by(|one, other| match self.limit.when_full {
                WhenFull::EndIdle => one.ttl_ms.cmp(&other.ttl_ms),
                _ => created_at(one).cmp(&created_at(other)),
            });
            self.yielding.retain(|id| missing.contains(id));
            missing.retain(|id| !self.yielding.contains(id));
            // While its token is being rotated, a session is listed twice.
            let distinct: HashSet<_> = live.iter().map(|session| &session.public_id).collect();
            let surplus = (distinct.len() + 1).saturating_sub(self.limit.most);
            if surplus > 0 && self.limit.when_full == WhenFull::Reject {
                return Err(too_many(self.limit.most));
            }
            let mut doomed = HashSet::new();
            for session in &live {
                if doomed.len() < surplus {
                    doomed.insert(session.public_id.clone());
                }
            }
            let (ending, kept) = live.into_iter().partition(|session| doomed.contains(&session.public_id));
            self.ask(kept, ending, missing, foreign).map(Step::Next)
        }))
    }

    /// Asks for admission beside the sessions that are kept, while others are ending.
    fn ask(
        self,
        kept: Vec<ListedSession>,
        ending: Vec<ListedSession>,
        missing: Vec<String>,
        foreign: Vec<String>,
    ) -> Result<Call<Option<Vec<ListedSession>>>> {
        let (prefix, write) = (&self.write.sessions.0.prefix, &self.write);
        let group = Group::user(self.user.clone());
        let args = [
            group.index_key(prefix, Contents::Session)?,
            group.epoch_key(prefix)?,
            keys::user_arrivals(prefix, &self.user)?,
            keys::user_departures(prefix, &self.user)?,
            write.key.id.clone(),
            ttl::millis(write.ttl + SLACK),
            Epoch::random()?.text(),
            self.limit.most.to_string().into(),
            ttl::millis(CREATION),
            numbered(&kept),
            list(&missing),
            list(ending.iter().map(|session| &session.id).chain(&self.yielding).chain(&foreign)),
        ];
        let request = Request::script(&ADMIT, args).merging(Merge::Script).without_effect();
        Ok(Call::round([request], move |replies| {
            let mut reply = replies.last()?.array()?.into_iter();
            let Some(state) = reply.next().map(Reply::bulk).transpose()?.flatten() else {
                return self.begin().map(Step::Next);
            };
            if state.is_empty() {
                return self.make_room(reply.next().unwrap_or(Reply::Nil)).map(Step::Next);
            }
            let epoch = GroupState::read(Some(&state)).ok_or_else(damaged_epoch)?.epoch;
            self.end(ending, ids(reply.next().unwrap_or(Reply::Nil))?, epoch).map(Step::Next)
        }))
    }

    /// Other sessions are being created, and would be too many.
    fn make_room(mut self, arriving: Reply) -> Result<Call<Option<Vec<ListedSession>>>> {
        if self.limit.when_full == WhenFull::Reject {
            return Err(too_many(self.limit.most));
        }
        // Most have been written when they are read again.
        if self.rounds < PATIENCE {
            return self.begin();
        }
        self.yielding.extend(ids(arriving)?);
        self.begin()
    }

    /// Deletes what has to end for this or for earlier sign-ins of the user, then writes the session.
    fn end(
        self,
        ending: Vec<ListedSession>,
        departing: Vec<String>,
        epoch: Epoch,
    ) -> Result<Call<Option<Vec<ListedSession>>>> {
        let sessions = self.write.sessions.clone();
        let group = Group::user(self.user.clone());
        let epoch_keys = EpochKeys::from_iter([group.epoch_key(&sessions.0.prefix)?]);
        let read = |id: &String| {
            let key = sessions.stored_key(id, Contents::Session)?;
            Ok(sessions.read_listed(key, false, epoch_keys.clone()))
        };
        let reads = departing.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(Call::join_all(reads).then(move |found| {
            let mut doomed = Vec::new();
            for (found, id) in found.into_iter().zip(&departing) {
                // Not one that has another user by now.
                let Some(valid) = found.valid().filter(|valid| valid.is_of(&group)) else { continue };
                doomed.push((sessions.stored_key(id, valid.record.of())?, Bytes::new()));
            }
            // These may be written at any time.
            for id in &self.yielding {
                for of in [Contents::Session, Contents::Hashed] {
                    doomed.push((sessions.stored_key(id, of)?, Bytes::new()));
                }
            }
            let ended = sessions.delete_all(doomed, Vec::new(), Vec::new(), Dropped::default())?;
            Ok(Step::Next(ended.then(move |_| self.write(ending, &departing, epoch).map(Step::Next))))
        }))
    }

    fn write(
        self,
        ending: Vec<ListedSession>,
        ended: &[String],
        epoch: Epoch,
    ) -> Result<Call<Option<Vec<ListedSession>>>> {
        let Self { user, write, .. } = self;
        let (sessions, key) = (write.sessions.clone(), write.key.clone());
        let endings: HashSet<_> = ending.iter().map(|session| session.public_id.clone()).collect();
        let of_user = user.clone();
        let endings = endings.into_iter().map(move |id| Ending::of_session(Reason::Limit, id, Some(of_user.clone())));
        let departures = keys::user_departures(&sessions.0.prefix, &user)?;
        let index = Group::user(user).index_key(&sessions.0.prefix, Contents::Session)?;
        let confirm = Request::script(&CONFIRM, [index, departures, key.id.clone(), list(ended)]);
        let confirm = confirm.merging(Merge::Script).idempotent().without_effect();
        let put = write.put(true);
        Ok(write.write_admitted(epoch, put)?.then(move |stored| {
            Ok(Step::Next(Call::round([confirm], move |replies| {
                let reply = replies.last()?;
                if !stored {
                    return Err(super::taken());
                }
                let destroyed = if reply == Reply::Int(1) { None } else { Some(sessions.destroy_at(key)?) };
                sessions.announce(endings, move || match destroyed {
                    None => Ok(Step::Done(Some(ending))),
                    Some(destroyed) => Ok(Step::Next(destroyed.map(|_| None))),
                })
            })))
        }))
    }
}

/// Lists the ids of sessions with a number for each session.
fn numbered(sessions: &[ListedSession]) -> Bytes {
    let mut numbers = HashMap::new();
    let mut text = Vec::new();
    for session in sessions {
        let next = numbers.len();
        let number = numbers.entry(&session.public_id).or_insert(next);
        text.extend_from_slice(format!("{number}:{}\0", session.id).as_bytes());
    }
    text.into()
}

/// When a session was created, by the clock of the process that did it.
fn created_at(session: &ListedSession) -> Option<String> {
    crate::features::json::Object::parse(&session.json)?.name("createdAt")
}

/// Ids have no NUL.
fn list<'a>(ids: impl IntoIterator<Item = &'a String>) -> Bytes {
    ids.into_iter().flat_map(|id| [id.as_bytes(), b"\0"]).flatten().copied().collect::<Vec<_>>().into()
}

fn too_many(most: usize) -> Error {
    Error::new(Kind::TooManySessions, format!("the user has {most} sessions, which are as many as allowed"))
}
