//! The slots of a limiter: what runs at the same time.

use std::sync::Arc;

use cinnabar_core::{
    agents::{doubtful_release, slot_keeper::SlotKeeper},
    features::limit::Slot,
    output::Output,
    store::Store,
};
use cinnabar_port::{Call, Step, error::Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use tokio::time::Instant;

use super::{Limiter, operation, output};
use crate::js::{
    node_api::{Js, RawValue},
    service_core::{Ending, ResourceGroup},
};

/// The slots of a service while it is open. They are released with it.
struct OpenSlots(Arc<SlotKeeper>);

impl ResourceGroup for OpenSlots {
    fn end(&self, deadline: Instant) -> Ending {
        Some(Box::pin(self.0.release_all(deadline)))
    }
}

#[napi]
impl Limiter {
    /// Takes a slot under a concurrency policy: `{ result, slot }`, with the number of the slot or null.
    #[napi]
    pub fn acquire(&self, env: Env, policy: Unknown, id: Unknown) -> RawValue {
        self.core.submit_output(env, operation("RATE LIMIT"), |js| {
            let (policy, id) = (js.text(policy.raw(), "policy")?, js.any_text(id.raw(), "identifier")?);
            let (context, keeper, began) = (self.context(js)?, self.slots(js)?, Instant::now());
            let store = context.store.clone();
            let call = self.limiter.acquire(&policy, &id, move |slot| release_later(&store, slot))?;
            Ok(call.then(move |(result, slot)| {
                context.observe(&policy, &id, &result);
                let acquired = |result, slot: Option<u64>| {
                    Output::Object(vec![("result".into(), output(result)), Output::field("slot", slot)])
                };
                Ok(match slot.map(|slot| keeper.keep(slot, began)).transpose() {
                    Ok(number) => Step::Done(acquired(result, number)),
                    // Its service was closed meanwhile, which has released the others.
                    Err(slot) => {
                        let release = slot.release().or_else(|_| Ok(false));
                        Step::Next(release.map(move |_| acquired(result, None)))
                    }
                })
            }))
        })
    }

    /// Releases a slot; returns whether it was still taken. If that fails, it is repeated until the slot is free.
    #[napi]
    pub fn release_slot(&self, env: Env, number: f64) -> RawValue {
        self.core.submit(env, operation("RELEASE RATE LIMIT"), |js| {
            let store = self.core.open_store(js)?.store().clone();
            let Some(slot) = self.slots(js)?.remove(number as u64) else { return Ok(Call::ready(false)) };
            Ok(slot.release().inspect(move |released| {
                if released.is_err() {
                    release_later(&store, slot);
                }
            }))
        })
    }

    /// Whether a slot is still taken.
    #[napi]
    pub fn has_slot(&self, env: Env, number: f64) -> bool {
        self.core.store().is_some() && self.slots(Js(env.raw())).is_ok_and(|keeper| keeper.is_taken(number as u64))
    }
}

impl Limiter {
    /// Returns the slots that this service has taken.
    fn slots(&self, js: Js) -> Result<Arc<SlotKeeper>> {
        let open_store = self.core.open_store(js)?;
        // Not those of a limiter, of which there may be one per request.
        let slots = self.core.resources().group(open_store.store(), |store| OpenSlots(SlotKeeper::new(store)));
        Ok(slots.0.clone())
    }
}

/// Releases a slot of which it is unknown whether it is taken.
fn release_later(store: &Arc<Store>, slot: Slot) {
    doubtful_release::retry_until_released(store, slot.lease, move || Ok(slot.release()));
}
