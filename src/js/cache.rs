//! The native class behind `ApiCache`.

mod loads;
mod near;

use std::{rc::Rc, sync::Arc, time::Duration};

use cinnabar_core::{
    agents::near_watch::NearOptions,
    features::cache::{self, EntryOptions, OnUnavailable, Protection},
    keys,
    output::Output,
};
use cinnabar_port::{Call, error::Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{
    near::NearTier,
    node_api::{Js, RawValue, Value},
    operation::{Empty, Operation},
    option_reader::{Given, OptionReader, Takes},
    service::Service,
    service_core::ServiceCore,
};

/// From how many bytes on values are compressed by default: shorter ones are hardly smaller then.
const COMPRESS_FROM: u64 = 1024;

/// A cache of one service.
#[napi]
pub struct Cache {
    core: ServiceCore,
    cache: cache::Cache,
    on_unavailable: OnUnavailable,
    near: Option<Rc<NearTier>>,
}

#[napi]
impl Cache {
    /// Takes `{ prefix, ttl, onUnavailable, near, clearable, compress, encryption }`.
    #[napi(constructor)]
    pub fn new(env: Env, service: &Service, options: Unknown) -> napi::Result<Self> {
        let js = Js(env.raw());
        let read = || -> Result<_> {
            let ((options, on_unavailable), near) = OptionReader::of(js, options.raw()).cache_with_near()?;
            let cache = cache::Cache::new(cache::Options {
                // If the service is configured to return empty values, the bridge returns them, because it also warns.
                on_unavailable: if service.core.returns_empty() { OnUnavailable::Throw } else { on_unavailable },
                ..options
            })?;
            let near = near.map(|(max_bytes, max_staleness, is_strict)| {
                let (prefix, ring) = (cache.prefix().clone(), cache.ring());
                NearTier::new(NearOptions { prefix, max_bytes, max_staleness, is_strict, ring })
            });
            Ok((cache, on_unavailable, near))
        };
        let (cache, on_unavailable, near) = read().map_err(|error| service.core.exception(&env, &error))?;
        Ok(Self { core: service.core.clone(), cache, on_unavailable, near })
    }

    /// Returns the same object with limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Cache> {
        let core = self.core.within(&env, limits.raw())?;
        Ok(Self { core, cache: self.cache.clone(), on_unavailable: self.on_unavailable, near: self.near.clone() })
    }

    /// Returns the value, or null.
    #[napi]
    pub fn get(&self, env: Env, key: Unknown) -> RawValue {
        self.core.submit_output(env, self.reading(Empty::Null), |js| {
            let (cache, key) = (self.cache.clone(), js.any_text(key.raw(), "key")?);
            let near = self.open_near(js).map(|open| open.now());
            Ok(Call::deferred(move || Ok(cache.get(&key, near).map(json))))
        })
    }

    /// Returns several values, or nulls, in the order of the keys.
    #[napi]
    pub fn get_many(&self, env: Env, keys: Unknown) -> RawValue {
        let js = Js(env.raw());
        let keys = js.each(keys.raw(), "keys", Js::any_text);
        let count = keys.as_ref().map_or(0, Vec::len);
        self.core.submit(env, self.reading(Empty::Nulls(count)), |_| {
            let near = self.open_near(js).map(|open| open.now());
            Ok(self
                .cache
                .get_many(&keys?, near.as_ref())
                .map(|values| Output::List(values.into_iter().map(json).collect())))
        })
    }

    /// Returns for how many seconds the value is still fresh, `Infinity` without an end, or null.
    #[napi]
    pub fn ttl(&self, env: Env, key: Unknown) -> RawValue {
        self.core.submit_output(env, self.reading(Empty::Null), |js| {
            let key = js.any_text(key.raw(), "key")?;
            Ok(self.cache.ttl(&key).map(|fresh| match fresh {
                None => Output::Null,
                Some(Duration::MAX) => Output::Number(f64::INFINITY),
                Some(fresh) => Output::Number(fresh.as_secs_f64()),
            }))
        })
    }

    /// Stores a value.
    #[napi]
    pub fn set(&self, env: Env, key: Unknown, value: Unknown, options: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "SET", empty: None }, |js| {
            let key = js.any_text(key.raw(), "key")?;
            let value = self.core.environment().stringify(js, value.raw(), "value")?;
            let call = self.cache.set(&key, value, entry_options(js, options.raw())?)?;
            Ok(self.watched(js, call))
        })
    }

    /// Stores several: `[{ key, value, ttl, tags, staleWhileRevalidate }, …]`.
    #[napi]
    pub fn set_many(&self, env: Env, entries: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "SET", empty: None }, |js| {
            let entries = js.each_part(entries.raw(), "entries", |entry| {
                let part = |name| js.option(entry, name).map(|value| value.unwrap_or_else(|| js.undefined()));
                let key = js.any_text(part(c"key")?, "key")?;
                let value = self.core.environment().stringify(js, part(c"value")?, "value")?;
                Ok((key, value, entry_options(js, entry)?))
            })?;
            Ok(self.watched(js, self.cache.set_many(entries)?))
        })
    }

    /// Removes a value; returns how many were removed.
    #[napi]
    pub fn invalidate(&self, env: Env, key: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("INVALIDATE", Empty::Zero), |js| {
            let key = js.any_text(key.raw(), "key")?;
            Ok(self.watched(js, self.cache.invalidate(&key)))
        })
    }

    /// Removes several values; returns how many were removed.
    #[napi]
    pub fn invalidate_many(&self, env: Env, keys: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("INVALIDATE", Empty::Zero), |js| {
            let keys = js.each(keys.raw(), "keys", Js::any_text)?;
            Ok(self.watched(js, self.cache.invalidate_many(&keys)))
        })
    }

    /// Makes every entry with a tag a miss.
    #[napi]
    pub fn invalidate_by_tag(&self, env: Env, tag: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "INVALIDATE", empty: None }, |js| {
            let tag = js.any_text(tag.raw(), "tag")?;
            Ok(self.watched(js, self.cache.invalidate_by_tag(&tag)))
        })
    }

    /// Makes every entry with a tag stale.
    #[napi]
    pub fn expire_by_tag(&self, env: Env, tag: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "INVALIDATE", empty: None }, |js| {
            let tag = js.any_text(tag.raw(), "tag")?;
            Ok(self.watched(js, self.cache.expire_by_tag(&tag)))
        })
    }

    /// Invalidates every entry.
    #[napi]
    pub fn clear(&self, env: Env) -> RawValue {
        self.core
            .submit(env, Operation { name: "INVALIDATE", empty: None }, |js| Ok(self.watched(js, self.cache.clear()?)))
    }

    /// Some of all names: `{ cursor, names }`, or null without a server.
    #[napi]
    pub fn scan(&self, env: Env, cursor: String, count: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("GET", Empty::Null), |js| {
            let count = js.whole_within(count.raw(), "scanCount", 1..=1_000_000)?;
            Ok(self.cache.scan(cursor, count).map(|(cursor, names)| {
                Output::Object(vec![Output::field("cursor", cursor), Output::field("names", names)])
            }))
        })
    }

    /// Removes every entry whose name matches a glob; returns how many.
    #[napi]
    pub fn invalidate_by_pattern(&self, env: Env, pattern: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("INVALIDATE", Empty::Zero), |js| {
            let call = self.cache.invalidate_by_pattern(&js.text(pattern.raw(), "pattern")?)?;
            Ok(self.watched(js, call))
        })
    }

    /// Returns `cache:{endpoint}:{hash}` for the canonical text of the parameters.
    #[napi]
    pub fn key_for(&self, env: Env, endpoint: Unknown, params: Unknown) -> napi::Result<RawValue> {
        let js = Js(env.raw());
        let key = || -> Result<Value> {
            let (endpoint, params) = (js.any_text(endpoint.raw(), "endpoint")?, js.text(params.raw(), "params")?);
            js.string(cache::Cache::key_for(&endpoint, &params)?.as_bytes())
        };
        key().map(RawValue).map_err(|error| self.core.exception(&env, &error))
    }

    /// Returns `{ hits, staleHits, misses, errors, nearHits }`.
    #[napi]
    pub fn stats(&self, env: Env) -> RawValue {
        let stats = self.cache.stats();
        RawValue(Js(env.raw()).counts(&[
            (c"hits", stats.hits),
            (c"staleHits", stats.stale_hits),
            (c"misses", stats.misses),
            (c"errors", stats.errors),
            (c"nearHits", stats.near_hits),
        ]))
    }
}

