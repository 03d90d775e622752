//! Cached values: stored and read by name, invalidated by name, tag or pattern.

mod claims;
mod entry;
mod epochs;
mod invalidate;
mod names;
mod options;
mod pattern;
mod protection;
mod read;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::{
    Call, Effect, Merge, Reply, Request, Step,
    effect::is_one,
    error::{Error, Result},
    random, script,
};
use ring::digest::{SHA256, digest};

pub use claims::Claim;
use entry::{Entry, Header};
use options::Lifetime;
pub use options::{EntryOptions, OnUnavailable, Options};
pub use protection::Protection;
use read::Purpose;

use super::{
    hints::Hints,
    near::{Copy, NearAt, NearKind},
    ttl,
};
use crate::keys::{self, Prefix};

script!(FILL = "cache/fill.lua", keys: 2, args: 3);
script!(SET = "cache/set.lua", keys: 2, args: 2);

/// The kind of what is kept near: nothing else is under the keys of values.
const VALUE: NearKind = NearKind(0);

/// More tags on one entry are treated as a mistake.
const MAX_TAGS: usize = 128;
/// Values up to this size may share a script run with those of 63 other callers. Longer runs would block the server for others.
const MAX_MERGED_BYTES: usize = (1 << 20) / 64;
/// How many entries' tags each half of the hints holds.
const HINTS: usize = 2048;
/// The default ttl of a value, in seconds.
pub const DEFAULT_TTL_SECONDS: f64 = 300.0;
/// How much longer the ttl of a tag's epoch is than those of the entries that record it.
const SLACK: Duration = Duration::from_secs(60);

/// Cached values under one prefix. Clones are cheap and share the hints and the counters.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    prefix: Prefix,
    ttl: Duration,
    on_unavailable: OnUnavailable,
    /// Whether each entry records an epoch of all, so that all can be invalidated at once.
    clearable: bool,
    /// Whether values are compressed or encrypted.
    protection: Protection,
    /// The keys of the epochs of an entry's tags when it was last read, so that all are read in one round.
    tag_hints: Hints<Arc<[Bytes]>>,
    hits: AtomicU64,
    stale_hits: AtomicU64,
    misses: AtomicU64,
    errors: AtomicU64,
    near_hits: AtomicU64,
}

/// The entry that was found before a load, or a lease for the load.
#[derive(Debug, Default, PartialEq)]
pub struct LoadStart {
    /// The JSON, fresh or stale.
    pub value: Option<Bytes>,
    /// Whether it is stale: it is served, and a fresh one is loaded.
    pub stale: bool,
    /// Whether it is served only if the load of a fresh one fails.
    pub in_grace: bool,
    /// How much longer it is fresh, if that was read; `MAX` without an end.
    pub fresh: Option<Duration>,
    /// For how long it was fresh when it was stored, if that is known.
    pub life: Option<Duration>,
    /// On a miss, and in grace: the lease for a load.
    pub lease: Option<Lease>,
}

/// A lease for a load. It shows whether the key or one of its tags was changed after the load started, and which of two loads
/// started later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The epoch of the key and the number of the load, such as `0123456789abcdef:1`.
    pub id: String,
    /// The epochs of the tags, in order.
    pub tag_epochs: Vec<String>,
    /// The epoch of all entries, if the cache is clearable.
    pub all: Option<String>,
}

impl Lease {
    /// Returns the epochs of the key and of all entries, and the number of the load, as one text.
    pub fn mark(&self) -> String {
        self.all.iter().map(|all| format!("{all}/")).chain([self.id.clone()]).collect()
    }

    /// Returns the lease of this mark, and of these epochs of tags.
    pub fn of_mark(mark: &str, tag_epochs: Vec<String>) -> Self {
        let (all, id) = mark.split_once('/').map_or((None, mark), |(all, id)| (Some(all.to_owned()), id));
        Self { id: id.to_owned(), tag_epochs, all }
    }
}

/// Options of a load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The options with which the value will be stored.
    pub entry: EntryOptions,
    /// How long the load may take.
    pub max_duration: Duration,
    /// Whether the caller also loads if the time of a fresh value is nearly over.
    pub is_eager: bool,
}

