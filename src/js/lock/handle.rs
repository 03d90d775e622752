//! A lock that JavaScript holds: the native side of `Lock`.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use cinnabar_core::{
    agents::{
        doubtful_release,
        lock_keeper::{Extension, Grant, LockKeeper, RenewedLock},
        lock_wait::{self, Wanted},
    },
    features::lock::{self, Attempt, Locks, Mode},
    inbox::Bounds,
    output::Output,
    store::Store,
};
use cinnabar_port::{Call, Step, error::Result, runtime};
use napi::{Env, JsValue, Unknown, sys::ValueType};
use napi_derive::napi;
use tokio::{sync::oneshot, time::Instant};

use super::delay::Delay;
use crate::js::{
    completions::Completion,
    errors::closed,
    ids,
    node_api::{Js, RawValue, Value},
    open_store::{DrainGuard, OpenStore},
    operation::Operation,
    service_core::ServiceCore,
};

/// Several times what a timer may be late.
const LEAST_HEARTBEAT: Duration = Duration::from_millis(50);

/// A lock that may be acquired once, and is then renewed until it is released.
#[napi]
pub struct LockHandle {
    pub(super) core: ServiceCore,
    pub(super) locks: Arc<Locks>,
    pub(super) wanted: Wanted,
    pub(super) kept: Arc<OnceLock<Arc<RenewedLock>>>,
    /// The reader that is called when the lock is lost.
    reader: Cell<Option<u64>>,
    pub(super) delay: Delay,
    /// The extensions in flight that were made by the token, by their numbers.
    extensions: RefCell<HashMap<u32, Extension>>,
    last_extension: Cell<u32>,
    /// Dropping it ends a wait.
    pub(super) waiting: RefCell<Option<oneshot::Sender<()>>>,
}

/// Ends the renewal with the reader, and so with its environment.
struct StopOnDrop(Arc<RenewedLock>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.begin_release();
    }
}

// A lock without a reader has no holder in JavaScript.
impl Drop for LockHandle {
    fn drop(&mut self) {
        if let (Some(kept), None) = (self.kept.get(), self.reader.get()) {
            kept.begin_release();
        }
    }
}

impl LockHandle {
    /// Reads what is to be acquired.
    pub fn new(
        js: Js,
        core: &ServiceCore,
        locks: &Arc<Locks>,
        [resource, ttl, max_hold, heartbeat]: [Value; 4],
        mode: Mode,
    ) -> Result<Self> {
        let resource = js.text(resource, "resource")?;
        locks.key(&resource)?;
        let max_hold = lock::checked_seconds("maxHoldSeconds", js.any_number(max_hold, "maxHoldSeconds")?)?;
        let life = lock::checked_ttl(js.any_number(ttl, "ttlSeconds")?)?.min(max_hold);
        let heartbeat = match js.kind(heartbeat) {
            ValueType::napi_undefined => None,
            _ => {
                let seconds = js.any_number(heartbeat, "heartbeatSeconds")?;
                Some(lock::checked_seconds("heartbeatSeconds", seconds)?.max(LEAST_HEARTBEAT))
            }
        };
        let wanted = Wanted { resource, token: locks.new_token(mode)?, ttl: life, max_hold, heartbeat };
        Ok(Self {
            core: core.clone(),
            locks: locks.clone(),
            wanted,
            kept: Arc::default(),
            reader: Cell::default(),
            delay: Delay::default(),
            extensions: RefCell::default(),
            last_extension: Cell::default(),
            waiting: RefCell::default(),
        })
    }

    /// The call that acquires the lock, and has it renewed then. If it is `in_turn` and the lock is not free, the caller is in its queue then.
    fn acquisition(&self, open_store: &Arc<OpenStore>, in_turn: bool) -> Result<Call<bool>> {
        let (store, locks, kept) = (open_store.store().clone(), self.locks.clone(), Arc::downgrade(&self.kept));
        let Wanted { resource, token, ttl: life, max_hold, heartbeat } = self.wanted.clone();
        let requested = Instant::now();
        let call = if in_turn {
            self.locks.attempt_in_turn(&resource, &token, life)?.map(Attempt::fence)
        } else {
            self.locks.acquire_fenced(&resource, &token, life)?
        };
        let (doubtful_store, doubtful_locks) = (Arc::downgrade(&store), locks.clone());
        let (doubtful_resource, doubtful_token) = (resource.clone(), token.clone());
        let call = lock::reporting_doubt(call, move || {
            // The caller then leaves its queue, and releases the lock with that.
            let Some(store) = doubtful_store.upgrade().filter(|_| !in_turn) else { return };
            doubtful_release::retry_until_released(&store, life, move || {
                doubtful_locks.release(&doubtful_resource, &doubtful_token)
            });
        });
        let wanted = self.wanted.clone();
        Ok(call.then(move |fence| {
            let Some(fence) = fence else {
                // The thread of its caller has ended.
                if in_turn && kept.strong_count() == 0 {
                    runtime::get()?.spawn(async move { lock_wait::leave(&store, &locks, wanted, false).await });
                }
                return Ok(Step::Done(false));
            };
            let grant = Grant { resource, token, fence, requested, life, max_hold, heartbeat };
            keep(&store, &locks, &kept, grant).map(Step::Done)
        }))
    }
}

