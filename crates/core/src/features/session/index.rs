//! Lists the sessions of a user.

use std::collections::HashSet;

use bytes::Bytes;
use cinnabar_port::{Call, Merge, Reply, Request, Step, error::Result, random, script};
use ring::digest::{SHA256, digest};

use super::{
    SessionKey, Sessions,
    contents::Contents,
    group::Group,
    metadata::Record,
    read::{EpochKeys, ReadResult, ValidSession},
};

script!(READ = "session/index_read.lua", keys: 1, args: 0, with: ["clock.lua"]);

/// A session of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedSession {
    /// Its id, or the hash of its token.
    pub id: String,
    /// Whether it is stored under the hash of its token.
    pub is_hashed: bool,
    /// Its public id, which gives no access to it: 128 bits in hexadecimal.
    pub public_id: String,
    /// Its JSON.
    pub json: Bytes,
    /// The remaining ttl in milliseconds, if requested.
    pub ttl_ms: i64,
}

impl Sessions {
    /// Returns the id under which the session of this id or token is stored.
    pub fn stored_id(&self, id: &str) -> Option<String> {
        self.key(id).ok().map(|key| String::from_utf8_lossy(&key.id).into_owned())
    }

    /// Returns a user's sessions, ordered by expiry. `with_ttl` also reads the remaining ttl of each.
    pub fn list(&self, user: &str, with_ttl: bool) -> Result<Call<Vec<ListedSession>>> {
        Ok(self.entries(user, with_ttl)?.map(|Entries { mut listed, .. }| {
            // While its token is being rotated, a session is stored twice.
            let mut seen = HashSet::new();
            listed.retain(|session| seen.insert(session.public_id.clone()));
            listed
        }))
    }

    /// The same, with the other ids in the index.
    pub(super) fn entries(&self, user: &str, with_ttl: bool) -> Result<Call<Entries>> {
        let group = Group::user(user.to_owned());
        let index = group.index_key(&self.0.prefix, Contents::Session)?;
        let epoch = group.epoch_key(&self.0.prefix)?;
        Ok(self.read_entries(Listing { group, index, epoch, with_ttl, rotated: Vec::new() }))
    }

    fn read_entries(&self, mut listing: Listing) -> Call<Entries> {
        let sessions = self.clone();
        Call::round([read_index(listing.index.clone())], move |replies| {
            let ids = ids(replies.last()?)?;
            let epoch = EpochKeys::from_iter([listing.epoch.clone()]);
            let read = |id: &String| {
                let key = sessions.stored_key(id, Contents::Session)?;
                Ok(sessions.read_listed(key, listing.with_ttl, epoch.clone()))
            };
            let calls = ids.iter().map(read).collect::<Result<Vec<_>>>()?;
            Ok(Step::Next(Call::join_all(calls).then(move |found| {
                let mut entries = Entries::default();
                let mut is_outdated = false;
                for (found, id) in found.into_iter().zip(ids) {
                    match found {
                        ReadResult::Valid(valid) if valid.is_of(&listing.group) => {
                            entries.listed.push(ListedSession::new(valid, id));
                        }
                        // Its new token was listed before the old one ended, but perhaps after this list was read.
                        ReadResult::Rotated if !listing.rotated.contains(&id) => {
                            is_outdated = true;
                            listing.rotated.push(id);
                        }
                        ReadResult::Missing | ReadResult::Invalid(_) => entries.missing.push(id),
                        ReadResult::Valid(_) | ReadResult::OtherKind | ReadResult::Rotated => entries.foreign.push(id),
                    }
                }
                Ok(if is_outdated { Step::Next(sessions.read_entries(listing)) } else { Step::Done(entries) })
            })))
        })
    }

    /// Returns the key of a session that was listed.
    pub(super) fn listed_key(&self, session: &ListedSession) -> Result<SessionKey> {
        self.stored_key(&session.id, if session.is_hashed { Contents::Hashed } else { Contents::Session })
    }
}

/// What the index of a user lists.
#[derive(Debug, Default)]
pub struct Entries {
    /// The sessions of the user.
    pub listed: Vec<ListedSession>,
    /// Ids without a valid session: of those that ended, and of those that are being created.
    pub missing: Vec<String>,
    /// Ids of what is not a session of the user, or not any more.
    pub foreign: Vec<String>,
}

/// A user's sessions, while they are read.
struct Listing {
    group: Group,
    index: Bytes,
    epoch: Bytes,
    with_ttl: bool,
    /// The ids whose tokens were found to be rotated.
    rotated: Vec<String>,
}

impl ListedSession {
    fn new(valid: ValidSession, id: String) -> Self {
        Self {
            public_id: public_id_of(&valid.record, &id),
            is_hashed: valid.record.of() == Contents::Hashed,
            id,
            json: valid.record.json,
            ttl_ms: valid.ttl_ms,
        }
    }
}

/// Returns the public id of a session that is stored with this id.
pub fn public_id_of(record: &Record, id: &str) -> String {
    let own = record.metadata.as_ref().and_then(|metadata| metadata.extra.as_ref()?.public_id);
    own.map_or_else(|| public_id(id), |own| random::to_hex(&own))
}

/// Returns the request that reads an index.
pub fn read_index(index: Bytes) -> Request {
    Request::script(&READ, [index]).merging(Merge::Script).reads()
}

/// Returns the public id of a session without a token.
pub fn public_id(id: &str) -> String {
    let text = ["the public id of session ", id].concat();
    random::to_hex(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

/// Reads the ids of an index. Only UTF-8 is ever written there.
pub fn ids(reply: Reply) -> Result<Vec<String>> {
    let text = |id: Reply| Ok(String::from_utf8_lossy(&id.bulk()?.unwrap_or_default()).into_owned());
    reply.array()?.into_iter().map(text).collect()
}
