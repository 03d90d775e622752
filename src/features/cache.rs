//! Cached answers: by name, by tag, by pattern, several at a time.

mod clock;
mod entry;
mod pattern;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use ring::digest::{SHA256, digest};

pub use clock::Stamp;
use clock::{Clock, Verdict};
use entry::{Entry, Header};

use super::life;
use crate::{
    error::{Error, Kind, Result},
    random,
    store::{
        Call, Replies, Reply, Request, Step,
        keys::{self, Prefix},
    },
};

/// More tags than this on one entry are a mistake.
const MOST_TAGS: usize = 128;

/// What a read answers when there is no server to ask. Writes and invalidations fail: one that is lost must not look done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnavailable {
    /// That there is nothing: a cache that is down makes its callers slower, not wrong.
    #[default]
    Miss,
    /// The error itself.
    Throw,
}

/// Options of a cache.
#[derive(Debug, Default)]
pub struct Options {
    /// What the keys begin with. Defaults to `api:`.
    pub prefix: Option<String>,
    /// Life of an entry that is given none, in seconds. Defaults to 300.
    pub ttl: Option<f64>,
    /// What a read answers without a server; `Miss`.
    pub on_unavailable: OnUnavailable,
}

/// How an entry is to be kept.
#[derive(Debug, Default, Clone)]
pub struct Keep {
    /// Life in seconds.
    pub ttl: Option<f64>,
    /// Invalidated with any of these.
    pub tags: Vec<String>,
    /// Seconds after its life in which it is served while a fresh one is loaded.
    pub stale_while_revalidate: Option<f64>,
}

/// Cached answers under one prefix. Cloning is cheap and shares what is known of the tags.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    prefix: Prefix,
    life: Duration,
    on_unavailable: OnUnavailable,
    clock: Clock,
    /// Whether this process has met a tag here: until then nobody pays for them.
    tagged: AtomicBool,
    hits: AtomicU64,
    misses: AtomicU64,
    errors: AtomicU64,
}

/// What was found at the beginning of a load.
#[derive(Debug, PartialEq)]
pub struct Found {
    /// The JSON, fresh or stale.
    pub value: Option<Bytes>,
    /// Whether it is stale: to be served, and loaded anew.
    pub stale: bool,
    /// The moment of the tag clock before the load.
    pub stamp: Option<Stamp>,
}

/// How often the cache had an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Answered.
    pub hits: u64,
    /// Not there, expired or invalidated.
    pub misses: u64,
    /// Failed, whether that was answered as an error or not.
    pub errors: u64,
}