impl Cache {
    /// Returns the operation of a read: its empty value depends on the service, unless this cache is configured for errors.
    fn reading(&self, empty: Empty) -> Operation {
        match self.on_unavailable {
            OnUnavailable::Miss => self.core.operation("GET", empty),
            OnUnavailable::Throw => Operation { name: "GET", empty: None },
        }
    }
}

impl OptionReader<'_> {
    /// Returns the options of a cache, and what its reads do without a server.
    pub fn cache(self) -> Result<(cache::Options, OnUnavailable)> {
        let (prefix, ttl) =
            (self.text(c"prefix", Some(keys::CACHE))?, self.ttl(c"ttl", Some(cache::DEFAULT_TTL_SECONDS))?);
        let policies = [("miss", OnUnavailable::Miss), ("throw", OnUnavailable::Throw)];
        let on_unavailable = self.word_or(c"onUnavailable", policies, OnUnavailable::Miss)?;
        let clearable = self.flag(c"clearable", false)?;
        let protection =
            Protection { compress_from: self.compress_from()?, encryption: self.encryption()?.map(Arc::new) };
        Ok((cache::Options { prefix, ttl, on_unavailable, clearable, protection }, on_unavailable))
    }

    /// Returns the same, and those of its near tier.
    #[allow(clippy::type_complexity, reason = "it is taken apart at once")]
    pub fn cache_with_near(self) -> Result<((cache::Options, OnUnavailable), Option<(u64, Duration, bool)>)> {
        let near = self.near()?;
        Ok((self.cache()?, near))
    }

    /// Returns from how many bytes on values are compressed, if they are.
    fn compress_from(self) -> Result<Option<usize>> {
        let short = |js: Js, value, label: &str| {
            if js.as_boolean(value).is_some() { js.flag(value, label).map(Some) } else { Ok(None) }
        };
        match self.group_or(c"compress", "true, false or an object", short)? {
            None | Some(Given::Short(false)) => Ok(None),
            Some(Given::Short(true)) => Ok(Some(COMPRESS_FROM as usize)),
            Some(Given::Group(group)) => {
                group.whole_or(c"minBytes", 1..=1 << 30, COMPRESS_FROM).map(|bytes| Some(bytes as usize))
            }
        }
    }

    /// Returns the options of storing a value.
    pub fn entry(self) -> Result<EntryOptions> {
        let tags = |js: Js, value, label: &str| js.each(value, label, Js::any_text);
        Ok(EntryOptions {
            ttl: self.ttl(c"ttl", None)?,
            tags: self.read(c"tags", Takes::a("an array of strings"), tags)?.unwrap_or_default(),
            stale_while_revalidate: self.ttl(c"staleWhileRevalidate", None)?,
            stale_if_error: self.ttl(c"staleIfError", None)?,
            is_eager: false,
        })
    }
}

fn json(value: Option<bytes::Bytes>) -> Output {
    value.map_or(Output::Null, Output::json)
}

fn entry_options(js: Js, options: Value) -> Result<EntryOptions> {
    OptionReader::of(js, options).entry()
}
