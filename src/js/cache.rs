//! The native class behind `ApiCache`.

mod near;

use std::{rc::Rc, time::Duration};

use cinnabar_core::{
    agents::near_watch::NearOptions,
    features::cache::{self, Claim, EntryOptions, Lease, LoadOptions, LoadStart, OnUnavailable, changing_all},
    keys,
    output::Output,
};
use cinnabar_port::{Call, error::Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use self::near::NearTier;
use super::{
    node_api::{Js, RawValue, Value},
    operation::{Empty, Operation},
    option_reader::{OptionReader, Takes},
    service::Service,
    service_core::ServiceCore,
};

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
    /// Takes `{ prefix, ttl, onUnavailable, near }`.
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
                NearTier::new(NearOptions { prefix: cache.prefix().clone(), max_bytes, max_staleness, is_strict })
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
            Ok(self.changing(js, &key, call))
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
            let keys: Vec<_> = entries.iter().map(|(key, ..)| key.clone()).collect();
            let call = self.cache.set_many(entries)?;
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            Ok(self.cache.changing(&keys, self.nears(js), call))
        })
    }

    /// Removes a value; returns how many were removed.
    #[napi]
    pub fn invalidate(&self, env: Env, key: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("INVALIDATE", Empty::Zero), |js| {
            let key = js.any_text(key.raw(), "key")?;
            Ok(self.changing(js, &key, self.cache.invalidate(&key)))
        })
    }

    /// Removes several values; returns how many were removed.
    #[napi]
    pub fn invalidate_many(&self, env: Env, keys: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("INVALIDATE", Empty::Zero), |js| {
            let keys = js.each(keys.raw(), "keys", Js::any_text)?;
            let names: Vec<_> = keys.iter().map(String::as_str).collect();
            Ok(self.cache.changing(&names, self.nears(js), self.cache.invalidate_many(&keys)))
        })
    }

    /// Makes every entry with a tag a miss.
    #[napi]
    pub fn invalidate_by_tag(&self, env: Env, tag: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "INVALIDATE", empty: None }, |js| {
            let tag = js.any_text(tag.raw(), "tag")?;
            Ok(self.cache.changing_tag(&tag, self.nears(js), self.cache.invalidate_by_tag(&tag)))
        })
    }

    /// Removes every entry whose name matches a glob; returns how many.
    #[napi]
    pub fn invalidate_by_pattern(&self, env: Env, pattern: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("INVALIDATE", Empty::Zero), |js| {
            let call = self.cache.invalidate_by_pattern(&js.text(pattern.raw(), "pattern")?)?;
            Ok(changing_all(self.nears(js), call))
        })
    }

    /// Reads the entry before a load that may take this many milliseconds: `{ state, value }`, with the lease for `fill` on a miss and in
    /// grace: `{ state, value, mark, tags }`.
    #[napi]
    pub fn begin(&self, env: Env, key: Unknown, load_ms: f64, options: Unknown) -> RawValue {
        // Never an empty value: the caller would take the cache for available.
        self.core.submit_output(env, Operation { name: "GET", empty: None }, |js| {
            let (cache, key) = (self.cache.clone(), js.any_text(key.raw(), "key")?);
            let load = load_options(js, load_ms, options.raw())?;
            let near = self.open_near(js).map(|open| open.now());
            Ok(Call::deferred(move || Ok(cache.begin(&key, load, near)?.map(start_output))))
        })
    }

    /// Opens a lease for a load that may take this many milliseconds, whether there is an entry or not: `{ state, mark, tags
    /// }`.
    #[napi]
    pub fn open(&self, env: Env, key: Unknown, load_ms: f64, options: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "GET", empty: None }, |js| {
            let load = load_options(js, load_ms, options.raw())?;
            Ok(self
                .cache
                .open(&js.any_text(key.raw(), "key")?, load)?
                .map(|lease| lease_output("open", None, Some(lease))))
        })
    }

    /// Stores the value of a load, given as JSON. `mark` and `marks`, those of the tags in `options`, are its lease. Returns
    /// false if the key was written or removed after the lease was opened.
    #[napi]
    pub fn fill(
        &self,
        env: Env,
        key: Unknown,
        mark: Unknown,
        marks: Unknown,
        value: Unknown,
        options: Unknown,
    ) -> RawValue {
        self.core.submit(env, Operation { name: "SET", empty: None }, |js| {
            let key = js.any_text(key.raw(), "key")?;
            let lease = Lease { id: js.text(mark.raw(), "mark")?, tag_epochs: js.texts(marks.raw(), "marks")? };
            let value = js.text(value.raw(), "the loaded value")?;
            let call = self.cache.fill(&key, value, lease, entry_options(js, options.raw())?)?;
            Ok(self.changing(js, &key, call))
        })
    }

    /// Releases the lease of a load that produced no value.
    #[napi]
    pub fn release(&self, env: Env, key: Unknown, mark: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "SET", empty: None }, |js| {
            Ok(self.cache.release(&js.any_text(key.raw(), "key")?, js.text(mark.raw(), "mark")?))
        })
    }

    /// Reads an entry again, which another process may have loaded meanwhile. Resolves to `{ state, value }`, without a value on a miss.
    #[napi]
    pub fn find(&self, env: Env, key: Unknown) -> RawValue {
        self.core.submit_output(env, Operation { name: "GET", empty: None }, |js| {
            Ok(self.cache.poll(&js.any_text(key.raw(), "key")?).map(start_output))
        })
    }

    /// Claims the load of a key for so many ms: resolves to `token`, to that of another process, or to null if the one of `waited_for` has
    /// got no value.
    #[napi]
    pub fn claim(&self, env: Env, key: Unknown, token: String, ttl_ms: f64, waited_for: String) -> RawValue {
        self.core.submit_output(env, Operation { name: "GET", empty: None }, |js| {
            let key = js.any_text(key.raw(), "key")?;
            Ok(self.cache.claim(&key, &token, millis(ttl_ms), &waited_for).map(move |claim| match claim {
                Claim::Won => Output::text(token),
                Claim::Taken(other) => Output::text(other),
                Claim::Failed => Output::Null,
            }))
        })
    }

    /// Renews a claim; resolves to false if another process may have it.
    #[napi]
    pub fn renew_claim(&self, env: Env, key: Unknown, token: String, ttl_ms: f64) -> RawValue {
        self.core.submit(env, Operation { name: "SET", empty: None }, |js| {
            Ok(self.cache.renew_claim(&js.any_text(key.raw(), "key")?, &token, millis(ttl_ms)))
        })
    }

    /// Ends a claim after its load; `failed` if that has produced no value.
    #[napi]
    pub fn end_claim(&self, env: Env, key: Unknown, token: String, failed: bool) -> RawValue {
        self.core.submit(env, Operation { name: "SET", empty: None }, |js| {
            Ok(self.cache.end_claim(&js.any_text(key.raw(), "key")?, &token, failed))
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
    /// Returns a call that changes an entry, as this process sees at once.
    fn changing<T: Send + 'static>(&self, js: Js, key: &str, call: Call<T>) -> Call<T> {
        self.cache.changing(&[key], self.nears(js), call)
    }

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
        Ok((cache::Options { prefix, ttl, on_unavailable }, on_unavailable))
    }

    /// Returns the same, and those of its near tier.
    #[allow(clippy::type_complexity, reason = "it is taken apart at once")]
    pub fn cache_with_near(self) -> Result<((cache::Options, OnUnavailable), Option<(u64, Duration, bool)>)> {
        Ok((self.cache()?, self.near()?))
    }

    /// Returns the options of storing a value.
    pub fn entry(self) -> Result<EntryOptions> {
        let tags = |js: Js, value, label: &str| js.each(value, label, Js::any_text);
        Ok(EntryOptions {
            ttl: self.ttl(c"ttl", None)?,
            tags: self.read(c"tags", Takes::a("an array of strings"), tags)?.unwrap_or_default(),
            stale_while_revalidate: self.ttl(c"staleWhileRevalidate", None)?,
            stale_if_error: self.ttl(c"staleIfError", None)?,
        })
    }
}

