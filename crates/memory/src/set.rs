//! A set.

use bytes::Bytes;
use indexmap::IndexSet;

use super::size::copied;

/// Estimated cost of a member beyond its bytes.
const PER_MEMBER: usize = 80;

/// A set.
#[derive(Default)]
pub struct Set {
    members: IndexSet<Bytes>,
    size: usize,
}

impl Set {
    pub fn members(&self) -> &IndexSet<Bytes> {
        &self.members
    }

    pub fn size(&self) -> usize {
        self.size
    }

    pub fn add(&mut self, member: &Bytes) -> bool {
        let new = !self.members.contains(member);
        if new {
            self.size += member.len() + PER_MEMBER;
            self.members.insert(copied(member));
        }
        new
    }

    pub fn remove(&mut self, member: &Bytes) -> bool {
        let removed = self.members.swap_remove(member);
        if removed {
            self.size -= member.len() + PER_MEMBER;
        }
        removed
    }

    pub fn pop(&mut self, random: u64) -> Option<Bytes> {
        let i = random.checked_rem(self.members.len() as u64)?;
        let member = self.members.swap_remove_index(i as usize)?;
        self.size -= member.len() + PER_MEMBER;
        Some(member)
    }
}
