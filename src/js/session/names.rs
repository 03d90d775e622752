//! The keys of sessions, and all sessions under the prefix.

use cinnabar_core::{features::session::Names, output::Output};
use cinnabar_port::error::Result;
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{Sessions, id_of};
use crate::js::{
    node_api::{Js, RawValue},
    operation::Empty,
};

#[napi]
impl Sessions {
    /// Returns the key of a session, or null for what cannot be an id.
    #[napi]
    pub fn key_of(&self, env: Env, id: Unknown) -> napi::Result<Option<String>> {
        let key = || -> Result<_> {
            let Some(id) = id_of(Js(env.raw()), id.raw())? else { return Ok(None) };
            Ok(Some(String::from_utf8_lossy(&self.sessions.key_of(&id)?).into_owned()))
        };
        key().map_err(|error| self.core.exception(&env, &error))
    }

    /// Returns the id of the session under a key, or null.
    #[napi]
    pub fn id_of(&self, env: Env, key: Unknown) -> napi::Result<Option<String>> {
        let key = Js(env.raw()).lookup_text(key.raw(), "key", |_| true);
        Ok(key.map_err(|error| self.core.exception(&env, &error))?.and_then(|key| self.sessions.id_of(&key)))
    }

    /// The names of some sessions: `{ cursor, ids, hashes }`, or null without a server.
    #[napi]
    pub fn scan(&self, env: Env, cursor: String) -> RawValue {
        self.core.submit(env, self.core.operation("LIST SESSIONS", Empty::Null), |_| {
            let texts = |texts: Vec<String>| Output::List(texts.into_iter().map(Output::text).collect());
            Ok(self.sessions.scan(cursor).map(move |Names { cursor, ids, hashes }| {
                Output::Object(vec![
                    Output::field("cursor", cursor),
                    ("ids".into(), texts(ids)),
                    ("hashes".into(), texts(hashes)),
                ])
            }))
        })
    }
}
