//! The tag clock: one sequence a namespace, moved by every invalidation, against which entries are judged.
//!
//! The clock is one sorted set. A tag's score is the number of its last invalidation. Three members are the clock's own:
//! the current number, a random epoch, and the floor below which tags have been forgotten. An entry carries the epoch and
//! the number at which its value was true (for a loaded value: before the load began); it is valid while the epoch is the
//! same and none of its tags was invalidated later. A clock that is lost, evicted or flushed begins a new epoch, and every
//! tagged entry misses: the safe side. No wall clock is read anywhere.
//!
//! Each process keeps a mirror and asks only for what moved since, in the same round as the entry itself.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Kind, Result},
    random,
    store::{Args, Merge, Reply, Request, script},
};

script!(OPEN = "cache/open.lua", keys: 1, args: 2);
script!(INVALIDATE = "cache/invalidate.lua", keys: 1, args: 4);

/// The clock's own members begin with NUL, which no tag does.
const NUMBER: &str = "\0s";
const EPOCH: &str = "\0e";
const FLOOR: &str = "\0f";

/// How long a clock that nobody uses is kept. Losing it costs a miss of every tagged entry, nothing else.
const LIFE_MS: &str = "2592000000";
/// Tags a clock remembers one by one before it forgets the oldest tenth.
const MOST_TAGS: &str = "100000";
/// The same bound for this process's mirror.
const MIRROR_TAGS: usize = 100_000;

/// A moment of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Which life of the clock.
    #[serde(rename = "e")]
    pub epoch: u64,
    /// How many invalidations it had seen.
    #[serde(rename = "n")]
    pub seq: u64,
}

/// What the mirror says of an entry.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// None of its tags was invalidated since.
    Valid,
    /// One was, or nobody can tell.
    Invalid,
    /// It is older than the mirror: its tags must be asked for.
    Ask,
}

/// This process's copy of a clock.
#[derive(Default)]
pub struct Clock(Mutex<Mirror>);

#[derive(Default)]
struct Mirror {
    epoch: Option<u64>,
    /// Everything up to this number is known.
    seq: u64,
    /// Tags invalidated up to this number may be missing from `tags`.
    floor: u64,
    tags: HashMap<String, u64>,
}

impl Clock {
    /// Asks for what moved since the last time. Equal questions of a round are asked once.
    pub fn changes(&self, key: Bytes) -> Request {
        let seq = self.lock().seq;
        let from = Bytes::from(format!("({seq}"));
        let args = [key, from, Bytes::from_static(b"+inf"), Bytes::from_static(b"WITHSCORES")];
        Request::keyed("ZRANGEBYSCORE", args).merging(Merge::Same).repeatable()
    }

    /// Takes the answer in. `false` when the clock is another one than the mirror's, which must then be read afresh.
    pub fn learn(&self, reply: Reply) -> Result<bool> {
        let mut items = reply.array()?.into_iter();
        let (mut epoch, mut number, mut floor, mut tags) = (None, None, 0, Vec::new());
        while let (Some(member), Some(score)) = (items.next(), items.next()) {
            let (member, score) = (text(member)?, score_of(score)?);
            match member.as_str() {
                EPOCH => epoch = Some(score),
                NUMBER => number = Some(score),
                FLOOR => floor = score,
                _ => tags.push((member, score)),
            }
        }
        let mut mirror = self.lock();
        if epoch.is_none() {
            *mirror = Mirror::default();
            return Ok(true);
        }
        if mirror.epoch != epoch {
            return Ok(false);
        }
        // Tags that moved since, but were forgotten before anybody here heard of them.
        if floor > mirror.seq {
            mirror.floor = floor;
        }
        mirror.learn(tags);
        mirror.seq = mirror.seq.max(number.unwrap_or(0));
        Ok(true)
    }

    /// Asks for the clock's current moment, whatever the mirror knows.
    pub fn moment(key: Bytes) -> Request {
        let args = [key, Bytes::from_static(EPOCH.as_bytes()), Bytes::from_static(NUMBER.as_bytes())];
        Request::keyed("ZMSCORE", args).merging(Merge::Same).repeatable()
    }

    /// Begins the mirror at the moment that was asked for.
    pub fn begin(&self, reply: Reply) -> Result<Option<Stamp>> {
        let [epoch, seq] = reply.tuple()?;
        let stamp = match (epoch, seq) {
            (Reply::Nil, _) => None,
            (epoch, Reply::Nil) => Some(Stamp { epoch: score_of(epoch)?, seq: 0 }),
            (epoch, seq) => Some(Stamp { epoch: score_of(epoch)?, seq: score_of(seq)? }),
        };
        let mut mirror = self.lock();
        if mirror.epoch != stamp.map(|stamp| stamp.epoch) {
            let seq = stamp.map_or(0, |stamp| stamp.seq);
            *mirror = Mirror { epoch: stamp.map(|stamp| stamp.epoch), seq, floor: seq, tags: HashMap::new() };
        }
        Ok(stamp)
    }