/// The outcomes of reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Fresh values.
    pub hits: u64,
    /// Stale values, while a fresh one was being loaded.
    pub stale_hits: u64,
    /// Missing, expired or invalidated.
    pub misses: u64,
    /// Failed, whether or not the caller got the error.
    pub errors: u64,
    /// How many of the fresh values came from the near tier.
    pub near_hits: u64,
}

impl Cache {
    /// Creates a cache with these options.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for a bad prefix, `E_INVALID_ARGUMENT` for a bad ttl.
    pub fn new(options: Options) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            prefix: Prefix::new(options.prefix.as_deref().unwrap_or(keys::CACHE))?,
            ttl: ttl::from_seconds("ttl", options.ttl.unwrap_or(DEFAULT_TTL_SECONDS))?,
            on_unavailable: options.on_unavailable,
            clearable: options.clearable,
            protection: options.protection,
            tag_hints: Hints::new(HINTS),
            hits: AtomicU64::new(0),
            stale_hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            near_hits: AtomicU64::new(0),
        })))
    }

    /// Returns the name for an endpoint and its parameters: `cache:{endpoint}:{hash}`. `params` is their canonical text.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an empty endpoint.
    pub fn key_for(endpoint: &str, params: &str) -> Result<String> {
        let hash = random::to_hex(digest(&SHA256, params.as_bytes()).as_ref());
        keys::endpoint(endpoint, &hash[..32])
    }

    /// Returns the JSON stored under a name, or `None` if there is no fresh value.
    pub fn get(&self, name: &str, near: Option<NearAt>) -> Call<Option<Bytes>> {
        let call = self.find(name, Purpose::Value, near).map(|found| found.value);
        match self.0.on_unavailable {
            OnUnavailable::Miss => call.or_fallback(|| Ok(None)),
            OnUnavailable::Throw => call,
        }
    }

    /// Reads several names, in order. In a cluster, values of reachable servers are returned even if others are unavailable.
    pub fn get_many(&self, names: &[String], near: Option<&NearAt>) -> Call<Vec<Option<Bytes>>> {
        Call::join_all(names.iter().map(|name| self.get(name, near.cloned())).collect())
    }

    /// Returns how much longer the value of a name is fresh, `MAX` without an end, or `None` if there is no fresh value.
    pub fn ttl(&self, name: &str) -> Call<Option<Duration>> {
        let call = self.find(name, Purpose::Ttl, None).map(|found| found.fresh);
        match self.0.on_unavailable {
            OnUnavailable::Miss => call.or_fallback(|| Ok(None)),
            OnUnavailable::Throw => call,
        }
    }

    /// Reads the entry before a load; on a miss, opens a lease. Unlike reads, it always fails if the store is unavailable,
    /// since the caller must know that nothing can be stored.
    pub fn begin(&self, name: &str, load: LoadOptions, near: Option<NearAt>) -> Result<Call<LoadStart>> {
        self.check(&load.entry)?;
        let (cache, name) = (self.clone(), name.to_owned());
        let purpose = if load.is_eager { Purpose::EagerLoad } else { Purpose::Load };
        Ok(self.find(&name, purpose, near).then(move |found| {
            if found.value.is_some() && !found.in_grace {
                return Ok(Step::Done(found));
            }
            let open = cache.open(&name, load)?.map(move |lease| LoadStart { lease: Some(lease), ..found });
            Ok(Step::Next(cache.counting_errors(open)))
        }))
    }

    /// Reads an entry for which `begin` has found no fresh value, while another process loads it. Not counted in the statistics.
    pub fn poll(&self, name: &str) -> Call<LoadStart> {
        self.read(name, Purpose::Poll, None)
    }

    /// Opens a lease for a load, whether there is an entry or not.
    pub fn open(&self, name: &str, load: LoadOptions) -> Result<Call<Lease>> {
        let lifetime = self.check(&load.entry)?;
        let (new, outlives) = (epochs::new()?, load.max_duration + lifetime.total() + SLACK);
        let lease = epochs::open_lease(keys::cache_lease(&self.0.prefix, name), new.clone(), load.max_duration + SLACK);
        let recorded = self.ensure_epochs(&load.entry.tags, &new, outlives);
        let clearable = self.0.clearable;
        Ok(Call::round([lease].into_iter().chain(recorded), move |replies| {
            let mut epochs = replies.all()?.into_iter().map(epochs::read);
            let id = epochs.next().unwrap_or_else(|| Ok(String::new()))?;
            let mut tag_epochs = epochs.collect::<Result<Vec<_>>>()?;
            let all = if clearable { tag_epochs.pop() } else { None };
            Ok(Step::Done(Lease { id, tag_epochs, all }))
        }))
    }

    /// Releases a lease whose load produced no value.
    pub fn release(&self, name: &str, lease_id: String) -> Call<()> {
        Call::new(epochs::release_lease(keys::cache_lease(&self.0.prefix, name), lease_id.into()), |_| Ok(()))
    }

    /// Stores JSON under a name. Loads in progress, in any process, can no longer store their values.
    pub fn set(&self, name: &str, json: String, entry: EntryOptions) -> Result<Call<()>> {
        self.store(name, json, entry, Effect::ALWAYS)
    }

    /// The same with the given effect.
    fn store(&self, name: &str, json: String, entry: EntryOptions, effect: Effect) -> Result<Call<()>> {
        let lifetime = self.check(&entry)?;
        let (key, lease) = (keys::cache_entry(&self.0.prefix, name), keys::cache_lease(&self.0.prefix, name));
        let (tags, clearable, cache) = (entry.tags.clone(), self.0.clearable, self.clone());
        let write = move |mut epochs: Vec<String>| {
            let all = if clearable { epochs.pop() } else { None };
            let value = cache.value(&key, header((entry.tags, epochs, all), lifetime, entry.is_eager), json)?;
            let merge = merge_of(&value);
            // One request, because a load that completes between two would leave an older value.
            let args = [key, lease, value, ttl::millis(lifetime.total())];
            Ok(Call::new(Request::script(&SET, args).merging(merge).idempotent().with_effect(effect), |_| Ok(())))
        };
        if tags.is_empty() && !clearable {
            // Compressing and encrypting takes time.
            return if self.0.protection.is_none() {
                write(Vec::new())
            } else {
                Ok(Call::deferred(|| write(Vec::new())))
            };
        }
        let recorded: Vec<_> = self.ensure_epochs(&tags, &epochs::new()?, lifetime.total() + SLACK).collect();
        Ok(Call::round(recorded, move |replies| {
            write(replies.all()?.into_iter().map(epochs::read).collect::<Result<_>>()?).map(Step::Next)
        }))
    }

    /// Stores several entries. An error after a partial success lists those that are known to be stored.
    pub fn set_many(&self, entries: Vec<(String, String, EntryOptions)>) -> Result<Call<()>> {
        let calls = entries.into_iter().enumerate().map(|(at, (name, json, entry))| {
            let effect = Effect::Names([name.clone()].into(), |_, _| Some(true));
            self.store(&name, json, entry, effect).map_err(|error| error.in_element("entries", at))
        });
        Ok(Call::join_all(calls.collect::<Result<Vec<_>>>()?).map(|_| ()))
    }

    /// Stores the value of a load with its lease. Returns false if the entry was written or removed after the lease was opened.
    /// If a tag was invalidated after that, the entry is stored but reads as a miss.
    pub fn fill(&self, name: &str, json: String, lease: Lease, entry: EntryOptions) -> Result<Call<bool>> {
        let lifetime = self.check(&entry)?;
        if entry.tags.len() != lease.tag_epochs.len() {
            return Err(Error::argument("a load with tags must begin with them"));
        }
        let (key, lease_key) = (keys::cache_entry(&self.0.prefix, name), keys::cache_lease(&self.0.prefix, name));
        let cache = self.clone();
        let fill = move || {
            let header = header((entry.tags, lease.tag_epochs, lease.all), lifetime, entry.is_eager);
            let value = cache.value(&key, header, json)?;
            let merge = merge_of(&value);
            let args = [key, lease_key, lease.id.into(), value, ttl::millis(lifetime.total())];
            let fill = Request::script(&FILL, args).merging(merge).idempotent();
            Ok(Call::new(fill.with_effect(Effect::ChangedIf(is_one)), Reply::flag))
        };
        if self.0.protection.is_none() { fill() } else { Ok(Call::deferred(fill)) }
    }

    /// Returns the value of a name for JavaScript, which checks from then on itself that it is right, if it is near.
    pub fn near_copy(&self, name: &str, near: &NearAt) -> Option<Copy> {
        near.copy(&keys::cache_entry(&self.0.prefix, name), VALUE)
    }

    /// Returns of what its values are decrypted, if they are encrypted.
    pub fn ring(&self) -> Option<[u8; 32]> {
        self.0.protection.encryption.as_ref().map(|ring| ring.digest())
    }

    /// Returns the prefix.
    pub fn prefix(&self) -> &Prefix {
        &self.0.prefix
    }

    /// Returns the outcomes of reads.
    pub fn stats(&self) -> Stats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Inner { hits, stale_hits, misses, errors, near_hits, .. } = &*self.0;
        Stats {
            hits: read(hits),
            stale_hits: read(stale_hits),
            misses: read(misses),
            errors: read(errors),
            near_hits: read(near_hits),
        }
    }

    /// Counts a failure of the call, once, whatever its round.
    fn counting_errors<T: Send + 'static>(&self, call: Call<T>) -> Call<T> {
        let cache = self.clone();
        call.inspect(move |result| {
            if result.is_err() {
                cache.0.errors.fetch_add(1, Ordering::Relaxed);
            }
        })
    }

    /// Encodes the value of a key.
    fn value(&self, key: &[u8], header: Header, json: String) -> Result<Bytes> {
        Entry::write(header, json, key, &self.0.protection)
    }

    /// Reads the epochs of tags, and last that of all entries if the cache is clearable; creates those that are missing.
    fn ensure_epochs(&self, tags: &[String], new: &Bytes, ttl: Duration) -> impl Iterator<Item = Request> {
        let prefix = &self.0.prefix;
        let all = self.0.clearable.then(|| keys::cache_all_epoch(prefix));
        let keys: Vec<_> = tags.iter().map(|tag| keys::cache_tag_epoch(prefix, tag)).chain(all).collect();
        let new = new.clone();
        keys.into_iter().map(move |key| epochs::ensure(key, new.clone(), ttl))
    }

    /// Validates options. Returns how long an entry is fresh, and how long it is stale afterwards.
    fn check(&self, entry: &EntryOptions) -> Result<Lifetime> {
        let fresh = entry.ttl.map_or(Ok(self.0.ttl), |ttl| ttl::from_seconds("ttl", ttl))?;
        let seconds = |name, value: Option<f64>| value.map(|value| ttl::from_seconds(name, value)).transpose();
        let stale = seconds("staleWhileRevalidate", entry.stale_while_revalidate)?.unwrap_or_default();
        let grace = seconds("staleIfError", entry.stale_if_error)?.unwrap_or_default();
        if entry.tags.len() > MAX_TAGS {
            return Err(Error::argument(format!("an entry takes {MAX_TAGS} tags at most, got {}", entry.tags.len())));
        }
        Ok(Lifetime { fresh, stale, grace })
    }
}

/// Merges small values into one run of a script.
fn merge_of(value: &Bytes) -> Merge {
    if value.len() <= MAX_MERGED_BYTES { Merge::Script } else { Merge::No }
}

/// Returns the header of an entry with these tags, their epochs, and the epoch of all.
fn header(
    (tags, epochs, all): (Vec<String>, Vec<String>, Option<String>),
    lifetime: Lifetime,
    is_eager: bool,
) -> Header {
    let tags = tags.into_iter().zip(epochs.iter().map(|epoch| epochs::recorded(epoch))).collect();
    let [fresh_ms, stale_ms, grace_ms] =
        [lifetime.fresh, lifetime.stale, lifetime.grace].map(|time| time.as_millis() as u64);
    let life_ms = if is_eager { fresh_ms } else { 0 };
    Header { tags, all, stale_ms, grace_ms, life_ms, ..Header::default() }
}
