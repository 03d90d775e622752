//! The native class behind `RateLimiter`.

mod options;
mod report;
mod shares;
mod slots;

use std::{
    cell::RefCell,
    sync::{Arc, Weak},
};

use cinnabar_core::{
    agents::deny_listener::{self, DenyListener},
    features::{
        Moment,
        limit::{
            self, Change, Check, Denials, DenyCache, How, LimitResult, Notice, Observer, OnUnavailable, Results, Source,
        },
    },
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
/// The most offenders that are listed.
const MOST_OFFENDERS: u64 = 512;

/// A rate limiter of one service.
#[napi]
pub struct Limiter {
    core: ServiceCore,
    limiter: Arc<limit::Limiter>,
    /// Whether what was refused is remembered.
    caches: bool,
    /// It belongs to the service.
    cache: RefCell<Weak<OpenCache>>,
    observer: Arc<Observer>,
}

/// What a check needs besides its arguments.
struct Context {
    cache: Option<Arc<OpenCache>>,
    store: Arc<Store>,
    observer: Arc<Observer>,
    now: Moment,
}

/// The deny cache of limiters while their service is open.
struct OpenCache {
    listener: Arc<DenyListener>,
    store: Arc<Store>,
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
        Ok(Self {
            core: service.core.clone(),
            limiter: Arc::new(limiter),
            caches,
            cache: RefCell::default(),
            observer: Arc::default(),
        })
    }

    /// Returns the same object with limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Limiter> {
        Ok(Self {
            core: self.core.within(&env, limits.raw())?,
            limiter: self.limiter.clone(),
            caches: self.caches,
            cache: self.cache.clone(),
            observer: self.observer.clone(),
        })
    }

    /// Counts a hit of a fixed window. `locally` counts in this process while the store is unavailable, unless the limiter has its own rule.
    #[napi]
    pub fn check(&self, env: Env, id: Unknown, limit: Unknown, window: Unknown, locally: Option<bool>) -> RawValue {
        self.core.submit_output(env, operation("RATE LIMIT"), |js| {
            let (limit, window) = (js.any_number(limit.raw(), "limit")?, js.any_number(window.raw(), "windowSeconds")?);
            let (limiter, id) = (self.limiter.clone(), js.any_text(id.raw(), "identifier")?);
            let otherwise = if locally == Some(true) { OnUnavailable::Local } else { OnUnavailable::Allow };
            let context = self.context(js)?;
            Ok(Call::deferred(move || {
                let call = limiter.check(&id, limit, window, otherwise, context.denials())?;
                Ok(context.observing(String::new(), id, call).map(output))
            }))
        })
    }

    /// Counts a hit of a key exactly as given.
    #[napi]
    pub fn check_key(&self, env: Env, key: Unknown, limit: Unknown, window: Unknown) -> RawValue {
        self.core.submit(env, operation("RATE LIMIT"), |js| {
            let (limit, window) = (js.any_number(limit.raw(), "limit")?, js.any_number(window.raw(), "window")?);
            let (context, key) = (self.context(js)?, js.any_text(key.raw(), "key")?);
            let call = self.limiter.check_key(&key, limit, window, context.denials())?;
            Ok(context.observing(String::new(), key, call).map(|result| result.allowed))
        })
    }

    /// Deletes the hits of a fixed window; returns how many keys were deleted.
    #[napi]
    pub fn reset(&self, env: Env, id: Unknown) -> RawValue {
        let operation = self.core.operation("RESET RATE LIMIT", Empty::Zero);
        self.core.submit(env, operation, |js| {
            let id = js.any_text(id.raw(), "identifier")?;
            Ok(self.limiter.reset(&id, self.context(js)?.deny_cache()))
        })
    }

    /// Returns the number of checks that were allowed, refused, refused by the deny cache, and not counted by the store.
    #[napi]
    pub fn stats(&self, env: Env) -> RawValue {
        let counts = self.observer.counts();
        RawValue(Js(env.raw()).counts(&[
            (c"allowed", counts.allowed),
            (c"refused", counts.refused),
            (c"cached", counts.cached),
            (c"uncounted", counts.uncounted),
        ]))
    }

    /// Returns the identifiers that were refused most, as policy, identifier and count in turn.
    #[napi]
    pub fn offenders(&self, env: Env, most: Unknown) -> napi::Result<Vec<(String, String, f64)>> {
        let js = Js(env.raw());
        let most = js.whole_within(most.raw(), "most", 1..=MOST_OFFENDERS);
        let most = most.map_err(|error| self.core.exception(&env, &error))? as usize;
        let offenders = self.observer.offenders(most).into_iter();
        Ok(offenders.map(|offender| (offender.policy, offender.id, offender.refused as f64)).collect())
    }

    /// Checks hits under a policy. `how` is the number of a word in `lib/limit.js`; `ahead` is for how many milliseconds hits may be
    /// reserved.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "an object would cost more than it explains")]
    pub fn take(
        &self,
        env: Env,
        policy: Unknown,
        id: Unknown,
        cost: Unknown,
        limit: Unknown,
        how: u32,
        ahead: Unknown,
    ) -> RawValue {
        self.core.submit_output(env, operation("RATE LIMIT"), |js| {
            let check = check(js, policy, id, cost, limit)?;
            let how = match how {
                0 => How::Take,
                1 => How::Reserve,
                2 => How::Peek,
                3 => How::Drain,
                _ => How::ReserveWithin(js.whole_within(ahead.raw(), "timeoutMs", 0..=LONGEST_WAIT_MS)? * 1000),
            };
            let limiter = self.limiter.clone();
            limiter.has_policy(&check.policy)?;
            let context = self.context(js)?;
            Ok(Call::deferred(move || {
                let call = limiter.take(&check, how, context.denials())?;
                if how == How::Peek {
                    return Ok(call.map(output));
                }
                Ok(context.observing(check.policy, check.id, call).map(output))
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
            let (context, call) = (self.context(js)?, self.limiter.take_all(&checks)?);
            Ok(call
                .inspect(move |results| {
                    let Ok(Results { allowed, each }) = results else { return };
                    // One policy that refuses refuses all: those that would have allowed it have counted nothing.
                    for (check, result) in checks.iter().zip(each).filter(|(_, result)| *allowed || !result.allowed) {
                        context.observe(&check.policy, &check.id, result);
                    }
                })
                .map(output_of_all))
        })
    }

    /// Replaces the hits of a charge; returns whether that was done.
    #[napi]
    pub fn settle(&self, env: Env, policy: Unknown, id: Unknown, charge: Unknown, actual: Unknown) -> RawValue {
        self.core.submit(env, operation("SETTLE RATE LIMIT"), |js| {
            let (policy, id) = (js.text(policy.raw(), "policy")?, js.any_text(id.raw(), "identifier")?);
            let (charge, actual) = (js.any_text(charge.raw(), "charge")?, js.any_number(actual.raw(), "actual")?);
            self.limiter.settle(&policy, &id, &charge, actual, self.context(js)?.deny_cache())
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
                "blockAfresh" => Change::BlockAfresh(js.any_number(seconds.raw(), "seconds")?),
                "unblock" => Change::Unblock,
                "reset" => Change::Reset,
                "override" => Change::Override {
                    limit: js.any_number(limit.raw(), "limit")?,
                    seconds: optional_number(js, seconds.raw(), "ttlSeconds")?,
                },
                _ => Change::Restore,
            };
            self.limiter.change(&policy, &id, change, self.context(js)?.deny_cache())
        })
    }
}

impl Limiter {
    fn context(&self, js: Js) -> Result<Context> {
        let open_store = self.core.open_store(js)?;
        let store = open_store.store().clone();
        // There is no cache on the embedded engine, whose clock tests can move.
        let cache = (self.caches && !store.is_embedded()).then(|| self.open_cache(&store));
        Ok(Context { cache, store, observer: self.observer.clone(), now: moment() })
    }

    /// Returns the deny cache, which all limiters of this service with the same prefix share: there may be a limiter per request.
    fn open_cache(&self, store: &Arc<Store>) -> Arc<OpenCache> {
        let known = self.cache.borrow().upgrade();
        if let Some(cache) = known.filter(|cache| Arc::ptr_eq(&cache.store, store)) {
            return cache;
        }
        let listener = deny_listener::shared(store, self.limiter.changes_channel());
        let cache = self.core.resources().group(&listener, |listener| OpenCache { listener, store: store.clone() });
        *self.cache.borrow_mut() = Arc::downgrade(&cache);
        cache
    }
}

impl Context {
    fn deny_cache(&self) -> Option<&Arc<DenyCache>> {
        self.cache.as_ref().map(|cache| cache.listener.cache())
    }

    fn denials(&self) -> Option<Denials> {
        self.deny_cache().map(|cache| Denials { cache: cache.clone(), now: self.now })
    }

    fn observing(self, policy: String, id: String, call: Call<LimitResult>) -> Call<LimitResult> {
        call.inspect(move |result| {
            if let Ok(result) = result {
                self.observe(&policy, &id, result);
            }
        })
    }

    fn observe(&self, policy: &str, id: &str, result: &LimitResult) {
        if let Some(cache) = self.cache.as_ref().filter(|_| !result.allowed && result.source == Source::Store) {
            cache.listener.start(&cache.store);
        }
        self.report(self.observer.observe(policy, id, result, self.now));
    }

    fn report(&self, notice: Option<Notice>) {
        if let Some(notice) = notice {
            self.store.events().emit(&report::event(&self.store, &notice));
        }
    }
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