impl Cache {
    /// A cache with these options.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for a bad prefix, `E_INVALID_ARGUMENT` for a bad life.
    pub fn new(options: Options) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            prefix: Prefix::new(options.prefix.as_deref().unwrap_or(keys::CACHE))?,
            life: life::of_seconds("ttl", options.ttl.unwrap_or(300.0))?,
            on_unavailable: options.on_unavailable,
            clock: Clock::default(),
            tagged: AtomicBool::new(false),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        })))
    }

    /// A name for an endpoint and its parameters: `cache:{endpoint}:{hash}`. Parameters in another order are the same.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an empty endpoint and for parameters that are no JSON.
    pub fn key_for(endpoint: &str, params: &str) -> Result<String> {
        let params: serde_json::Value = serde_json::from_str(params)
            .map_err(|_| Error::argument("params must be something that JSON can write"))?;
        let hash = random::to_hex(digest(&SHA256, params.to_string().as_bytes()).as_ref());
        keys::endpoint(endpoint, &hash[..32])
    }

    /// The JSON stored under a name, or `None` when there is none that is fresh.
    pub fn get(&self, name: &str) -> Result<Call<Option<Bytes>>> {
        let call = self.find(name, false)?.map(|found| if found.stale { None } else { found.value });
        Ok(match self.0.on_unavailable {
            OnUnavailable::Miss => call.or_when_unavailable(|| None),
            OnUnavailable::Throw => call,
        })
    }

    /// Several at once, in the order of the names. What some server holds is answered where another cannot be reached.
    pub fn get_many(&self, names: &[String]) -> Result<Call<Vec<Option<Bytes>>>> {
        let calls = names.iter().map(|name| self.get(name)).collect::<Result<Vec<_>>>()?;
        Ok(Call::together(calls))
    }

    /// What there is at the beginning of a load, and the moment to judge its result by. `tagged` says that the result will
    /// have tags. Without a server it fails, whatever reads do: the caller must know that nothing can be kept.
    pub fn begin(&self, name: &str, tagged: bool) -> Result<Call<Found>> {
        if tagged {
            self.0.tagged.store(true, Ordering::Relaxed);
        }
        let (cache, call) = (self.clone(), self.find(name, true)?);
        Ok(call.then(move |found| {
            if found.value.is_some() && !found.stale || found.stamp.is_some() || !tagged {
                return Ok(Step::Done(found));
            }
            // No clock yet, so no invalidation can be missed from here on.
            let open = Clock::open(keys::cache_clock(&cache.0.prefix))?;
            let open = Call::new(open, move |reply| Ok(Found { stamp: Some(clock::stamp(reply)?), ..found }));
            Ok(Step::Next(cache.counting(open)))
        }))
    }

    /// Stores JSON under a name.
    pub fn set(&self, name: &str, json: String, keep: Keep) -> Result<Call<()>> {
        let write = self.writer(name, json, keep)?;
        if !write.tagged() {
            return Ok(Call::new(write.request(None)?, |_| Ok(())));
        }
        self.0.tagged.store(true, Ordering::Relaxed);
        let open = Clock::open(keys::cache_clock(&self.0.prefix))?;
        Ok(Call::round([open], move |replies| {
            let stamp = clock::stamp(replies.one()?)?;
            Ok(Step::Next(Call::new(write.request(Some(stamp))?, |_| Ok(()))))
        }))
    }

    /// Several at once.
    pub fn set_many(&self, entries: Vec<(String, String, Keep)>) -> Result<Call<()>> {
        let calls = entries.into_iter().map(|(name, json, keep)| self.set(&name, json, keep));
        Ok(Call::together(calls.collect::<Result<Vec<_>>>()?).map(|_| ()))
    }

    /// Stores what a load brought, true as of the moment before it: an invalidation since then wins.
    pub fn fill(&self, name: &str, json: String, stamp: Option<Stamp>, keep: Keep) -> Result<Call<bool>> {
        let write = self.writer(name, json, keep)?;
        if write.tagged() && stamp.is_none() {
            return Err(Error::argument("a load with tags must begin with them"));
        }
        Ok(Call::new(write.request(stamp)?, |_| Ok(true)))
    }

    /// Removes one; answers how many there were.
    pub fn invalidate(&self, name: &str) -> Result<Call<i64>> {
        let key = keys::cache_entry(&self.0.prefix, name)?;
        Ok(Call::new(Request::keyed("UNLINK", [key]).repeatable(), Reply::int))
    }

    /// Makes every entry with this tag a miss, those still being loaded included. No entry is touched.
    pub fn invalidate_by_tag(&self, tag: &str) -> Result<Call<()>> {
        check_tag(tag)?;
        self.0.tagged.store(true, Ordering::Relaxed);
        Ok(Call::new(Clock::invalidate(keys::cache_clock(&self.0.prefix), tag)?, |_| Ok(())))
    }

    /// Removes every entry whose name matches a glob; answers how many.
    pub fn invalidate_by_pattern(&self, glob: &str) -> Result<Call<i64>> {
        pattern::remove(keys::pattern(&self.0.prefix, glob)?)
    }

    /// How often there was an answer.
    pub fn stats(&self) -> Stats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats { hits: read(&self.0.hits), misses: read(&self.0.misses), errors: read(&self.0.errors) }
    }

    /// Reads an entry and judges it; `loading` also answers a moment for what a load will bring.
    fn find(&self, name: &str, loading: bool) -> Result<Call<Found>> {
        let key = keys::cache_entry(&self.0.prefix, name)?;
        let cache = self.clone();
        let tagged = self.0.tagged.load(Ordering::Relaxed);
        let get = Request::get(key.clone());
        if !tagged {
            return Ok(self.counting(Call::round([get], move |replies| cache.read(key, replies.one(), false))));
        }
        let clock = keys::cache_clock(&self.0.prefix);
        Ok(self.counting(Call::round([get, self.0.clock.changes(clock)], move |Replies(mut replies)| {
            let changes = replies.pop().unwrap_or(Ok(Reply::Nil));
            let stored = replies.pop().unwrap_or(Ok(Reply::Nil));
            if changes.and_then(|reply| cache.0.clock.learn(reply))? && cache.0.clock.now().is_some() {
                return cache.read(key, stored, loading);
            }
            // Another clock than the one this process knew, or the first it meets.
            let moment = Clock::moment(keys::cache_clock(&cache.0.prefix));
            Ok(Step::Next(Call::round([moment], move |replies| {
                cache.0.clock.begin(replies.one()?)?;
                cache.read(key, stored, loading)
            })))
        })))
    }

    fn read(&self, key: Bytes, stored: Result<Reply>, loading: bool) -> Result<Step<Found>> {
        let stamp = if loading { self.0.clock.now() } else { None };
        let Some(stored) = stored.and_then(Reply::bulk)? else { return Ok(self.missed(stamp)) };
        let Entry { header, json } = Entry::read(stored)?;
        let Some(header) = header else { return Ok(self.hit(json, stamp)) };
        let (Some(made), false) = (header.stamp, header.tags.is_empty()) else {
            return Ok(self.freshness(key, header.stale_ms, json, stamp));
        };
        if !self.0.tagged.swap(true, Ordering::Relaxed) {
            // The first tag this process meets: its clock must be read before the entry can be judged.
            return Ok(self.meet(key, loading));
        }
        match self.0.clock.judge(made, &header.tags) {
            Verdict::Valid => Ok(self.freshness(key, header.stale_ms, json, stamp)),
            Verdict::Invalid => Ok(self.missed(stamp)),
            Verdict::Ask => {
                let cache = self.clone();
                let ask = Clock::ask(keys::cache_clock(&self.0.prefix), &header.tags);
                Ok(Step::Next(Call::round([ask], move |replies| {
                    Ok(if Clock::confirm(made, replies.one()?)? {
                        cache.freshness(key, header.stale_ms, json, stamp)
                    } else {
                        cache.missed(stamp)
                    })
                })))
            }
        }
    }

    /// Reads the entry again, now with the clock.
    fn meet(&self, key: Bytes, loading: bool) -> Step<Found> {
        let cache = self.clone();
        let moment = Clock::moment(keys::cache_clock(&self.0.prefix));
        Step::Next(Call::round([moment, Request::get(key.clone())], move |Replies(mut replies)| {
            let stored = replies.pop().unwrap_or(Ok(Reply::Nil));
            cache.0.clock.begin(replies.pop().unwrap_or(Ok(Reply::Nil))?)?;
            cache.read(key, stored, loading)
        }))
    }

    /// Fresh or stale: the last part of such an entry's life is the stale one.
    fn freshness(&self, key: Bytes, stale_ms: u64, json: Bytes, stamp: Option<Stamp>) -> Step<Found> {
        if stale_ms == 0 {
            return self.hit(json, stamp);
        }
        let cache = self.clone();
        Step::Next(Call::round([Request::keyed("PTTL", [key]).repeatable()], move |replies| {
            let left = replies.one().and_then(Reply::int)?;
            Ok(match left {
                -2 => cache.missed(stamp),
                left if left >= 0 && left.unsigned_abs() <= stale_ms => {
                    cache.0.misses.fetch_add(1, Ordering::Relaxed);
                    Step::Done(Found { value: Some(json), stale: true, stamp })
                }
                _ => cache.hit(json, stamp),
            })
        }))
    }

    fn hit(&self, json: Bytes, stamp: Option<Stamp>) -> Step<Found> {
        self.0.hits.fetch_add(1, Ordering::Relaxed);
        Step::Done(Found { value: Some(json), stale: false, stamp })
    }

    fn missed(&self, stamp: Option<Stamp>) -> Step<Found> {
        self.0.misses.fetch_add(1, Ordering::Relaxed);
        Step::Done(Found { value: None, stale: false, stamp })
    }

    /// The same, and a failure of any of its rounds is counted, once.
    fn counting(&self, call: Call<Found>) -> Call<Found> {
        let cache = self.clone();
        call.inspect(move |result| {
            if result.is_err() {
                cache.0.errors.fetch_add(1, Ordering::Relaxed);
            }
        })
    }

    fn writer(&self, name: &str, json: String, keep: Keep) -> Result<Write> {
        let key = keys::cache_entry(&self.0.prefix, name)?;
        let life = keep.ttl.map_or(Ok(self.0.life), |ttl| life::of_seconds("ttl", ttl))?;
        let stale =
            keep.stale_while_revalidate.map(|stale| life::of_seconds("staleWhileRevalidate", stale)).transpose()?;
        if keep.tags.len() > MOST_TAGS {
            return Err(Error::argument(format!("an entry takes {MOST_TAGS} tags at most, got {}", keep.tags.len())));
        }
        keep.tags.iter().try_for_each(|tag| check_tag(tag))?;
        Ok(Write { key, json, life, stale: stale.unwrap_or_default(), tags: keep.tags })
    }
}

/// An entry about to be stored.
struct Write {
    key: Bytes,
    json: String,
    life: Duration,
    stale: Duration,
    tags: Vec<String>,
}

impl Write {
    fn tagged(&self) -> bool {
        !self.tags.is_empty()
    }

    fn request(self, stamp: Option<Stamp>) -> Result<Request> {
        let stamp = stamp.filter(|_| self.tagged());
        let header = Header { stamp, tags: self.tags, stale_ms: self.stale.as_millis() as u64 };
        let value = Entry::write(header, self.json)?;
        let life = life::millis(self.life + self.stale);
        Ok(Request::keyed("SET", [self.key, value, Bytes::from_static(b"PX"), life]).repeatable())
    }
}

fn check_tag(tag: &str) -> Result<()> {
    keys::raw("tag", tag).map(drop).map_err(|error| match error.kind {
        Kind::InvalidArgument => error,
        _ => Error::argument(error.message().to_owned()),
    })
}
