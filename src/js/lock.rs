//! The native class behind `DistributedLock`.

mod delay;
mod handle;
mod wait;

use std::{cell::RefCell, sync::Arc};

use cinnabar_core::{agents::doubtful_release, features::lock, keys, output::Output};
use cinnabar_port::{Call, error::Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use handle::LockHandle;

use super::{
    errors::closed,
    node_api::{Js, RawValue},
    open_store::{DrainGuard, OpenStore},
    operation::{Empty, Operation},
    option_reader::OptionReader,
    service::Service,
    service_core::ServiceCore,
};

impl OptionReader<'_> {
    /// Returns the options of locks.
    pub fn locks(self) -> Result<lock::Options> {
        let (prefix, holder) = (self.text(c"prefix", Some(keys::LOCKS))?, self.text(c"holder", None)?);
        Ok(lock::Options { prefix, holder, ..lock::Options::default() })
    }
}

/// Locks of one service.
#[napi]
pub struct Lock {
    core: ServiceCore,
    locks: Arc<lock::Locks>,
}

#[napi]
impl Lock {
    /// Takes `{ prefix, holder }`.
    #[napi(constructor)]
    pub fn new(env: Env, service: &Service, options: Unknown) -> napi::Result<Self> {
        let js = Js(env.raw());
        let locks = OptionReader::of(js, options.raw())
            .locks()
            .and_then(|options| {
                lock::Locks::new(lock::Options { database: service.core.settings().channel_database(), ..options })
            })
            .map_err(|error| service.core.exception(&env, &error))?;
        Ok(Self { core: service.core.clone(), locks: Arc::new(locks) })
    }

    /// Returns the same object with limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Lock> {
        Ok(Self { core: self.core.within(&env, limits.raw())?, locks: self.locks.clone() })
    }

    /// Returns an id that is the same for all objects that can acquire this lock on the same store; available once the store is open.
    #[napi]
    pub fn scope(&self, env: Env, resource: Unknown) -> Option<String> {
        let store = self.core.store()?;
        let key = Js(env.raw()).text(resource.raw(), "resource").and_then(|resource| self.locks.key(&resource)).ok()?;
        Some(format!("{:p} {}", Arc::as_ptr(&store), String::from_utf8_lossy(&key)))
    }

    /// Returns a token, or null while another holder has the lock. If `strict` is `true`, always rejects when the store is unavailable.
    #[napi]
    pub fn acquire(&self, env: Env, resource: Unknown, ttl: Unknown, strict: Option<bool>) -> RawValue {
        self.core.submit(env, self.operation("ACQUIRE LOCK", Empty::Null, strict), |js| {
            let (resource, ttl) = (js.text(resource.raw(), "resource")?, js.any_number(ttl.raw(), "ttlSeconds")?);
            let (store, locks) = (self.core.open_store(js)?.store().clone(), self.locks.clone());
            self.locks.acquire_reporting_doubt(&resource.clone(), ttl, move |token, life| {
                doubtful_release::retry_until_released(&store, life, move || locks.release(&resource, &token));
            })
        })
    }

    /// Releases the lock; false if it is no longer held with this token. `strict` as with `acquire`.
    #[napi]
    pub fn release(&self, env: Env, resource: Unknown, token: Unknown, strict: Option<bool>) -> RawValue {
        self.core.submit(env, self.operation("RELEASE LOCK", Empty::False, strict), |js| {
            match (lookup_text(js, resource, "resource")?, lookup_text(js, token, "token")?) {
                (Some(resource), Some(token)) => self.locks.release(&resource, &token),
                _ => Ok(Call::ready(false)),
            }
        })
    }

    /// What the store knows of the lock: `{ held, mode, holders, acquiredAt, ttlMs, fence, waiting }`.
    #[napi]
    pub fn info(&self, env: Env, resource: Unknown) -> RawValue {
        self.core.submit_output(env, Operation { name: "DESCRIBE LOCK", empty: None }, |js| {
            match lookup_text(js, resource, "resource")? {
                Some(resource) => Ok(self.locks.info(&resource)?.map(|info| Output::Object(described(info)))),
                None => {
                    let free = lock::Info { left_ms: Some(0), ..lock::Info::default() };
                    Ok(Call::ready(Output::Object(described(free))))
                }
            }
        })
    }

    /// Some of the locks that are held: `{ cursor, locks: [{ resource, … }] }`, with what `info` returns.
    #[napi]
    pub fn list(&self, env: Env, cursor: String) -> RawValue {
        self.core.submit_output(env, Operation { name: "LIST LOCKS", empty: None }, |_| {
            Ok(self.locks.list(cursor).map(|lock::Listing { cursor, locks }| {
                let one = |(resource, info)| {
                    Output::Object([vec![Output::field("resource", resource)], described(info)].concat())
                };
                let locks = Output::List(locks.into_iter().map(one).collect());
                Output::Object(vec![Output::field("cursor", cursor), ("locks".into(), locks)])
            }))
        })
    }

    /// Returns a lock that may be acquired for `ttl` seconds, `as_reader` or not. It is renewed for `max_hold` seconds at most, and only if `beat`
    /// was called in the last `heartbeat` seconds, unless that is undefined.
    #[napi]
    pub fn handle(
        &self,
        env: Env,
        resource: Unknown,
        ttl: Unknown,
        max_hold: Unknown,
        as_reader: bool,
        heartbeat: Unknown,
    ) -> napi::Result<LockHandle> {
        let values = [resource, ttl, max_hold, heartbeat].map(|value| value.raw());
        let mode = if as_reader { lock::Mode::Read } else { lock::Mode::Write };
        LockHandle::new(Js(env.raw()), &self.core, &self.locks, values, mode)
            .map_err(|error| self.core.exception(&env, &error))
    }

    /// Makes `disconnect()` wait until the caller has released the lock that it acquires, or leaves.
    #[napi]
    pub fn stay(&self, env: Env) -> Holder {
        // Otherwise the call that follows fails too.
        let _ = self.core.open_store(Js(env.raw()));
        let guard = self.core.delay_drain();
        Holder { core: self.core.clone(), locks: self.locks.clone(), guard: RefCell::new(guard) }
    }

    /// Extends the ttl; false if the lock is no longer held with this token. `strict` as with `acquire`.
    #[napi]
    pub fn extend(&self, env: Env, resource: Unknown, token: Unknown, ttl: Unknown, strict: Option<bool>) -> RawValue {
        self.core.submit(env, self.operation("EXTEND LOCK", Empty::False, strict), |js| {
            let (resource, token) = (lookup_text(js, resource, "resource")?, lookup_text(js, token, "token")?);
            let ttl = js.any_number(ttl.raw(), "ttlSeconds")?;
            // An invalid ttl is a programming error, even if the resource or token is invalid client input.
            lock::checked_ttl(ttl)?;
            match (resource, token) {
                (Some(resource), Some(token)) => self.locks.extend(&resource, &token, ttl),
                _ => Ok(Call::ready(false)),
            }
        })
    }
}

