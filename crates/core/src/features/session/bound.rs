//! Connections that are bound to a session: whether the session still exists, and the state of a connection in the store.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_port::{Call, Merge, Request, Step, error::Result, script};

use super::{
    Sessions,
    group::Kind,
    index::{ids, public_id_of, read_index},
    set,
};
use crate::{
    features::{
        json::{self, Object},
        ttl,
    },
    keys,
};

script!(CONNECTION_DROP = "session/connection_drop.lua", keys: 1, args: 1);
script!(CONNECTION_ADD = "session/connection_add.lua", keys: 1, args: 2, with: ["clock.lua", "session/index_entries.lua"]);

/// How many leases an index entry of a connection lasts. The state of the connection is decisive.
const INDEX_LEASES: u32 = 8;
/// Fields of a connection's state that are not the application's.
const OWN_FIELDS: [&str; 4] = ["connectionId", "userId", "session", "connectedAt"];

/// A session that a connection is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundSession {
    /// Its public id.
    pub public_id: String,
    /// Its user.
    pub user: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its remaining ttl, if requested. `None` for a session that never expires too.
    pub ttl: Option<Duration>,
    /// Its token, if the one that was given has been rotated.
    pub successor: Option<Arc<str>>,
}

impl Sessions {
    /// Returns the session with this id or token without renewing it, or `None`. `with_ttl` also reads its remaining ttl.
    pub fn bound(&self, token: &str, with_ttl: bool) -> Result<Call<Option<BoundSession>>> {
        let key = self.key(token)?;
        Ok(self.read(key.clone(), with_ttl).map(move |found| {
            let valid = found.valid()?;
            let id = String::from_utf8_lossy(&key.id);
            Some(BoundSession {
                public_id: public_id_of(&valid.record, &id),
                user: valid.record.owner().map(|owner| owner.name.clone()),
                tags: valid
                    .record
                    .groups()
                    .filter(|group| group.kind == Kind::Tag)
                    .map(|tag| tag.name.clone())
                    .collect(),
                ttl: u64::try_from(valid.ttl_ms).ok().filter(|_| with_ttl).map(Duration::from_millis),
                successor: valid.successor.and_then(|key| key.token),
            })
        }))
    }

    /// Returns the state of a connection: `{ userId, session, connectedAt, ...fields }`, where `session` is a public id. `connected_at` is an
    /// ISO time, and `fields` the text of a JSON object, whose own fields of these names are ignored.
    pub fn connection_state(&self, session: &BoundSession, connected_at: &str, fields: &str) -> Result<Bytes> {
        let user = session.user.as_deref().map(json::string).transpose()?;
        let (public_id, connected_at) = (json::string(&session.public_id)?, json::string(connected_at)?);
        let mut own = Object::default();
        if let Some(user) = &user {
            own.set("userId", user);
        }
        own.set("session", &public_id);
        own.set("connectedAt", &connected_at);
        let mut fields = Object::argument("state", fields.as_bytes())?;
        OWN_FIELDS.iter().for_each(|name| fields.remove(name));
        Ok(own.spread(fields).to_bytes()?.into())
    }

    /// Stores the state of a connection for a lease. `indexed` also adds it to the index of its user.
    pub fn keep_connection(
        &self,
        id: &str,
        user: Option<&str>,
        state: Bytes,
        lease: Duration,
        indexed: bool,
    ) -> Result<Call<()>> {
        let mut requests = vec![set(keys::connection(&self.0.connections, id)?, state, lease, None).idempotent()];
        if let Some(user) = user.filter(|_| indexed) {
            let index = keys::user_connections(&self.0.connections, user)?;
            let args = [index, Bytes::copy_from_slice(id.as_bytes()), ttl::millis(lease * INDEX_LEASES)];
            requests.push(Request::script(&CONNECTION_ADD, args).merging(Merge::Script).idempotent());
        }
        Ok(Call::round(requests, |replies| replies.all().map(|_| Step::Done(()))))
    }

    /// Deletes the state of a connection, unless another connection has taken its id.
    pub fn drop_connection(&self, id: &str, user: Option<&str>, state: Bytes) -> Result<Call<()>> {
        let index = user.map(|user| keys::user_connections(&self.0.connections, user)).transpose()?;
        let member = Bytes::copy_from_slice(id.as_bytes());
        let drop = Request::script(&CONNECTION_DROP, [keys::connection(&self.0.connections, id)?, state]);
        Ok(Call::round([drop.merging(Merge::Script).idempotent()], move |replies| {
            let is_deleted = replies.last()?.int()? > 0;
            let Some(index) = index.filter(|_| is_deleted) else { return Ok(Step::Done(())) };
            let remove = Request::keyed("ZREM", [index, member]).idempotent();
            Ok(Step::Next(Call::new(remove, |_| Ok(()))))
        }))
    }

    /// Returns the connections of a user, as the text of a JSON array of `{ connectionId, ...state }`.
    pub fn connections(&self, user: &str) -> Result<Call<Bytes>> {
        let prefix = self.0.connections.clone();
        let read = read_index(keys::user_connections(&prefix, user)?);
        let user = user.to_owned();
        Ok(Call::round([read], move |replies| {
            let ids = ids(replies.last()?)?;
            let get = |id: &String| Ok(Request::get(keys::connection(&prefix, id)?));
            let requests = ids.iter().map(get).collect::<Result<Vec<_>>>()?;
            if requests.is_empty() {
                return Ok(Step::Done(Bytes::from_static(b"[]")));
            }
            Ok(Step::Next(Call::round(requests, move |replies| {
                let mut states = Vec::new();
                for (id, reply) in ids.iter().zip(replies.all()?) {
                    let Some(state) = reply.bulk()? else { continue };
                    // A connection of another user has taken the id.
                    let Some(mut state) =
                        Object::parse(&state).filter(|state| state.name("userId").as_ref() == Some(&user))
                    else {
                        continue;
                    };
                    state.remove("connectionId");
                    let id = json::string(id)?;
                    let mut first = Object::default();
                    first.set("connectionId", &id);
                    states.push(String::from_utf8_lossy(&first.spread(state).to_bytes()?).into_owned());
                }
                Ok(Step::Done(format!("[{}]", states.join(",")).into()))
            })))
        }))
    }
}
