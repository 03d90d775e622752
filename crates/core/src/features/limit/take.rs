//! Checks under one policy.

use std::sync::Arc;

use bytes::Bytes;
use cinnabar_port::{Call, Merge, Request, error::Result};

use super::{
    Denials, LimitResult, Limiter, OnUnavailable, Source,
    charge::Charge,
    policy::cost_of,
    subject::{Build, learning, learning_locally},
};

policy_script!(TAKE = "limit/take.lua", keys: 1, args: 4);

/// What is checked.
#[derive(Debug, Clone)]
pub struct Check {
    /// The name of the policy.
    pub policy: String,
    /// The identifier.
    pub id: String,
    /// The number of hits.
    pub cost: f64,
    /// A limit in place of that of the policy.
    pub limit: Option<f64>,
}

/// What a check does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Charges the hits if they are allowed.
    Take,
    /// The same, and returns a charge that can be settled.
    Reserve,
    /// The same if the hits are allowed within so many microseconds; they are charged at once.
    ReserveWithin(u64),
    /// Charges nothing.
    Peek,
    /// Charges as many hits as are left.
    Drain,
    /// Charges up to an eighth of what is left, but at least so many hits, and returns a charge. A counter of this process charges these only.
    Share(u64),
}

impl How {
    fn word(self) -> &'static [u8] {
        match self {
            Self::Take => b"take",
            Self::Reserve | Self::ReserveWithin(_) => b"reserve",
            Self::Peek => b"peek",
            Self::Drain => b"drain",
            Self::Share(_) => b"share",
        }
    }
}

impl Limiter {
    /// Checks hits of an identifier under a policy.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an unknown policy, or an invalid cost or limit.
    pub fn take(&self, check: &Check, how: How, denials: Option<Denials>) -> Result<Call<LimitResult>> {
        let subject = self.counted(&check.policy, &check.id, check.limit)?;
        let (policy, cost) = (subject.policy, cost_of("cost", check.cost)?);
        let Some(limit) = policy.limit() else { return Ok(Call::ready(LimitResult::unlimited())) };
        let ahead = match how {
            How::ReserveWithin(ahead) if policy.can_wait() => ahead,
            How::Share(least) => least,
            _ => 0,
        };
        let calendars: Vec<_> = policy.calendar().cloned().into_iter().collect();
        let (own, key, rules, is_shadow) = (policy.clone(), subject.entry.clone(), policy.args(), policy.is_shadow());
        let period_ms = i64::try_from(policy.longest_ms()).unwrap_or(i64::MAX);
        let entry = subject.entry;
        let building = |how: How, cost: u64| -> Build {
            let (entry, policy) = (entry.clone(), policy.clone());
            let (cost, ahead): (Bytes, Bytes) = (cost.to_string().into(), ahead.to_string().into());
            Arc::new(move || {
                let word = Bytes::from_static(how.word());
                let args = [entry.clone(), policy.text(), word, cost.clone(), ahead.clone()];
                let request = Request::script(&TAKE, args).merging(Merge::Script);
                if how == How::Peek { request.reads() } else { request }
            })
        };
        let build = building(how, cost);
        let read = move |source| {
            let policy = own.clone();
            move |reply| LimitResult::read(reply, &policy, source)
        };
        let call = learning(calendars.clone(), build.clone(), Box::new(read(Source::Store)));
        let uncounted = move |allowed| Ok(LimitResult::uncounted(allowed, Some(limit), period_ms));
        let call = match self.on_unavailable(OnUnavailable::Allow) {
            OnUnavailable::Allow => call.or_fallback(move || uncounted(true)),
            OnUnavailable::Deny => call.or_fallback(move || uncounted(false)),
            OnUnavailable::Local => {
                let local = self.local.clone();
                let read = read(Source::Local);
                // There are no shares of what this process counts.
                let build = if let How::Share(least) = how { building(How::Take, least) } else { build };
                call.or_fallback(move || learning_locally(&calendars, &build, |request| local.execute(request), read))
            }
            OnUnavailable::Throw => call,
        };
        let charged = key.clone();
        let call = call.map(move |result| LimitResult {
            charge: result.charge.map(|mark| {
                let (cost, mark) = if let How::Share(_) = how { hits_of(&mark) } else { (cost, mark.as_str()) };
                Charge::new(cost, mark, result.source, &charged).to_string()
            }),
            ..result
        });
        Ok(match denials.filter(|_| matches!(how, How::Take | How::Reserve) && !is_shadow) {
            Some(denials) => denials.around(key, rules.into_iter().collect(), cost, call),
            None => call,
        })
    }

    /// Leases up to `wanted` hits, but at least `least`; returns how many. They are spent until they are given back.
    ///
    /// # Errors
    /// As for `take`.
    pub fn share(&self, policy: &str, id: &str, wanted: f64, least: f64) -> Result<Call<(LimitResult, u64)>> {
        let check = Check { policy: policy.to_owned(), id: id.to_owned(), cost: wanted, limit: None };
        let call = self.take(&check, How::Share(cost_of("least", least)?), None)?;
        Ok(call.map(|result| {
            let hits = result.charge.as_deref().and_then(Charge::parse).map_or(0, |charge| charge.cost());
            (result, hits)
        }))
    }

    /// Gives back all hits of a share but `used`. To be called once.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an unknown policy, or an invalid number of hits.
    pub fn give_back(&self, policy: &str, id: &str, charge: &str, used: f64) -> Result<Call<bool>> {
        let (subject, used) = (self.counted(policy, id, None)?, cost_of("used", used)?);
        match Charge::parse(charge) {
            Some(charge) => self.settle_subject(&subject, &charge, used, false),
            None => Ok(Call::ready(false)),
        }
    }
}

/// Reads the mark of a share: its hits, and where they were charged.
fn hits_of(mark: &str) -> (u64, &str) {
    let read = |(hits, mark): (&str, _)| Some((hits.parse().ok()?, mark));
    mark.split_once(' ').and_then(read).unwrap_or((0, mark))
}