impl Lock {
    fn operation(&self, name: &'static str, empty: Empty, strict: Option<bool>) -> Operation {
        let operation = self.core.operation(name, empty);
        if strict == Some(true) { operation.rejecting() } else { operation }
    }
}

fn described(info: lock::Info) -> Vec<(std::borrow::Cow<'static, str>, Output)> {
    let number = |number: u64| Output::Number(number as f64);
    let mode = if info.is_read { "read" } else { "write" };
    vec![
        ("held".into(), Output::Bool(info.is_locked)),
        ("mode".into(), if info.is_locked { Output::text(mode) } else { Output::Null }),
        ("holders".into(), Output::List(info.holders.into_iter().map(Output::text).collect())),
        ("acquiredAt".into(), if info.acquired_at == 0 { Output::Null } else { number(info.acquired_at) }),
        ("ttlMs".into(), info.left_ms.map_or(Output::Null, number)),
        ("fence".into(), if info.fence == 0 { Output::Null } else { number(info.fence) }),
        ("waiting".into(), number(info.waiting)),
    ]
}

/// Returns a resource or token from client input; `None` if it cannot be one.
fn lookup_text(js: Js, value: Unknown, name: &str) -> Result<Option<String>> {
    js.lookup_text(value.raw(), name, keys::is_id)
}

/// The holder of a lock, which can release it whatever limits its calls have, and even while its service is being closed.
#[napi]
pub struct Holder {
    core: ServiceCore,
    locks: Arc<lock::Locks>,
    guard: RefCell<Option<DrainGuard>>,
}

#[napi]
impl Holder {
    /// It holds no lock.
    #[napi]
    pub fn leave(&self) {
        drop(self.guard.take());
    }

    /// Releases the lock; false if it is no longer held with this token.
    #[napi]
    pub fn release(&self, env: Env, resource: Unknown, token: Unknown) -> RawValue {
        let js = Js(env.raw());
        let guard = self.guard.take();
        let (closing, late) = guard.as_ref().map_or((true, true), DrainGuard::ending);
        let operation = Operation { name: "RELEASE LOCK", empty: None };
        let promise = self.core.environment().submit(js, operation, None, || {
            let call = self.locks.release(&js.text(resource.raw(), "resource")?, &js.text(token.raw(), "token")?)?;
            let open_store = guard.as_ref().filter(|_| !late).map(DrainGuard::open_store).ok_or_else(closed)?;
            Ok((Arc::<OpenStore>::clone(open_store), self.core.settings().timeout, call.map(Output::from)))
        });
        if closing {
            // Sent before the drain sees that the guard was dropped.
            self.core.environment().flush();
        }
        RawValue(promise)
    }
}
