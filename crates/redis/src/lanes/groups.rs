//! Dividing a round by the connection that each of its requests may be sent on.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::{Keys, REST, Way, slot_of, state::State};

/// The requests of one round, by the connection that each may be sent on.
pub struct Groups {
    ways: Vec<Way>,
    /// The slots of requests that cannot be sent now, with their group.
    taken: HashMap<u16, usize>,
}

impl Groups {
    pub fn new() -> Self {
        Self { ways: vec![Way::Any], taken: HashMap::new() }
    }

    /// The group of a request with these keys, which follows the requests placed before it.
    pub fn place(&mut self, state: &State, connection: u32, keys: &Keys) -> usize {
        let slots: SmallVec<[u16; 4]> = keys.iter().map(|&key| slot_of(key)).collect();
        let before: SmallVec<[usize; 4]> = slots.iter().filter_map(|slot| self.taken.get(slot)).copied().collect();
        let group = match (state.way_of(&slots), before.first()) {
            (Way::Wait, _) => REST,
            (Way::Any, before) => before.copied().unwrap_or(0),
            (Way::Over(other), before) if other == connection => before.copied().unwrap_or(0),
            (way, None) => self.ways.iter().position(|known| *known == way).unwrap_or_else(|| {
                self.ways.push(way);
                self.ways.len() - 1
            }),
            (way, Some(&before)) if self.ways.get(before) == Some(&way) => before,
            (..) => REST,
        };
        let group = if before.iter().all(|other| *other == group) { group } else { REST };
        if group > 0 {
            self.taken.extend(slots.into_iter().map(|slot| (slot, group)));
        }
        group
    }
}
