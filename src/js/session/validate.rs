//! The part of the native class behind `validateSession`: users of tokens, as they are cached.

use cinnabar_core::{
    features::{NearAt, session},
    output::Output,
};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::Sessions;
use crate::js::{
    node_api::RawValue,
    operation::{Empty, Operation},
};

#[napi]
impl Sessions {
    /// Deletes the cached user of a token; returns how many keys were deleted.
    #[napi]
    pub fn invalidate_token(&self, env: Env, token: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("INVALIDATE TOKEN", Empty::Zero), |js| {
            let call = self.sessions.invalidate_token(&session::hash(&js.text(token.raw(), "token")?))?;
            Ok(self.watched(js, call))
        })
    }

    /// Reads a token from the cache: `{ hash, user, stamp }`. `loading` says that a load for it is running in this process.
    #[napi]
    pub fn lookup(&self, env: Env, token: Unknown, loading: Unknown) -> RawValue {
        // Never an empty value: the caller handles an unavailable server itself, so it needs the error.
        let operation = Operation { name: "VALIDATE SESSION", empty: None };
        self.core.submit(env, operation, |js| {
            let (token, loading) = (js.text(token.raw(), "token")?, js.flag(loading.raw(), "loading")?);
            let near = self.open_near(js).map(|open| NearAt { is_missing: true, ..open.now() });
            Ok(self.reporting(js, self.sessions.lookup_near(&token, loading, near)?)?.map(|found| {
                Output::Object(vec![
                    Output::field("hash", found.hash),
                    ("user".into(), found.user.map_or(Output::Null, Output::json)),
                    Output::field("stamp", found.stamp),
                ])
            }))
        })
    }

    /// Caches a loaded user with its possible ids, unless the token or one of these users was invalidated after the lookup.
    #[napi]
    pub fn fill(
        &self,
        env: Env,
        hash: Unknown,
        stamp: Unknown,
        user: Unknown,
        owners: Unknown,
        ttl: Unknown,
    ) -> RawValue {
        let operation = Operation { name: "VALIDATE SESSION", empty: None };
        self.core.submit(env, operation, |js| {
            let (hash, stamp) = (js.text(hash.raw(), "hash")?, js.text(stamp.raw(), "stamp")?);
            let user = self.core.environment().stringify(js, user.raw(), "the loaded user")?;
            let owners = js.texts(owners.raw(), "the ids of the loaded user")?;
            let call = self.sessions.fill(&hash, &stamp, &user, &owners, js.any_number(ttl.raw(), "ttl")?)?;
            Ok(self.watched(js, call))
        })
    }
}
