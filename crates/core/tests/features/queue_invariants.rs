//! The invariants of the keys of a queue.

use std::collections::{BTreeMap, BTreeSet};

use cinnabar_port::Reply;

use crate::{both::Engine, run::request};

const BASE: &str = "queue:{queue:q}:";

/// The keys of a queue, read one by one.
#[derive(Debug, Default)]
pub struct StoredQueue {
    /// Sorted sets, by suffix of the key.
    pub sets: BTreeMap<String, BTreeMap<String, f64>>,
    pub hashes: BTreeMap<String, BTreeMap<String, String>>,
    pub strings: BTreeMap<String, String>,
    pub members: BTreeMap<String, BTreeSet<String>>,
    lists: BTreeSet<String>,
    pub now: i64,
}

fn text(reply: Reply) -> String {
    String::from_utf8_lossy(&reply.bulk().unwrap().unwrap_or_default()).into_owned()
}

fn pairs(reply: Reply) -> impl Iterator<Item = (String, String)> {
    let mut parts = reply.array().unwrap().into_iter().map(text);
    std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
}

impl StoredQueue {
    pub fn read(engine: &Engine) -> Self {
        let mut stored = Self::default();
        let keys = engine.keys();
        let read = |key: &String| match key[BASE.len()..].split(':').next().unwrap_or_default() {
            "leases" | "meta" | "job" | "waited" | "end" => request(&["HGETALL", key]),
            "dedup" => request(&["GET", key]),
            "active" => request(&["SMEMBERS", key]),
            "starts" | "log" => request(&["LLEN", key]),
            _ => request(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
        };
        let values = engine.execute(keys.iter().map(read).collect());
        let ends = engine.execute(keys.iter().map(|key| request(&["PTTL", key])).collect());
        for ((key, value), end) in keys.iter().zip(values).zip(ends) {
            let (part, value, end) = (key[BASE.len()..].to_owned(), value.unwrap(), end.unwrap().int().unwrap());
            let kind = part.split(':').next().unwrap_or_default();
            match (kind, kind.len() == part.len()) {
                ("ready" | "suspects" | "delayed" | "leased" | "done" | "dead" | "resume", true) | ("parked", _) => {
                    stored.sets.insert(part, pairs(value).map(|(id, score)| (id, score.parse().unwrap())).collect());
                }
                ("leases" | "meta" | "waited", true) | ("job" | "end", false) => {
                    drop(stored.hashes.insert(part, pairs(value).collect()))
                }
                ("dedup", false) => {
                    stored.strings.insert(part, if end == -1 { text(value) } else { String::new() });
                }
                ("active", false) => {
                    stored.members.insert(part, value.array().unwrap().into_iter().map(text).collect());
                }
                ("starts", _) => assert_ne!(end, -1, "{key} never ends"),
                ("log", false) => drop(stored.lists.insert(part)),
                _ => panic!("unknown key {key}"),
            }
        }
        stored.now = engine.now_ms();
        stored
    }

    pub fn set(&self, name: &str) -> &BTreeMap<String, f64> {
        static NONE: BTreeMap<String, f64> = BTreeMap::new();
        self.sets.get(name).unwrap_or(&NONE)
    }

    pub fn job(&self, id: &str) -> Option<&BTreeMap<String, String>> {
        self.hashes.get(&format!("job:{id}"))
    }

    /// A line of the options of a job: 0 its priority, 1 its group, 2 its deduplication key, 3 the ttl of that.
    pub fn option(&self, id: &str, line: usize) -> String {
        let options = self.job(id).and_then(|job| job.get("o")).map(String::as_str).unwrap_or_default();
        options.split('\n').nth(line).unwrap_or_default().to_owned()
    }

    pub fn state(&self, id: &str) -> Option<&'static str> {
        let states = ["ready", "suspects", "delayed", "leased", "done", "dead", "parked"];
        let found: Vec<_> = states.into_iter().filter(|state| self.set(state).contains_key(id)).collect();
        assert!(found.len() < 2, "{id} is in {found:?}");
        found.first().copied()
    }

    /// Checks everything that must be true at any time.
    pub fn check(&self) {
        let jobs: BTreeSet<String> =
            self.hashes.keys().filter_map(|part| part.strip_prefix("job:")).map(str::to_owned).collect();
        for id in &jobs {
            assert!(self.state(id).is_some(), "{id} is nowhere");
            assert!(self.job(id).unwrap().contains_key("n"), "{id} has no name");
        }
        for state in ["ready", "suspects", "delayed", "leased", "done", "dead", "parked"] {
            for id in self.set(state).keys() {
                assert!(jobs.contains(id), "{id} is {state} and does not exist");
            }
        }
        let leases: BTreeSet<_> = self.hashes.get("leases").into_iter().flat_map(BTreeMap::keys).cloned().collect();
        assert_eq!(leases, self.set("leased").keys().cloned().collect(), "leases have records, and only they");
        self.check_groups();
        for log in &self.lists {
            assert!(jobs.contains(log.strip_prefix("log:").unwrap()), "{log} has no job");
        }
        for (key, owner) in self.strings.iter().filter(|(_, owner)| !owner.is_empty()) {
            assert_eq!(self.option(owner, 2), key.strip_prefix("dedup:").unwrap(), "{key} is of {owner}");
        }
        for id in &jobs {
            let (key, finished) = (self.option(id, 2), matches!(self.state(id), Some("done" | "dead")));
            if !key.is_empty() && self.option(id, 3).is_empty() {
                let owner = self.strings.get(&format!("dedup:{key}"));
                assert_eq!(owner == Some(id), !finished, "{id} {key} {owner:?}");
            }
        }
        let meta = self.hashes.get("meta").cloned().unwrap_or_default();
        for state in ["done", "dead"] {
            let size = |score: &f64| {
                let code = *score as u64 % 2048;
                (64 * (code % 128)) << (code / 128)
            };
            let bytes: u64 = self.set(state).values().map(size).sum();
            assert_eq!(meta.get(state).map_or(0, |bytes| bytes.parse().unwrap()), bytes, "bytes of {state}");
        }
    }

    fn check_groups(&self) {
        let mut active: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for id in self.set("leased").keys() {
            let group = self.option(id, 1);
            if !group.is_empty() {
                active.entry(format!("active:{group}")).or_default().insert(id.clone());
            }
        }
        assert_eq!(active, self.members, "the active ones of groups are those with leases");
        let mut parked = BTreeMap::new();
        for (part, ids) in &self.sets {
            let Some(group) = part.strip_prefix("parked:") else { continue };
            for id in ids.keys() {
                assert_eq!(self.option(id, 1), group);
            }
            parked.extend(ids.clone());
            let goes_on = self.members.contains_key(&format!("active:{group}"))
                || ["ready", "suspects"].iter().any(|set| self.set(set).keys().any(|id| self.option(id, 1) == group))
                || self.set("resume").contains_key(group);
            assert!(goes_on, "nothing will unpark the group {group}");
        }
        assert_eq!(&parked, self.set("parked"));
        for group in self.set("resume").keys() {
            assert!(self.sets.contains_key(&format!("parked:{group}")), "{group} is to go on with nothing");
        }
    }
}
