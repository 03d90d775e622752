//! The table of nodes and the slots that they own.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{Node, map::Run};
use crate::settings::Address;
use crate::slot::SLOTS;

/// A node without slots is retained for this long after the last redirection to it, since a slot may be migrating there.
const RETAIN_FOR: Duration = Duration::from_secs(60);
/// The most nodes known only from redirections. While slots migrate, there are one or two.
const MAX_UNMAPPED: usize = 16;
const NO_OWNER: u16 = u16::MAX;

/// The known nodes and slots.
#[derive(Default)]
pub struct Table {
    /// For each slot, the index of its owner in `nodes`. Empty until the map is known.
    owners: Vec<u16>,
    nodes: Vec<Arc<Node>>,
    /// How many of them are in the map.
    mapped: usize,
    /// All nodes by address, and when a request was last redirected there.
    known: HashMap<Address, (Arc<Node>, Option<Instant>)>,
    /// The node that gets requests without a slot.
    anchor: Option<Arc<Node>>,
    /// Counts the changes of `owners` and `known`.
    version: u64,
}

/// What a new map changed.
pub struct Change {
    /// Nodes that no longer own slots, to be dropped outside the lock.
    pub left: Vec<Arc<Node>>,
    /// Whether the set of nodes with slots has changed; false for the first map.
    pub nodes: bool,
    /// Whether any slot has moved; false for the first map.
    pub slots: bool,
}

impl Table {
    /// Whether a map is known.
    pub fn is_known(&self) -> bool {
        !self.owners.is_empty()
    }

    /// The addresses of all known nodes.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.known.keys()
    }

    /// A number that changes whenever a slot gets another owner, or another node becomes known.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The owner of this slot.
    pub fn owner(&self, slot: u16) -> Option<&Arc<Node>> {
        self.nodes.get(usize::from(*self.owners.get(usize::from(slot))?))
    }

    /// The node for requests without a slot: the same one for as long as it is usable.
    pub fn anyone(&mut self) -> Option<Arc<Node>> {
        let usable = |node: &&Arc<Node>| node.server.is_usable();
        if self.anchor.as_ref().filter(usable).is_none() {
            let nodes = self.primaries();
            self.anchor = nodes.iter().find(usable).or(nodes.first()).cloned();
        }
        self.anchor.clone()
    }

    /// Whether this node is known or may be added. The limit protects against a server that redirects every request to another
    /// host name.
    pub fn may_know(&self, address: &Address) -> bool {
        self.known.contains_key(address) || self.known.len() < self.mapped + MAX_UNMAPPED
    }

    /// The node at this address, to which a request was redirected; created with `make` if it is new.
    pub fn at(&mut self, address: &Address, make: impl FnOnce(&Address) -> Node) -> Arc<Node> {
        let version = &mut self.version;
        let known = self.known.entry(address.clone()).or_insert_with(|| {
            *version += 1;
            (Arc::new(make(address)), None)
        });
        known.1 = Some(Instant::now());
        known.0.clone()
    }

    /// Records that a slot has moved.
    pub fn give(&mut self, slot: u16, node: &Arc<Node>) {
        let at = self.nodes.iter().position(|other| Arc::ptr_eq(other, node)).unwrap_or_else(|| {
            self.nodes.push(node.clone());
            self.nodes.len() - 1
        });
        if let Some(owner) = self.owners.get_mut(usize::from(slot))
            && *owner != at as u16
        {
            *owner = at as u16;
            self.version += 1;
        }
    }

    /// The first slot of each node that owns any, in slot order.
    pub fn firsts(&self) -> Vec<u16> {
        let mut seen = vec![false; self.nodes.len()];
        let owners = self.owners.iter().zip(0_u16..);
        let firsts = owners
            .filter(|(owner, _)| seen.get_mut(usize::from(**owner)).is_some_and(|seen| !std::mem::replace(seen, true)));
        firsts.map(|(_, slot)| slot).collect()
    }

    /// The nodes that own slots, in slot order.
    pub fn primaries(&self) -> Vec<Arc<Node>> {
        self.firsts().into_iter().filter_map(|slot| self.owner(slot).cloned()).collect()
    }

    /// Applies a new map; nodes that remain keep their connections.
    pub fn replace(&mut self, runs: &[Run], mut make: impl FnMut(&Address) -> Node) -> Change {
        let before = self.primaries();
        let first_map = !self.is_known();
        let (mut owners, mut nodes) = (vec![NO_OWNER; SLOTS], Vec::<Arc<Node>>::new());
        for run in runs {
            let known = self.known.entry(run.primary.clone());
            let node = known.or_insert_with(|| (Arc::new(make(&run.primary)), None)).0.clone();
            node.followed.store(run.followed, Ordering::Relaxed);
            let at = nodes.iter().position(|other| Arc::ptr_eq(other, &node)).unwrap_or_else(|| {
                nodes.push(node);
                nodes.len() - 1
            });
            if let Some(slots) = owners.get_mut(usize::from(run.first)..=usize::from(run.last)) {
                slots.fill(at as u16);
            }
        }
        let has = |nodes: &[Arc<Node>], owners: &[u16], slot: usize| {
            owners.get(slot).and_then(|at| nodes.get(usize::from(*at))).map(|node| node.address.clone())
        };
        let moved = (0..SLOTS).any(|slot| has(&self.nodes, &self.owners, slot) != has(&nodes, &owners, slot));
        (self.owners, self.mapped, self.nodes) = (owners, nodes.len(), nodes);
        self.version += u64::from(moved);
        let now = Instant::now();
        let mut left = Vec::new();
        let nodes = &self.nodes;
        self.known.retain(|_, (node, named)| {
            let named = named.is_some_and(|named| now - named < RETAIN_FOR);
            let stays = named || nodes.iter().any(|other| Arc::ptr_eq(other, node));
            if !stays {
                left.push(node.clone());
            }
            stays
        });
        let after = self.primaries();
        if self.anchor.as_ref().is_some_and(|anchor| !after.iter().any(|node| Arc::ptr_eq(node, anchor))) {
            left.extend(self.anchor.take());
        }
        let same =
            before.len() == after.len() && before.iter().all(|node| after.iter().any(|other| Arc::ptr_eq(node, other)));
        Change { left, nodes: !first_map && !same, slots: !first_map && moved }
    }
}
