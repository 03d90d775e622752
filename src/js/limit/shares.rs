//! What `lib/limit/shares.js` calls.

use std::time::Duration;

use cinnabar_core::{
    features::limit::{Checks, Source},
    output::Output,
};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{Limiter, operation, output, report};
use crate::js::{
    node_api::{Js, RawValue},
    time::moment,
};

#[napi]
impl Limiter {
    /// Returns how many milliseconds a call may take.
    #[napi]
    pub fn timeout_ms(&self) -> f64 {
        self.core.timeout().as_secs_f64() * 1000.0
    }

    /// Leases up to `wanted` hits, or none if fewer than `least` are left: `{ result, hits, charge }`.
    #[napi]
    pub fn lease(&self, env: Env, policy: Unknown, id: Unknown, wanted: Unknown, least: Unknown) -> RawValue {
        self.core.submit_output(env, operation("RATE LIMIT"), |js| {
            let (policy, id) = (js.text(policy.raw(), "policy")?, js.any_text(id.raw(), "identifier")?);
            let (wanted, least) = (js.any_number(wanted.raw(), "wanted")?, js.any_number(least.raw(), "least")?);
            let context = self.context(js)?;
            Ok(self.limiter.share(&policy, &id, wanted, least)?.map(move |(mut result, hits)| {
                // What is decided from a share is observed later, also the refusals of the store.
                if result.source == Source::Store {
                    context.report(context.observer.observe_lease(moment()));
                } else if least > 0.0 {
                    context.observe(&policy, &id, &result);
                }
                let charge = result.charge.take().map(Output::text);
                Output::Object(vec![
                    ("result".into(), output(result)),
                    Output::field("hits", hits),
                    ("charge".into(), charge.unwrap_or(Output::Null)),
                ])
            }))
        })
    }

    /// Gives back all hits of a share but `used`.
    #[napi]
    pub fn give_back(&self, env: Env, policy: Unknown, id: Unknown, charge: Unknown, used: Unknown) -> RawValue {
        self.core.submit(env, operation("SETTLE RATE LIMIT"), |js| {
            let (policy, id) = (js.text(policy.raw(), "policy")?, js.any_text(id.raw(), "identifier")?);
            let (charge, used) = (js.any_text(charge.raw(), "charge")?, js.any_number(used.raw(), "used")?);
            self.limiter.give_back(&policy, &id, &charge, used)
        })
    }

    /// Observes checks of an identifier that were decided from a share; a refusal lasts so many milliseconds.
    #[napi]
    pub fn observe(&self, env: Env, policy: String, id: String, allowed: f64, refused: f64, lasts: f64) {
        let refused_for = Duration::from_millis((lasts as u64).max(1));
        let checks = Checks { allowed: allowed as u64, refused: refused as u64, refused_for };
        if let (Some(notice), Ok(store)) = (
            self.observer.observe_shared(&policy, &id, checks, moment()),
            self.core.open_store(Js(env.raw())).map(|open| open.store().clone()),
        ) {
            store.events().emit(&report::event(&store, &notice));
        }
    }
}
