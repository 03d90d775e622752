//! Limits of what runs at the same time. A slot is a lease, renewed until it is released.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Merge, Reply, Request,
    error::{Error, Kind, Result},
    random, script,
};

use super::{LimitResult, Limiter, OnUnavailable, Source, subject::Subject};
use crate::features::ttl;

script!(ACQUIRE_SLOT = "limit/acquire_slot.lua", keys: 1, args: 3, with: ["clock.lua", "limit/slots.lua"]);
script!(RENEW_SLOT = "limit/renew_slot.lua", keys: 1, args: 2, with: ["clock.lua", "limit/slots.lua"]);

/// A slot that was taken.
#[derive(Debug, Clone)]
pub struct Slot {
    key: Bytes,
    id: Bytes,
    /// For how long it is taken, and renewed each time.
    pub lease: Duration,
}

impl Limiter {
    /// Takes a slot of an identifier under a concurrency policy; returns the result, and the slot if there was one. `doubt` is called with
    /// a slot that may have been taken, because no reply came.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an unknown policy, or one of another algorithm.
    pub fn acquire(
        &self,
        policy: &str,
        id: &str,
        doubt: impl FnOnce(Slot) + Send + 'static,
    ) -> Result<Call<(LimitResult, Option<Slot>)>> {
        let Subject { policy, entry, .. } = self.subject(policy, id, None)?;
        let lease = policy.lease().ok_or_else(|| {
            Error::argument("acquire takes a policy of algorithm 'concurrency'; those of others are checked by check")
        })?;
        let Some(limit) = policy.limit() else { return Ok(Call::ready((LimitResult::unlimited(), None))) };
        let slot = Slot { key: entry, id: random::hex::<8>()?.into(), lease };
        let args = [slot.key.clone(), limit.to_string().into(), ttl::millis(lease), slot.id.clone()];
        // Taking the same slot twice is taking it once.
        let request = Request::script(&ACQUIRE_SLOT, args).merging(Merge::Script).idempotent();
        let (is_shadow, doubtful) = (policy.is_shadow(), slot.clone());
        let read = move |reply: Reply, source| {
            let [taken, left, wait] = reply.tuple()?;
            let (taken, left, wait) = (taken.int()? == 1, left.int()?, wait.int()?);
            let result = LimitResult {
                allowed: taken || is_shadow,
                shadow_denied: !taken && is_shadow,
                remaining: u64::try_from(left).ok(),
                reset_after_ms: wait,
                retry_after_ms: if taken { Some(0) } else { (limit > 0).then_some(wait) },
                source,
                ..LimitResult::uncounted(true, Some(limit), 0)
            };
            Ok((result, taken.then_some(slot)))
        };
        let uncounted =
            move |allowed| Ok((LimitResult::uncounted(allowed, Some(limit), lease.as_millis() as i64), None));
        let call = Call::new(request, move |reply| read(reply, Source::Store)).inspect(move |ended| {
            if ended.is_err_and(|error| error.kind == Kind::MaybeApplied) {
                doubt(doubtful);
            }
        });
        Ok(match self.on_unavailable(OnUnavailable::Allow) {
            OnUnavailable::Allow => call.or_fallback(move || uncounted(true)),
            OnUnavailable::Deny => call.or_fallback(move || uncounted(false)),
            // Slots that were taken at the store are not known here, so counting from zero would mean nothing.
            OnUnavailable::Local => call.or_fallback(move || uncounted(true)),
            OnUnavailable::Throw => call,
        })
    }
}

impl Slot {
    /// Renews the lease. Returns false if it has ended.
    pub fn renew(&self) -> Call<bool> {
        let args = [self.key.clone(), self.id.clone(), ttl::millis(self.lease)];
        Call::new(Request::script(&RENEW_SLOT, args).merging(Merge::Script).idempotent(), Reply::flag)
    }

    /// Releases the slot. Returns false if its lease had ended.
    pub fn release(&self) -> Call<bool> {
        Call::new(Request::keyed("ZREM", [self.key.clone(), self.id.clone()]).idempotent(), Reply::flag)
    }
}
