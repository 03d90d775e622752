//! What a check returns.

use std::sync::Arc;

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};

use super::{MAX_LIMIT, Policy, Source};
use crate::output::LimitResult;

/// The result of a check under several policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// Whether all of them allowed it. Otherwise none of them was charged.
    pub allowed: bool,
    /// The result of each, in order.
    pub each: Vec<LimitResult>,
}

/// What a script returned.
pub(super) enum Outcome<T> {
    /// The result.
    Done(T),
    /// The bounds of a calendar do not include the store's time, which is this in milliseconds since 1970.
    Stale(i64),
}

impl LimitResult {
    /// The result of a check that was not counted. A rejected client has to wait for a whole period.
    pub(super) fn uncounted(allowed: bool, limit: Option<u64>, period_ms: i64) -> Self {
        Self {
            allowed,
            shadow_denied: false,
            limit,
            remaining: if allowed { limit } else { Some(0) },
            reset_ms: None,
            reset_after_ms: if allowed { 0 } else { period_ms },
            retry_after_ms: Some(if allowed { 0 } else { period_ms }),
            now_us: None,
            source: Source::Fallback,
            charge: None,
        }
    }

    /// The result of a check by a policy that allows everything.
    pub(super) fn unlimited() -> Self {
        Self { source: Source::Store, ..Self::uncounted(true, None, 0) }
    }

    /// Reads what `take.lua` returns for a policy.
    pub(super) fn read(reply: Reply, policy: &Policy, source: Source) -> Result<Outcome<Self>> {
        let mut fields = reply.array()?.into_iter();
        let mut next = || fields.next().ok_or_else(too_short)?.int();
        let allowed = next()?;
        if allowed < 0 {
            return Ok(Outcome::Stale(next()?));
        }
        let [left, wait, reset, now, limit] = [next()?, next()?, next()?, next()?, next()?];
        let charge = fields.next().map(Reply::bulk).transpose()?.flatten();
        // Rounded up, so that a caller who waits that long is not too early.
        let ms = |us: i64| us.div_euclid(1000) + i64::from(us.rem_euclid(1000) > 0);
        let limit = u64::try_from(limit).unwrap_or(policy.limit().unwrap_or(0));
        let is_unlimited = limit >= MAX_LIMIT as u64;
        let number = |number| if is_unlimited { None } else { Some(number) };
        Ok(Outcome::Done(Self {
            allowed: allowed == 1 || policy.is_shadow(),
            shadow_denied: allowed != 1 && policy.is_shadow(),
            limit: number(limit),
            remaining: number(u64::try_from(left).unwrap_or(0)),
            reset_ms: Some(ms(now + reset)),
            reset_after_ms: ms(reset),
            retry_after_ms: (wait >= 0).then_some(ms(wait)),
            now_us: Some(now),
            source,
            charge: charge.map(|mark| String::from_utf8_lossy(&mark).into_owned()).filter(|mark| !mark.is_empty()),
        }))
    }
}

impl Results {
    pub(super) fn of(each: Vec<LimitResult>) -> Self {
        Self { allowed: each.iter().all(|result| result.allowed), each }
    }

    /// Reads what `take_all.lua` returns for these policies.
    pub(super) fn read(reply: Reply, policies: &[Arc<Policy>], source: Source) -> Result<Outcome<Self>> {
        let fields = reply.array()?;
        if let [Reply::Int(-1), Reply::Int(now_ms)] = fields[..] {
            return Ok(Outcome::Stale(now_ms));
        }
        let mut each = Vec::with_capacity(fields.len());
        for (view, policy) in fields.into_iter().zip(policies) {
            match LimitResult::read(view, policy, source)? {
                Outcome::Done(result) => each.push(result),
                Outcome::Stale(now_ms) => return Ok(Outcome::Stale(now_ms)),
            }
        }
        Ok(Outcome::Done(Self::of(each)))
    }
}

fn too_short() -> Error {
    Error::new(Kind::Internal, "the reply to a check has too few fields")
}
