//! The native class behind `RateLimiter`.

mod options;

use std::sync::Arc;

use cinnabar_core::{
    agents::deny_listener::{self, DenyListener},
    features::limit::{self, Change, Check, Denials, How, LimitResult, OnUnavailable, Results, Source},
    output::Output,
    store::Store,
};
use cinnabar_port::{
    Call,
    error::{Error, Result},
};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use tokio::time::Instant;

use super::{
    node_api::{Js, RawValue},
    operation::{Empty, Operation},
    option_reader::OptionReader,
    sensitive_keys,
    service::Service,
    service_core::{Ending, ResourceGroup, ServiceCore},
    time::moment,
};

/// The longest wait for a turn, in milliseconds.
const LONGEST_WAIT_MS: u64 = 86_400_000;

/// A rate limiter of one service.
#[napi]
pub struct Limiter {
    core: ServiceCore,
    limiter: Arc<limit::Limiter>,
    /// Whether what was refused is remembered.
    caches: bool,
}

/// The deny cache of a limiter while its service is open.
struct OpenCache {
    listener: Arc<DenyListener>,
    store: Arc<Store>,
    /// The cache is found by its address.
    _limiter: Arc<limit::Limiter>,
}

impl ResourceGroup for OpenCache {
    fn end(&self, _: Instant) -> Ending {
        None
    }
}

#[napi]
impl Limiter {
    /// Takes `{ prefix, onUnavailable, denyCache, policies }`, where `policies` is a list of names and policies in turn.
    #[napi(constructor)]
    pub fn new(env: Env, service: &Service, options: Unknown) -> napi::Result<Self> {
        let js = Js(env.raw());
        let read = || -> Result<(limit::Limiter, bool)> {
            let options = OptionReader::of(js, options.raw()).limiter()?;
            let hidden = options.prefix.clone();
            let limiter = limit::Limiter::new(limit::Options {
                prefix: options.prefix,
                on_unavailable: options.on_unavailable,
                database: service.core.settings().database,
                policies: options.policies,
                local: service.core.local_store(),
            })?;
            hidden.iter().for_each(|prefix| sensitive_keys::register(prefix));
            Ok((limiter, options.deny_cache))
        };
        let (limiter, caches) = read().map_err(|error| service.core.exception(&env, &error))?;
        Ok(Self { core: service.core.clone(), limiter: Arc::new(limiter), caches })
    }

    /// Returns the same object with limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Limiter> {
        Ok(Self { core: self.core.within(&env, limits.raw())?, limiter: self.limiter.clone(), caches: self.caches })
    }

    /// Counts a hit of a fixed window. `locally` counts in this process while the store is unavailable, unless the limiter has its own rule.
    #[napi]
    pub fn check(&self, env: Env, id: Unknown, limit: Unknown, window: Unknown, locally: Option<bool>) -> RawValue {
        self.core.submit_output(env, operation("RATE LIMIT"), |js| {
            let (limit, window) = (js.any_number(limit.raw(), "limit")?, js.any_number(window.raw(), "windowSeconds")?);
            let (limiter, id) = (self.limiter.clone(), js.any_text(id.raw(), "identifier")?);
            let otherwise = if locally == Some(true) { OnUnavailable::Local } else { OnUnavailable::Allow };
            let cache = self.cache(js)?;
            Ok(Call::deferred(move || {
                let denials = cache.as_ref().map(|(_, denials)| denials.clone());
                Ok(learning(cache, limiter.check(&id, limit, window, otherwise, denials)?).map(output))
            }))
        })
    }

    /// Counts a hit of a key exactly as given.
    #[napi]
    pub fn check_key(&self, env: Env, key: Unknown, limit: Unknown, window: Unknown) -> RawValue {
        self.core.submit(env, operation("RATE LIMIT"), |js| {
            let (limit, window) = (js.any_number(limit.raw(), "limit")?, js.any_number(window.raw(), "window")?);
            let denials = self.cache(js)?.map(|(_, denials)| denials);
            self.limiter.check_key(&js.any_text(key.raw(), "key")?, limit, window, denials)
        })
    }

    /// Deletes the hits of a fixed window; returns how many keys were deleted.
    #[napi]
    pub fn reset(&self, env: Env, id: Unknown) -> RawValue {
        let operation = self.core.operation("RESET RATE LIMIT", Empty::Zero);
        self.core.submit(env, operation, |js| {
            let id = js.any_text(id.raw(), "identifier")?;
            let cache = self.cache(js)?;
            Ok(self.limiter.reset(&id, cache.as_ref().map(|(_, denials)| &denials.cache)))
        })
    }

    /// Checks hits under a policy. `how` is `take`, `reserve`, `peek` or `drain`; with `ahead`, so many milliseconds may be reserved.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "an object would cost more than it explains")]
    pub fn take(
        &self,
        env: Env,
        policy: Unknown,
        id: Unknown,
        cost: Unknown,
        limit: Unknown,
        how: String,
        ahead: Unknown,
    ) -> RawValue {
        self.core.submit_output(env, operation("RATE LIMIT"), |js| {
            let check = check(js, policy, id, cost, limit)?;
            let how = match how.as_str() {
                "take" => How::Take,
                "reserve" => How::Reserve,
                "drain" => How::Drain,
                "wait" => How::ReserveWithin(js.whole_within(ahead.raw(), "timeoutMs", 0..=LONGEST_WAIT_MS)? * 1000),
                _ => How::Peek,
            };
            let limiter = self.limiter.clone();
            limiter.has_policy(&check.policy)?;
            let cache = self.cache(js)?;
            Ok(Call::deferred(move || {
                let denials = cache.as_ref().map(|(_, denials)| denials.clone());
                Ok(learning(cache, limiter.take(&check, how, denials)?).map(output))
            }))
        })
    }

    /// Checks hits under several policies, given as policy, identifier, cost and limit in turn: `{ allowed, results }`.
    #[napi]
    pub fn take_all(&self, env: Env, checks: Unknown) -> RawValue {
        self.core.submit_output(env, operation("RATE LIMIT"), |js| {
            let fields = js.elements(checks.raw(), "checks")?;
            let read = |(at, fields): (usize, &[_])| {
                let [policy, id, cost, limit] = *fields else { return Err(Error::argument("checks must be complete")) };
                let named = |name: &str| format!("checks[{at}].{name}");
                Ok(Check {
                    policy: js.text(policy, &named("policy"))?,
                    id: js.any_text(id, &named("identifier"))?,
                    cost: optional_number(js, cost, &named("cost"))?.unwrap_or(1.0),
                    limit: optional_number(js, limit, &named("limit"))?,
                })
            };
            let checks = fields.chunks(4).enumerate().map(read).collect::<Result<Vec<_>>>()?;
            Ok(self.limiter.take_all(&checks)?.map(output_of_all))
        })
    }

    /// Replaces the hits of a charge; returns whether that was done.
    #[napi]
    pub fn settle(&self, env: Env, policy: Unknown, id: Unknown, charge: Unknown, actual: Unknown) -> RawValue {
        self.core.submit(env, operation("SETTLE RATE LIMIT"), |js| {
            let (policy, id) = (js.text(policy.raw(), "policy")?, js.any_text(id.raw(), "identifier")?);
            let (charge, actual) = (js.any_text(charge.raw(), "charge")?, js.any_number(actual.raw(), "actual")?);
            let cache = self.cache(js)?;
            self.limiter.settle(&policy, &id, &charge, actual, cache.as_ref().map(|(_, denials)| &denials.cache))
        })
    }

    /// Changes what a policy knows about an identifier; returns whether there was something to change.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "an object would cost more than it explains")]
    pub fn change(
        &self,
        env: Env,
        policy: Unknown,
        id: Unknown,
        what: String,
        seconds: Unknown,
        limit: Unknown,
    ) -> RawValue {
        self.core.submit(env, operation("CHANGE RATE LIMIT"), |js| {
            let (policy, id) = (js.text(policy.raw(), "policy")?, js.any_text(id.raw(), "identifier")?);
            let change = match what.as_str() {
                "block" => Change::Block(js.any_number(seconds.raw(), "seconds")?),
                "unblock" => Change::Unblock,
                "reset" => Change::Reset,
                "override" => Change::Override {
                    limit: js.any_number(limit.raw(), "limit")?,
                    seconds: optional_number(js, seconds.raw(), "ttlSeconds")?,
                },
                _ => Change::Restore,
            };
            let cache = self.cache(js)?;
            self.limiter.change(&policy, &id, change, cache.as_ref().map(|(_, denials)| &denials.cache))
        })
    }
}

