//! Calls whose changes this process sees at once, also where it has values near.

use std::sync::Arc;

use cinnabar_port::{Call, Step};
use smallvec::SmallVec;

use super::Near;

/// The near tiers of a process for the same keys.
pub type Nears = SmallVec<[Arc<Near>; 1]>;

/// Returns a call whose changes this process sees at once: what a request may change counts as changed when it is sent, and again when its
/// reply is there.
pub fn watched<T: Send + 'static>(nears: Nears, call: Call<T>) -> Call<T> {
    if nears.is_empty() {
        return call;
    }
    let mut keys = Some(Vec::new());
    for request in call.requests.iter().filter(|request| request.effect.changes()) {
        match (request.keys.among(&request.args), &mut keys) {
            (Some(changed), Some(keys)) => keys.extend(changed.cloned()),
            _ => keys = None,
        }
    }
    let change = move |nears: &Nears| {
        nears.iter().for_each(|near| match &keys {
            Some(keys) => keys.iter().for_each(|key| near.changed(key)),
            None => near.changed_all(),
        });
    };
    change(&nears);
    let (requests, read) = (call.requests, call.read);
    let read = move |replies| {
        let step = read(replies);
        change(&nears);
        Ok(match step? {
            Step::Done(result) => Step::Done(result),
            Step::Next(call) => Step::Next(watched(nears, call)),
        })
    };
    Call { requests, read: Box::new(read) }
}
