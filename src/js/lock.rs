//! `DistributedLock`'s native half.

use std::{rc::Rc, sync::Arc};

use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{
    bridge::{Core, Handed},
    env::Js,
    operation::Empty,
    service::Service,
};
use crate::features::lock;

/// Locks of one service.
#[napi]
pub struct Lock {
    core: Rc<Core>,
    locks: Arc<lock::Locks>,
}

#[napi]
impl Lock {
    /// Takes `{ prefix }`.
    #[napi(constructor)]
    pub fn new(env: Env, service: &Service, options: Unknown) -> napi::Result<Self> {
        let js = Js(env.raw());
        let locks = js
            .text_option(options.raw(), c"prefix", "prefix")
            .and_then(|prefix| lock::Locks::new(lock::Options { prefix }))
            .map_err(|error| Core::throw(service.core.bridge(), &env, &error))?;
        Ok(Self { core: service.core.clone(), locks: Arc::new(locks) })
    }

    /// The same within limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Lock> {
        Ok(Self { core: self.core.within(&env, limits.raw())?, locks: self.locks.clone() })
    }

    /// A token, or null while another holds it.
    #[napi]
    pub fn acquire(&self, env: Env, resource: Unknown, ttl: Unknown) -> Handed {
        self.core.submit(env, self.core.operation("ACQUIRE LOCK", Empty::Null), |js| {
            self.locks.acquire(&js.text(resource.raw(), "resource")?, js.any_number(ttl.raw(), "ttlSeconds")?)
        })
    }

    /// Gives it back; false when it is no longer held with this token.
    #[napi]
    pub fn release(&self, env: Env, resource: Unknown, token: Unknown) -> Handed {
        self.core.submit(env, self.core.operation("RELEASE LOCK", Empty::False), |js| {
            self.locks.release(&js.text(resource.raw(), "resource")?, &js.text(token.raw(), "token")?)
        })
    }

    /// Holds it longer; false when it is no longer held with this token.
    #[napi]
    pub fn extend(&self, env: Env, resource: Unknown, token: Unknown, ttl: Unknown) -> Handed {
        self.core.submit(env, self.core.operation("EXTEND LOCK", Empty::False), |js| {
            let (resource, token) = (js.text(resource.raw(), "resource")?, js.text(token.raw(), "token")?);
            self.locks.extend(&resource, &token, js.any_number(ttl.raw(), "ttlSeconds")?)
        })
    }
}
