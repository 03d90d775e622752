//! Rate limits. The documented one is a fixed window, an integer with a ttl; others are policies, by name.

/// Declares a script with the Lua of all algorithms.
macro_rules! policy_script {
    ($name:ident = $file:literal, keys: $keys:literal, args: $args:literal $(, is: [$($is:ident),+])?) => {
        cinnabar_port::script!(
            $name = $file, keys: $keys, args: $args
            $(, is: [$($is),+])?,
            with: [
                "clock.lua",
                "limit/bucket_level.lua",
                "limit/bucket.lua",
                "limit/fixed.lua",
                "limit/sliding_slices.lua",
                "limit/sliding.lua",
                "limit/calendar.lua",
                "limit/policy.lua",
                "limit/bucket_shape.lua",
                "limit/plain_bucket.lua",
                "limit/entry.lua",
                "limit/view.lua",
            ]
        );
    };
}

mod calendar;
mod charge;
mod deny_cache;
mod manage;
mod observer;
mod policy;
mod result;
mod slots;
mod subject;
mod take;
mod take_all;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use cinnabar_port::{
    Call, Merge, Reply, Request,
    error::{Error, Result},
    number::to_js_string,
    script,
};

use super::ttl;
use crate::{
    keys::{self, Prefix},
    store::LocalStore,
};

pub use self::{
    calendar::Period,
    deny_cache::{Denials, DenyCache},
    manage::Change,
    observer::{Checks, Counts, Notice, Observer, Offender},
    policy::{Algorithm, Policy, PolicyOptions},
    result::Results,
    slots::Slot,
    take::{Check, How},
};
pub use crate::output::{LimitResult, Source};

script!(FIXED_WINDOW = "limit/fixed_window.lua", keys: 1, args: 2, with: ["clock.lua"]);
script!(RESET = "limit/reset.lua", keys: 1, args: 1);

/// 2^53: up to here, all whole numbers are exact in JavaScript and in Lua.
const MAX_LIMIT: f64 = 9_007_199_254_740_992.0;

/// The result of a check while the server is unavailable or out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnavailable {
    /// Allowed, so that a limiter that is down does not take the service down.
    Allow,
    /// Rejected.
    Deny,
    /// Counted by this process alone, from 0. Each process then allows up to the limit.
    Local,
    /// The error.
    Throw,
}

/// Options of a limiter.
#[derive(Debug)]
pub struct Options {
    /// The prefix of its keys. Default `rate_limit:`.
    pub prefix: Option<String>,
    /// The result of a check while the server is unavailable, unless the check says otherwise.
    pub on_unavailable: Option<OnUnavailable>,
    /// The number of the database, for the names of channels.
    pub database: u8,
    /// Its policies.
    pub policies: Vec<Policy>,
    /// Counts while the server is unavailable.
    pub local: Arc<LocalStore>,
}

/// A rate limiter.
#[derive(Debug)]
pub struct Limiter {
    prefix: Prefix,
    on_unavailable: Option<OnUnavailable>,
    database: u8,
    policies: HashMap<String, Arc<Policy>>,
    local: Arc<LocalStore>,
}

impl Limiter {
    /// Creates a limiter with these options.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for an invalid prefix.
    pub fn new(options: Options) -> Result<Self> {
        let Options { prefix, on_unavailable, database, policies, local } = options;
        let prefix = Prefix::new(prefix.as_deref().unwrap_or(keys::LIMITS))?;
        let policies = policies.into_iter().map(|policy| (policy.name().to_owned(), Arc::new(policy))).collect();
        Ok(Self { prefix, on_unavailable, database, policies, local })
    }

    /// Counts a hit of `id`, of which a window allows `limit`. A window starts with its first hit. `otherwise` is the result while the
    /// server is unavailable, unless an option of the limiter says something else.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` unless the limit is a whole number from 1 to 2^53 and the window a positive number of seconds.
    /// The server's own error if the key holds another type.
    pub fn check(
        &self,
        id: &str,
        limit: f64,
        window_seconds: f64,
        otherwise: OnUnavailable,
        denials: Option<Denials>,
    ) -> Result<Call<LimitResult>> {
        self.count(self.key(id), limit, window_seconds, otherwise, denials)
    }

    /// The same for a key exactly as given.
    ///
    /// # Errors
    /// As for `check`.
    pub fn check_key(
        &self,
        key: &str,
        limit: f64,
        window_seconds: f64,
        denials: Option<Denials>,
    ) -> Result<Call<LimitResult>> {
        self.count(keys::verbatim(key), limit, window_seconds, OnUnavailable::Allow, denials)
    }

