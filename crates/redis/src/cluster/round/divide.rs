//! Divides sub-requests by how each continues.

use std::{collections::HashMap, sync::Arc};

use super::{Node, SubRequest};

/// Sub-requests by how they continue. Those of one part wait for their keys together, so no part may come between the sub-requests
/// of another on any key: the two would wait for each other until the deadline. On each key, the parts are in the order of the
/// sub-requests.
pub struct Divided<T, P> {
    pub parts: Vec<(T, Vec<P>)>,
    /// The last part that waits for each slot of keys.
    last: HashMap<u16, usize>,
}

impl<T: PartialEq, P> Divided<T, P> {
    pub fn new() -> Self {
        Self { parts: Vec::new(), last: HashMap::new() }
    }

    /// Adds a sub-request that waits for keys in these slots, which was made after those added before.
    pub fn add(&mut self, to: T, slots: &[u16], sub_request: P) {
        let first = slots.iter().filter_map(|slot| self.last.get(slot)).max().copied().unwrap_or(0);
        let mut later = first..self.parts.len();
        let at = later.find(|&at| self.parts[at].0 == to).unwrap_or(self.parts.len());
        self.last.extend(slots.iter().map(|&slot| (slot, at)));
        match self.parts.get_mut(at) {
            Some((_, sub_requests)) => sub_requests.push(sub_request),
            None => self.parts.push((to, vec![sub_request])),
        }
    }
}

/// How sub-requests continue together.
pub enum To {
    Node {
        node: Arc<Node>,
        asking: bool,
        /// A request on a dedicated connection may block, so others must not wait for it.
        alone: bool,
    },
    /// After a pause.
    Later,
    /// After a refresh of the map.
    Refreshed,
}

impl To {
    pub fn node(node: Arc<Node>, asking: bool, sub_request: &SubRequest<'_>) -> Self {
        Self::Node { node, asking, alone: sub_request.command.is_dedicated() }
    }
}

impl PartialEq for To {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Node { node, asking, alone }, Self::Node { node: other, asking: too, alone: other_alone }) => {
                !alone && !other_alone && Arc::ptr_eq(node, other) && asking == too
            }
            (Self::Later, Self::Later) | (Self::Refreshed, Self::Refreshed) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(sub_requests: &[(&'static str, &[u16])]) -> Vec<(&'static str, Vec<usize>)> {
        let mut divided = Divided::new();
        for (at, (to, slots)) in sub_requests.iter().enumerate() {
            divided.add(*to, slots, at);
        }
        divided.parts
    }

    #[test]
    fn sub_requests_on_other_keys_join_all_with_the_same_target() {
        let parts = divided(&[("later", &[1]), ("node", &[2]), ("later", &[3]), ("node", &[]), ("node", &[2])]);
        assert_eq!(parts, [("later", vec![0, 2]), ("node", vec![1, 3, 4])]);
    }

    #[test]
    fn no_part_comes_between_the_sub_requests_of_another_on_a_key() {
        let parts = divided(&[("later", &[1, 2]), ("node", &[1]), ("later", &[1, 2]), ("later", &[2])]);
        assert_eq!(parts, [("later", vec![0]), ("node", vec![1]), ("later", vec![2, 3])]);
        // Over two keys: the second `later` waits for `node`, and `node` for the first.
        let parts = divided(&[("later", &[1]), ("node", &[2]), ("node", &[1]), ("later", &[2])]);
        assert_eq!(parts, [("later", vec![0]), ("node", vec![1, 2]), ("later", vec![3])]);
    }
}