impl Limiter {
    /// Returns the deny cache with the current time. There is none on the embedded engine, whose clock tests can move.
    fn cache(&self, js: Js) -> Result<Option<(Arc<OpenCache>, Denials)>> {
        if !self.caches {
            return Ok(None);
        }
        let open_store = self.core.open_store(js)?;
        let store = open_store.store();
        if store.is_embedded() {
            return Ok(None);
        }
        let listener = deny_listener::shared(store, self.limiter.changes_channel())?;
        let make = |limiter| OpenCache { listener, store: store.clone(), _limiter: limiter };
        let cache = self.core.resources().group(&self.limiter, make);
        let denials = Denials { cache: cache.listener.cache().clone(), now: moment() };
        Ok(Some((cache, denials)))
    }
}

/// Listens to changes once something was refused.
fn learning(cache: Option<(Arc<OpenCache>, Denials)>, call: Call<LimitResult>) -> Call<LimitResult> {
    let Some((cache, _)) = cache else { return call };
    call.inspect(move |result| {
        if result.is_ok_and(|result| !result.allowed && result.source == Source::Store) {
            cache.listener.start(&cache.store);
        }
    })
}

fn check(js: Js, policy: Unknown, id: Unknown, cost: Unknown, limit: Unknown) -> Result<Check> {
    Ok(Check {
        policy: js.text(policy.raw(), "policy")?,
        id: js.any_text(id.raw(), "identifier")?,
        cost: optional_number(js, cost.raw(), "cost")?.unwrap_or(1.0),
        limit: optional_number(js, limit.raw(), "limit")?,
    })
}

fn optional_number(js: Js, value: super::node_api::Value, name: &str) -> Result<Option<f64>> {
    if js.is_nothing(value) { Ok(None) } else { js.any_number(value, name).map(Some) }
}

/// Returns an operation without an empty value, because the limiter has an option of its own for the case without a server.
fn operation(name: &'static str) -> Operation {
    Operation { name, empty: None }
}

fn output(result: LimitResult) -> Output {
    // If nothing was counted, the time is estimated with this process's clock.
    let estimate = || result.retry_after_ms.map(|wait| unix_ms() + wait);
    let reset_ms = result.reset_ms.or_else(|| if result.allowed { None } else { estimate() });
    Output::RateLimit(Box::new(LimitResult { reset_ms, ..result }))
}

fn output_of_all(results: Results) -> Output {
    let each = results.each.into_iter().map(output).collect();
    Output::Object(vec![Output::field("allowed", results.allowed), ("results".into(), Output::List(each))])
}

fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