/// Has an acquired lock renewed, unless its handle has been dropped: then it expires. Returns whether it is renewed.
pub(super) fn keep(
    store: &Arc<Store>,
    locks: &Arc<Locks>,
    handle: &Weak<OnceLock<Arc<RenewedLock>>>,
    grant: Grant,
) -> Result<bool> {
    let Some(kept) = handle.upgrade() else { return Ok(false) };
    let lock = LockKeeper::shared(store, locks).keep(grant)?;
    let _ = kept.set(lock.clone());
    // The handle may have been dropped meanwhile.
    let is_wanted = Arc::strong_count(&kept) > 1;
    if !is_wanted {
        lock.begin_release();
    }
    Ok(is_wanted)
}

#[napi]
impl LockHandle {
    /// Acquires the lock: resolves to whether that succeeded. `watch` must follow then, and otherwise `wait`, `leave` if it is `in_turn`, or `end`.
    #[napi]
    pub fn acquire(&self, env: Env, in_turn: bool) -> RawValue {
        let operation = Operation { name: "ACQUIRE LOCK", empty: None };
        self.core.submit(env, operation, |js| {
            let open_store = self.core.open_store(js)?;
            self.delay.begin(&self.core);
            self.acquisition(&open_store, in_turn)
        })
    }

    /// Keeps the process alive and delays `disconnect()` until the lock is released or lost. Calls `lost` when it is lost.
    #[napi]
    pub fn watch(&self, env: Env, lost: Unknown) {
        let Some(kept) = self.kept.get() else { return };
        let js = Js(env.raw());
        let (number, completions) = (ids::next(), self.core.environment().completions.clone());
        self.reader.set(Some(number));
        let stop = StopOnDrop(kept.clone());
        self.core.environment().add_reader(js, number, lost.raw(), Bounds::default(), false, stop);
        let delay = self.delay.clone();
        kept.when_lost(move || {
            delay.end();
            completions.push(Completion::DropReader(number));
        });
        match (self.delay.open_store(), runtime::get()) {
            (Some(open_store), Ok(runtime)) => {
                let kept = kept.clone();
                runtime.spawn(async move {
                    tokio::select! {
                        () = open_store.abandoned() => kept.lose(),
                        () = kept.over() => {}
                    }
                });
            }
            _ => kept.lose(),
        }
    }

    /// The token with which the lock is or was held.
    #[napi]
    pub fn token(&self) -> String {
        self.wanted.token.clone()
    }

    /// The fencing token; 0 before the lock is acquired.
    #[napi]
    pub fn fence(&self) -> f64 {
        self.kept.get().map_or(0.0, |kept| kept.fence as f64)
    }

    /// A heartbeat of its holder, so that it is renewed. Returns false once it is released or lost.
    #[napi]
    pub fn beat(&self) -> bool {
        self.kept.get().is_some_and(|kept| kept.beat())
    }

    /// Whether no other caller can have the lock yet.
    #[napi]
    pub fn is_valid(&self) -> bool {
        self.current().is_some_and(|kept| kept.is_valid())
    }

    /// Whether the lock has been lost.
    #[napi]
    pub fn is_lost(&self) -> bool {
        self.current().is_some_and(|kept| kept.is_lost())
    }

    /// Whether the life of the lock may be over.
    #[napi]
    pub fn is_expired(&self) -> bool {
        self.kept.get().is_none_or(|kept| kept.is_expired())
    }

    /// Extends the lock to this ttl, which becomes its life; false if it has been lost or released.
    #[napi]
    pub fn extend(&self, env: Env, ttl: Unknown) -> RawValue {
        let js = Js(env.raw());
        let operation = Operation { name: "EXTEND LOCK", empty: None };
        self.while_draining(js, operation, |open_store| {
            let ttl = lock::checked_ttl(js.any_number(ttl.raw(), "ttlSeconds")?)?;
            let Some(kept) = self.kept.get().filter(|kept| kept.is_valid()) else {
                return Ok(Call::ready(Output::Bool(false)));
            };
            open_store.ok_or_else(closed)?;
            let call = self.locks.extend(&self.wanted.resource, &self.wanted.token, ttl.as_secs_f64())?;
            Ok(kept.following(call, ttl).map(Output::Bool))
        })
    }

