//! A sorted set: members ordered by score, and by their bytes if scores are equal.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use bytes::Bytes;

use super::size::copied;

/// Estimated cost of a member beyond its bytes.
const PER_MEMBER: usize = 208;

/// Members with scores.
#[derive(Default)]
pub struct SortedSet {
    scores: HashMap<Bytes, f64>,
    order: BTreeSet<(Score, Bytes)>,
    size: usize,
}

/// A score: never NaN, and -0 is 0.
#[derive(Debug, Clone, Copy)]
struct Score(f64);

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Score {}

/// One end of a range of scores.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub score: f64,
    /// Whether the score itself is excluded.
    pub exclusive: bool,
}

impl SortedSet {
    pub fn size(&self) -> usize {
        self.size
    }

    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    pub fn len(&self) -> usize {
        self.scores.len()
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// Sets a member's score.
    pub fn set(&mut self, member: &Bytes, score: f64) {
        // Turns -0 into 0, as a server does in small sets.
        let score = score + 0.0;
        let member = match self.scores.get_key_value(member) {
            Some((member, old)) => {
                let entry = (Score(*old), member.clone());
                self.order.remove(&entry);
                entry.1
            }
            None => {
                self.size += member.len() + PER_MEMBER;
                copied(member)
            }
        };
        self.order.insert((Score(score), member.clone()));
        self.scores.insert(member, score);
    }

    pub fn remove(&mut self, member: &[u8]) -> bool {
        let Some((member, score)) = self.scores.remove_entry(member) else { return false };
        self.size -= member.len() + PER_MEMBER;
        self.order.remove(&(Score(score), member))
    }

    /// Returns the number of members before this one.
    pub fn rank(&self, member: &Bytes) -> Option<usize> {
        let score = self.score(member)?;
        Some(self.order.range(..(Score(score), member.clone())).count())
    }

    /// Returns the members in order, lowest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Bytes, f64)> {
        self.order.iter().map(|(score, member)| (member, score.0))
    }

    /// Returns the members with scores between these limits, lowest first.
    pub fn between(&self, min: Limit, max: Limit) -> impl DoubleEndedIterator<Item = (&Bytes, f64)> {
        // Entries are ordered by score and member, and the empty member is the first of its score. So "after all of score s" is
        // "before the next number after s".
        let start = if min.exclusive { after(min.score) } else { Some(min.score) };
        let end = if max.exclusive { Some(max.score) } else { after(max.score) };
        let position = |score: f64| (Score(score), Bytes::new());
        let range = match (start, end) {
            (Some(start), Some(end)) if start < end => {
                Some((Bound::Included(position(start)), Bound::Excluded(position(end))))
            }
            (Some(start), None) => Some((Bound::Included(position(start)), Bound::Unbounded)),
            _ => None,
        };
        range.into_iter().flat_map(|range| self.order.range(range)).map(|(score, member)| (member, score.0))
    }
}

/// Returns the next larger number; `None` after infinity.
fn after(score: f64) -> Option<f64> {
    (score < f64::INFINITY).then(|| score.next_up())
}