    /// Resets the counter of `id`. Returns how many keys were deleted.
    pub fn reset(&self, id: &str, cache: Option<&Arc<DenyCache>>) -> Call<i64> {
        let key = self.key(id);
        let request = Request::script(&RESET, [key.clone(), self.changes_channel()]);
        // The local counter is reset in any case, because it applies while the server is unavailable.
        let (local, here) = (self.local.clone(), request.clone());
        let call = Call::new(request, Reply::int).inspect(move |_| drop(local.execute_if_used(&here)));
        changing(cache, key, call)
    }

    /// Returns the channel on which keys of this limiter are published that may allow more than before.
    pub fn changes_channel(&self) -> Bytes {
        keys::limit_changes(&self.prefix, self.database)
    }

    /// Returns the key of the counter for `id`. A route key created by `keyForRoute` is used unchanged, whichever method gets it.
    fn key(&self, id: &str) -> Bytes {
        let prefix = self.prefix.as_str();
        // Route keys start with the prefix of the limiter if it has a custom one.
        let own = if prefix == keys::LIMITS { "" } else { prefix };
        if id.strip_prefix(own).is_some_and(keys::is_route_key) {
            keys::verbatim(id)
        } else if keys::is_route_key(id) {
            keys::verbatim(&format!("{own}{id}"))
        } else {
            keys::limit(&self.prefix, id)
        }
    }

    fn on_unavailable(&self, otherwise: OnUnavailable) -> OnUnavailable {
        self.on_unavailable.unwrap_or(otherwise)
    }

    fn count(
        &self,
        key: Bytes,
        limit: f64,
        window_seconds: f64,
        otherwise: OnUnavailable,
        denials: Option<Denials>,
    ) -> Result<Call<LimitResult>> {
        let limit = limit_of("limit", 1.0, limit)?;
        let window = ttl::from_seconds("windowSeconds", window_seconds)?;
        let (limit_arg, window_arg) = (Bytes::from(limit.to_string()), ttl::millis(window));
        let request = Request::script(&FIXED_WINDOW, [key.clone(), limit_arg.clone(), window_arg.clone()]);
        let request = request.merging(Merge::Script);
        let read = move |reply: Reply, source| {
            let [hits, reset, left] = reply.tuple()?;
            let (hits, reset_ms, left_ms) = (hits.int()?, reset.int()?, left.int()?);
            let left = i128::from(limit) - i128::from(hits);
            let (allowed, remaining) = (left >= 0, left.clamp(0, i128::from(limit)) as u64);
            Ok(LimitResult {
                allowed,
                shadow_denied: false,
                limit: Some(limit),
                remaining: Some(remaining),
                reset_ms: Some(reset_ms),
                reset_after_ms: left_ms,
                retry_after_ms: Some(if allowed { 0 } else { left_ms }),
                now_us: None,
                source,
                charge: None,
            })
        };
        let counted = Call::new(request.clone(), move |reply| read(reply, Source::Store));
        let window_ms = window.as_millis() as i64;
        let call = match self.on_unavailable(otherwise) {
            OnUnavailable::Allow => {
                counted.or_fallback(move || Ok(LimitResult::uncounted(true, Some(limit), window_ms)))
            }
            OnUnavailable::Deny => {
                counted.or_fallback(move || Ok(LimitResult::uncounted(false, Some(limit), window_ms)))
            }
            OnUnavailable::Local => {
                let local = self.local.clone();
                counted.or_fallback(move || local.execute(&request).and_then(|reply| read(reply, Source::Local)))
            }
            OnUnavailable::Throw => counted,
        };
        Ok(match denials {
            Some(denials) => denials.around(key, [limit_arg, window_arg].into_iter().collect(), 1, call),
            None => call,
        })
    }
}

/// Wraps a call after which a key may allow more than before.
fn changing<T: Send + 'static>(cache: Option<&Arc<DenyCache>>, key: Bytes, call: Call<T>) -> Call<T> {
    match cache {
        Some(cache) => cache.changing(key, call),
        None => call,
    }
}

/// Checks a number of hits that are allowed.
///
/// # Errors
/// `E_INVALID_ARGUMENT`, naming `what`, unless it is a whole number from `least` to 2^53.
fn limit_of(what: &str, least: f64, limit: f64) -> Result<u64> {
    if (least..=MAX_LIMIT).contains(&limit) && limit.fract() == 0.0 {
        return Ok(limit as u64);
    }
    Err(Error::argument(format!("{what} must be a whole number from {least} to 2^53, got {}", to_js_string(limit))))
}
