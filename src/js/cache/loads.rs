//! What a load of `ApiCache` calls: it reads the entry, and stores a new one with a lease.

use std::time::Duration;

use cinnabar_core::{
    features::cache::{Claim, EntryOptions, Lease, LoadOptions, LoadStart},
    output::Output,
};
use cinnabar_port::{Call, error::Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{Cache, entry_options};
use crate::js::{
    node_api::{Js, RawValue, Value},
    operation::Operation,
};

#[napi]
impl Cache {
    /// Reads the entry before a load that may take this many milliseconds: `{ state, value }`, with the lease for `fill` on a miss and in
    /// grace: `{ state, value, mark, tags }`. If it is eager, a hit has `freshMs` and `lifeMs`, for how long it is and was fresh, if that is
    /// known.
    #[napi]
    pub fn begin(&self, env: Env, key: Unknown, load_ms: f64, options: Unknown, is_eager: bool) -> RawValue {
        // Never an empty value: the caller would take the cache for available.
        self.core.submit_output(env, Operation { name: "GET", empty: None }, |js| {
            let (cache, key) = (self.cache.clone(), js.any_text(key.raw(), "key")?);
            let load = LoadOptions { is_eager, ..load_options(js, load_ms, options.raw())? };
            let near = self.open_near(js).map(|open| open.now());
            Ok(Call::deferred(move || {
                Ok(cache.begin(&key, load, near)?.map(move |found| {
                    let time = found.fresh.zip(found.life).filter(|_| is_eager);
                    with_time(start_output(found), time)
                }))
            }))
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
    /// false if the key was written or removed after the lease was opened. `isEager` in the options makes the entry record for how long it
    /// is fresh.
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
            let lease = Lease::of_mark(&js.text(mark.raw(), "mark")?, js.texts(marks.raw(), "marks")?);
            let value = js.text(value.raw(), "the loaded value")?;
            let is_eager =
                js.option(options.raw(), c"isEager")?.and_then(|flag| js.as_boolean(flag)).unwrap_or_default();
            let entry = EntryOptions { is_eager, ..entry_options(js, options.raw())? };
            let call = self.cache.fill(&key, value, lease, entry)?;
            Ok(self.watched(js, call))
        })
    }

    /// Releases the lease of a load that produced no value.
    #[napi]
    pub fn release(&self, env: Env, key: Unknown, mark: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "SET", empty: None }, |js| {
            let lease = Lease::of_mark(&js.text(mark.raw(), "mark")?, Vec::new());
            Ok(self.cache.release(&js.any_text(key.raw(), "key")?, lease.id))
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
    if let Some(lease) = lease {
        fields.extend([Output::field("mark", lease.mark()), Output::field("tags", lease.tag_epochs)]);
    }
    Output::Object(fields)
}

/// Adds for how long a value is and was fresh.
fn with_time(mut output: Output, time: Option<(Duration, Duration)>) -> Output {
    if let (Output::Object(fields), Some((fresh, life))) = (&mut output, time) {
        let ms = |time: Duration| Output::Number(time.as_secs_f64() * 1000.0);
        fields.extend([("freshMs".into(), ms(fresh)), ("lifeMs".into(), ms(life))]);
    }
    output
}

fn load_options(js: Js, load_ms: f64, options: Value) -> Result<LoadOptions> {
    Ok(LoadOptions { entry: entry_options(js, options)?, max_duration: millis(load_ms), is_eager: false })
}

fn millis(ms: f64) -> Duration {
    Duration::from_millis(ms.max(0.0) as u64)
}
