//! The native class behind the stores for other libraries: express-session and better-auth.

use cinnabar_core::{
    features::adapter::{self, Replaced},
    output::Output,
};
use cinnabar_port::error::Result;
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{
    node_api::{Js, RawValue, Value},
    operation::{Empty, Operation},
    sensitive_keys,
    service::Service,
    service_core::ServiceCore,
};

/// Texts of another library, on one service.
#[napi]
pub struct Adapter {
    core: ServiceCore,
    texts: adapter::Adapter,
}

#[napi]
impl Adapter {
    /// Takes the prefix of the keys.
    #[napi(constructor)]
    pub fn new(env: Env, service: &Service, prefix: Unknown) -> napi::Result<Self> {
        let read = || -> Result<_> {
            let prefix = Js(env.raw()).text(prefix.raw(), "prefix")?;
            let texts = adapter::Adapter::new(&prefix)?;
            sensitive_keys::register(&prefix);
            Ok(texts)
        };
        let texts = read().map_err(|error| service.core.exception(&env, &error))?;
        Ok(Self { core: service.core.clone(), texts })
    }

    /// Returns a text, or null.
    #[napi]
    pub fn get(&self, env: Env, name: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("GET SESSION", Empty::Null), |js| {
            Ok(self.texts.get(&js.any_text(name.raw(), "the name")?).map(text_or_null))
        })
    }

    /// Sets a text, with a ttl in seconds or none.
    #[napi]
    pub fn set(&self, env: Env, name: Unknown, text: Unknown, ttl: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "STORE SESSION", empty: None }, |js| {
            let name = js.any_text(name.raw(), "the name")?;
            self.texts.set(&name, js.text(text.raw(), "the value")?, ttl_of(js, ttl.raw())?)
        })
    }

    /// Replaces a text if it is still `before`. Returns true if it was replaced, the current text if it was changed, and null if it does not exist.
    #[napi]
    pub fn replace(&self, env: Env, name: Unknown, before: Unknown, text: Unknown, ttl: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "STORE SESSION", empty: None }, |js| {
            let name = js.any_text(name.raw(), "the name")?;
            let (before, text) = (js.text(before.raw(), "the value")?, js.text(text.raw(), "the value")?);
            Ok(self.texts.replace(&name, before, text, ttl_of(js, ttl.raw())?)?.map(|replaced| match replaced {
                Replaced::Done => true.into(),
                Replaced::Missing => Output::Null,
                Replaced::Changed(text) => Output::text(text),
            }))
        })
    }

    /// Sets the ttl in seconds; false if there is no such text.
    #[napi]
    pub fn expire(&self, env: Env, name: Unknown, ttl: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("TOUCH SESSION", Empty::False), |js| {
            self.texts.expire(&js.any_text(name.raw(), "the name")?, js.any_number(ttl.raw(), "ttl")?)
        })
    }

    /// Deletes texts; returns how many there were.
    #[napi]
    pub fn remove(&self, env: Env, names: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("DESTROY SESSION", Empty::Zero), |js| {
            Ok(self.texts.remove(&js.each(names.raw(), "the names", Js::any_text)?))
        })
    }

    /// Returns a text and deletes it, or null.
    #[napi]
    pub fn take(&self, env: Env, name: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("TAKE TOKEN", Empty::Null), |js| {
            Ok(self.texts.take(&js.any_text(name.raw(), "the name")?).map(text_or_null))
        })
    }

    /// Increments a counter with a ttl in seconds from its first increment; returns the count.
    #[napi]
    pub fn increment(&self, env: Env, name: Unknown, ttl: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "COUNT LIMIT", empty: None }, |js| {
            self.texts.increment(&js.any_text(name.raw(), "the name")?, js.any_number(ttl.raw(), "ttl")?)
        })
    }

    /// Deletes some of all texts; returns the next cursor, or null without a server.
    #[napi]
    pub fn clear(&self, env: Env, cursor: String, count: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("DESTROY SESSIONS", Empty::Null), |js| {
            let count = js.whole_within(count.raw(), "scanCount", 1..=1_000_000)?;
            Ok(self.texts.clear(cursor, count).map(Output::text))
        })
    }

    /// Some of all names: `{ cursor, names }`, or null without a server.
    #[napi]
    pub fn scan(&self, env: Env, cursor: String, count: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("LIST SESSIONS", Empty::Null), |js| {
            let count = js.whole_within(count.raw(), "scanCount", 1..=1_000_000)?;
            Ok(self.texts.scan(cursor, count).map(|(cursor, names)| {
                Output::Object(vec![Output::field("cursor", cursor), Output::field("names", names)])
            }))
        })
    }
}

fn text_or_null(text: Option<bytes::Bytes>) -> Output {
    text.map_or(Output::Null, Output::text)
}

fn ttl_of(js: Js, ttl: Value) -> Result<Option<f64>> {
    if js.is_nothing(ttl) { Ok(None) } else { js.any_number(ttl, "ttl").map(Some) }
}