fn json(value: Option<bytes::Bytes>) -> Output {
    value.map_or(Output::Null, Output::json)
}

fn start_output(found: LoadStart) -> Output {
    let state = match found {
        LoadStart { value: None, .. } => "miss",
        LoadStart { in_grace: true, .. } => "grace",
        LoadStart { stale: true, .. } => "stale",
        _ => "hit",
    };
    lease_output(state, found.value, found.lease)
}

fn lease_output(state: &'static str, value: Option<bytes::Bytes>, lease: Option<Lease>) -> Output {
    let mut fields = vec![("state".into(), Output::word(state))];
    fields.extend(value.map(|value| ("value".into(), Output::json(value))));
    if let Some(Lease { id, tag_epochs }) = lease {
        fields.extend([Output::field("mark", id), Output::field("tags", tag_epochs)]);
    }
    Output::Object(fields)
}

fn load_options(js: Js, load_ms: f64, options: Value) -> Result<LoadOptions> {
    Ok(LoadOptions { entry: entry_options(js, options)?, max_duration: millis(load_ms) })
}

fn entry_options(js: Js, options: Value) -> Result<EntryOptions> {
    OptionReader::of(js, options).entry()
}

fn millis(ms: f64) -> Duration {
    Duration::from_millis(ms.max(0.0) as u64)
}
