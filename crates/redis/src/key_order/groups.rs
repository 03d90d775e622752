//! Divides a round by the connection that each of its requests may be sent on.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::{Keys, LAST_GROUP, Route, slot_of, state::State};

/// The requests of one round, by the connection that each may be sent on.
pub struct Groups {
    routes: Vec<Route>,
    /// The slots of requests that cannot be sent now, with their group.
    taken: HashMap<u16, usize>,
}

impl Groups {
    pub fn new() -> Self {
        Self { routes: vec![Route::Any], taken: HashMap::new() }
    }

    /// Returns the group of a request with these keys, which follows the requests assigned before it.
    pub fn assign(&mut self, state: &State, connection: u32, keys: &Keys) -> usize {
        let slots: SmallVec<[u16; 4]> = keys.iter().map(|&key| slot_of(key)).collect();
        let before: SmallVec<[usize; 4]> = slots.iter().filter_map(|slot| self.taken.get(slot)).copied().collect();
        let group = match (state.route_of(&slots), before.first()) {
            (Route::Wait, _) => LAST_GROUP,
            (Route::Any, before) => before.copied().unwrap_or(0),
            (Route::Over(other), before) if other == connection => before.copied().unwrap_or(0),
            (route, None) => self.routes.iter().position(|known| *known == route).unwrap_or_else(|| {
                self.routes.push(route);
                self.routes.len() - 1
            }),
            (route, Some(&before)) if self.routes.get(before) == Some(&route) => before,
            (..) => LAST_GROUP,
        };
        let group = if before.iter().all(|other| *other == group) { group } else { LAST_GROUP };
        if group > 0 {
            self.taken.extend(slots.into_iter().map(|slot| (slot, group)));
        }
        group
    }
}