    /// Asks for the current moment and starts the clock if there is none.
    pub fn open(key: Bytes) -> Result<Request> {
        Ok(Request::script(&OPEN, [key, epoch()?, Bytes::from_static(LIFE_MS.as_bytes())]).merging(Merge::Script))
    }

    /// Invalidates a tag.
    pub fn invalidate(key: Bytes, tag: &str) -> Result<Request> {
        let tag = Bytes::copy_from_slice(tag.as_bytes());
        let bounds = [LIFE_MS, MOST_TAGS].map(|text| Bytes::from_static(text.as_bytes()));
        let [life, most] = bounds;
        Ok(Request::script(&INVALIDATE, [key, tag, epoch()?, life, most]))
    }

    /// Judges an entry by what the mirror knows.
    pub fn judge(&self, stamp: Stamp, tags: &[String]) -> Verdict {
        let mirror = self.lock();
        if mirror.epoch != Some(stamp.epoch) {
            return Verdict::Invalid;
        }
        if tags.iter().any(|tag| mirror.tags.get(tag).is_some_and(|&last| last > stamp.seq)) {
            return Verdict::Invalid;
        }
        if stamp.seq < mirror.floor { Verdict::Ask } else { Verdict::Valid }
    }

    /// Asks for an entry's tags one by one.
    pub fn ask(key: Bytes, tags: &[String]) -> Request {
        let own = [EPOCH, FLOOR].map(|name| Bytes::from_static(name.as_bytes()));
        let tags = tags.iter().map(|tag| Bytes::copy_from_slice(tag.as_bytes()));
        let args: Args = [key].into_iter().chain(own).chain(tags).collect();
        Request::with_keys("ZMSCORE", args, 1).repeatable()
    }

    /// Whether the entry is valid by that answer.
    pub fn confirm(stamp: Stamp, reply: Reply) -> Result<bool> {
        let mut scores = reply.array()?.into_iter().map(|score| match score {
            Reply::Nil => Ok(None),
            score => score_of(score).map(Some),
        });
        let epoch = scores.next().transpose()?.flatten();
        let floor = scores.next().transpose()?.flatten().unwrap_or(0);
        if epoch != Some(stamp.epoch) || floor > stamp.seq {
            return Ok(false);
        }
        for last in scores {
            if last?.is_some_and(|last| last > stamp.seq) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The moment up to which the mirror knows everything.
    pub fn now(&self) -> Option<Stamp> {
        let mirror = self.lock();
        mirror.epoch.map(|epoch| Stamp { epoch, seq: mirror.seq })
    }

    fn lock(&self) -> MutexGuard<'_, Mirror> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Mirror {
    fn learn(&mut self, tags: Vec<(String, u64)>) {
        for (tag, seq) in tags {
            let last = self.tags.entry(tag).or_default();
            *last = seq.max(*last);
            self.seq = self.seq.max(seq);
        }
        if self.tags.len() > MIRROR_TAGS {
            self.tags.clear();
            self.floor = self.seq;
        }
    }
}

/// A moment from `open`: epoch and number.
pub fn stamp(reply: Reply) -> Result<Stamp> {
    let [epoch, seq] = reply.tuple()?;
    Ok(Stamp { epoch: score_of(epoch)?, seq: score_of(seq)? })
}

/// A random epoch above every number a clock can reach, and exact as a double.
fn epoch() -> Result<Bytes> {
    let random = u64::from_le_bytes(random::bytes::<8>()?) >> 12;
    Ok(Bytes::from(((1 << 52) + random).to_string()))
}

fn text(reply: Reply) -> Result<String> {
    let bytes = reply.bulk()?.unwrap_or_default();
    String::from_utf8(bytes.to_vec())
        .map_err(|_| Error::new(Kind::InvalidData, "the tag clock has a tag that is no text"))
}

fn score_of(reply: Reply) -> Result<u64> {
    let bytes = reply.bulk()?.unwrap_or_default();
    let number = std::str::from_utf8(&bytes).ok().and_then(|digits| digits.parse::<f64>().ok());
    match number {
        Some(number) if number >= 0.0 => Ok(number as u64),
        _ => Err(Error::new(Kind::InvalidData, "the tag clock has a score that is no number")),
    }
}

#[cfg(test)]
mod tests;