    /// Waits for so many ms until `count` replicas have stored the lock: resolves to how many have, or to null if it is no longer held.
    #[napi]
    pub fn replicated(&self, env: Env, count: Unknown, timeout_ms: Unknown) -> RawValue {
        self.core.submit_output(env, Operation { name: "REPLICATE LOCK", empty: None }, |js| {
            let count = js.whole(count.raw(), "replicas.count")?;
            let timeout = js.milliseconds(timeout_ms.raw(), "replicas.timeoutMs")?;
            let call = self.locks.replicated(&self.wanted.resource, &self.wanted.token, count, timeout)?;
            Ok(call.map(|replicas| replicas.map_or(Output::Null, |replicas| Output::Number(replicas as f64))))
        })
    }

    /// Notes that the lock is being extended to `ttl` in another way, until `end_extension` with the number that this returns; none if no
    /// lock can be extended so. `ago` is for how many ms.
    #[napi]
    pub fn begin_extension(&self, env: Env, ago: f64, ttl: Unknown) -> Option<u32> {
        let kept = self.kept.get()?;
        let ttl = Js(env.raw()).any_number(ttl.raw(), "ttlSeconds").and_then(lock::checked_ttl).ok()?;
        let ago = Duration::try_from_secs_f64(ago / 1000.0).unwrap_or_default();
        let now = Instant::now();
        let number = self.last_extension.get().wrapping_add(1);
        self.last_extension.set(number);
        let extension = kept.begin_extension(now.checked_sub(ago).unwrap_or(now), ttl);
        self.extensions.borrow_mut().insert(number, extension);
        Some(number)
    }

    /// Ends it with its result; without one, the outcome is unknown.
    #[napi]
    pub fn end_extension(&self, number: u32, extended: Option<bool>) {
        let extension = self.extensions.borrow_mut().remove(&number);
        if let Some(extension) = extension {
            extension.end(extended);
        }
    }

    /// Notes that the lock is being released by its token, until `end_release`: it is not renewed meanwhile.
    #[napi]
    pub fn begin_release(&self) {
        if let Some(kept) = self.kept.get() {
            kept.begin_release_in_doubt();
        }
    }

    /// Ends it with its result; without one, the outcome is unknown.
    #[napi]
    pub fn end_release(&self, released: Option<bool>) {
        if let Some(kept) = self.kept.get() {
            kept.end_release_in_doubt(released);
        }
    }

    /// Releases the lock: resolves to whether it was held until then. It is not renewed from now on.
    #[napi]
    pub fn release(&self, env: Env) -> RawValue {
        let js = Js(env.raw());
        if let Some(kept) = self.kept.get() {
            kept.begin_release();
        }
        let operation = Operation { name: "RELEASE LOCK", empty: None };
        let promise = self.while_draining(js, operation, |open_store| {
            let open_store = open_store.ok_or_else(closed)?;
            let Wanted { resource, token, ttl: life, .. } = self.wanted.clone();
            let call = self.locks.release(&resource, &token)?;
            let left = self.kept.get().map_or(life, |kept| kept.left());
            let (locks, store) = (self.locks.clone(), Arc::downgrade(open_store.store()));
            let kept = self.kept.get().cloned();
            let call = call.inspect(move |released| match (released, kept, store.upgrade()) {
                (Ok(false), Some(kept), _) => kept.lose_at_release(),
                (Err(_), _, Some(store)) => {
                    doubtful_release::retry_until_released(&store, left, move || locks.release(&resource, &token));
                }
                _ => {}
            });
            Ok(call.map(Output::Bool))
        });
        self.end(env);
        promise
    }

    /// The lock is not held any more: releases the reader and lets the drain end.
    #[napi]
    pub fn end(&self, env: Env) {
        if let Some(kept) = self.kept.get() {
            kept.begin_release();
        }
        self.delay.end();
        if let Some(number) = self.reader.get() {
            self.core.environment().drop_reader(Js(env.raw()), number);
        }
    }
}

impl LockHandle {
    /// The lock, if it was acquired. It is lost once `disconnect()` has ended, whose thread may be about to say so.
    fn current(&self) -> Option<&Arc<RenewedLock>> {
        let kept = self.kept.get()?;
        if self.delay.is_abandoned() {
            kept.lose();
        }
        Some(kept)
    }

    /// Submits a call that is possible whatever limits the caller's other calls have, and even while the service is being closed.
    fn while_draining(
        &self,
        js: Js,
        operation: Operation,
        make: impl FnOnce(Option<&Arc<OpenStore>>) -> Result<Call<Output>>,
    ) -> RawValue {
        let guard = self.core.delay_drain();
        let (closing, late) = guard.as_ref().map_or((true, true), DrainGuard::ending);
        let promise = self.core.environment().submit(js, operation, None, || {
            let open_store = guard.as_ref().filter(|_| !late).map(DrainGuard::open_store);
            let call = make(open_store)?;
            let open_store = match open_store {
                Some(open_store) => open_store.clone(),
                None => return Err(closed()),
            };
            Ok((open_store, self.core.settings().timeout, call))
        });
        if closing {
            // Sent before the drain sees that the guard was dropped.
            self.core.environment().flush();
        }
        RawValue(promise)
    }
}
