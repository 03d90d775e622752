//! The native class behind `RateLimiter`.

use std::sync::Arc;

use cinnabar_core::{
    features::limit::{self, LimitResult, OnUnavailable},
    keys,
    output::Output,
};
use cinnabar_port::{Call, error::Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{
    node_api::{Js, RawValue},
    operation::Operation,
    option_reader::OptionReader,
    sensitive_keys,
    service::Service,
    service_core::ServiceCore,
};

/// The option `onUnavailable`.
#[derive(Clone, Copy, PartialEq)]
pub enum Policy {
    /// Allow the request.
    Allow,
    /// Refuse the request.
    Deny,
    /// Count in this process.
    Local,
    /// Reject with an error.
    Throw,
}

impl OptionReader<'_> {
    /// Returns the prefix of the keys of a limiter, and what it does without a server.
    pub fn limiter(self) -> Result<(Option<String>, Policy)> {
        let policies =
            [("allow", Policy::Allow), ("deny", Policy::Deny), ("local", Policy::Local), ("throw", Policy::Throw)];
        let prefix = self.text(c"prefix", Some(keys::LIMITS))?;
        Ok((prefix, self.word_or(c"onUnavailable", policies, Policy::Allow)?))
    }
}

/// A rate limiter of one service.
#[napi]
pub struct Limiter {
    core: ServiceCore,
    limiter: Arc<limit::Limiter>,
}

#[napi]
impl Limiter {
    /// Takes `{ prefix, onUnavailable }`.
    #[napi(constructor)]
    pub fn new(env: Env, service: &Service, options: Unknown) -> napi::Result<Self> {
        let js = Js(env.raw());
        let read = || -> Result<limit::Limiter> {
            let (prefix, policy) = OptionReader::of(js, options.raw()).limiter()?;
            let on_unavailable = match policy {
                Policy::Allow => OnUnavailable::Allow,
                Policy::Deny => OnUnavailable::Deny,
                Policy::Local => OnUnavailable::Local(service.core.local_store()),
                Policy::Throw => OnUnavailable::Throw,
            };
            let hidden = prefix.clone();
            let limiter = limit::Limiter::new(limit::Options { prefix, on_unavailable })?;
            hidden.iter().for_each(|prefix| sensitive_keys::register(prefix));
            Ok(limiter)
        };
        let limiter = read().map_err(|error| service.core.exception(&env, &error))?;
        Ok(Self { core: service.core.clone(), limiter: Arc::new(limiter) })
    }

    /// Returns the same object with limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Limiter> {
        Ok(Self { core: self.core.within(&env, limits.raw())?, limiter: self.limiter.clone() })
    }

    /// Counts a hit: `{ allowed, remaining, resetTime, retryAfterMs, limit, source }`.
    #[napi]
    pub fn check(&self, env: Env, id: Unknown, limit: Unknown, window: Unknown) -> RawValue {
        self.core.submit_output(env, operation("RATE LIMIT"), |js| {
            let (limit, window) = (js.any_number(limit.raw(), "limit")?, js.any_number(window.raw(), "windowSeconds")?);
            let (limiter, id) = (self.limiter.clone(), js.any_text(id.raw(), "identifier")?);
            Ok(Call::deferred(move || Ok(limiter.check(&id, limit, window)?.map(output))))
        })
    }

    /// Counts a hit of a key exactly as given.
    #[napi]
    pub fn check_key(&self, env: Env, key: Unknown, limit: Unknown, window: Unknown) -> RawValue {
        self.core.submit(env, operation("RATE LIMIT"), |js| {
            let (limit, window) = (js.any_number(limit.raw(), "limit")?, js.any_number(window.raw(), "window")?);
            self.limiter.check_key(&js.any_text(key.raw(), "key")?, limit, window)
        })
    }

    /// Deletes the hits; returns how many keys were deleted.
    #[napi]
    pub fn reset(&self, env: Env, id: Unknown) -> RawValue {
        let operation = self.core.operation("RESET RATE LIMIT", super::operation::Empty::Zero);
        self.core.submit(env, operation, |js| Ok(self.limiter.reset(&js.any_text(id.raw(), "identifier")?)))
    }
}

/// Returns an operation without an empty value, because the limiter has an option of its own for the case without a server.
fn operation(name: &'static str) -> Operation {
    Operation { name, empty: None }
}

fn output(checked: LimitResult) -> Output {
    // If the store did not count, the time is estimated with this process's clock.
    let estimate = || unix_ms() + checked.retry_after_ms;
    let reset_ms = checked.reset_ms.or_else(|| (!checked.allowed).then(estimate));
    Output::RateLimit {
        allowed: checked.allowed,
        remaining: checked.remaining,
        reset_ms,
        retry_after_ms: checked.retry_after_ms,
        limit: checked.limit,
        source: checked.source,
    }
}

fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
