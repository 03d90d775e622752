//! Texts that another library keeps under names of its own, such as the sessions of express-session.
//!
//! They are stored exactly as given, so that other stores of that library read them too, and the reverse.

use std::sync::Arc;

use bytes::Bytes;
use cinnabar_port::{Args, Call, Effect, Merge, Reply, Request, Step, effect::is_one, error::Result, script};

use super::ttl;
use crate::keys;

script!(REPLACE = "adapter/replace.lua", keys: 1, args: 3);
script!(INCREMENT = "adapter/increment.lua", keys: 1, args: 1);

/// The texts of one library. Clones share their prefix.
#[derive(Debug, Clone)]
pub struct Adapter(Arc<str>);

/// What came of replacing a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Replaced {
    /// It was replaced.
    Done,
    /// The text does not exist.
    Missing,
    /// It is another one now.
    Changed(Bytes),
}

impl Adapter {
    /// Texts whose keys begin with this prefix, which may have any characters: no key has anything added.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` if it is too long.
    pub fn new(prefix: &str) -> Result<Self> {
        keys::check_length(prefix)?;
        Ok(Self(prefix.into()))
    }

    /// Returns a text, if there is one.
    pub fn get(&self, name: &str) -> Call<Option<Bytes>> {
        Call::new(Request::get(self.key(name)), Reply::bulk)
    }

    /// Sets a text, with a ttl of so many seconds or none.
    pub fn set(&self, name: &str, text: String, ttl: Option<f64>) -> Result<Call<()>> {
        let mut args = Args::from_iter([self.key(name), text.into()]);
        if let Some(seconds) = ttl {
            args.extend([Bytes::from_static(b"PX"), millis(seconds)?]);
        }
        Ok(Call::new(Request::with_keys("SET", args, 1), |_| Ok(())))
    }

    /// Replaces a text if it is still `before`.
    pub fn replace(&self, name: &str, before: String, text: String, ttl: Option<f64>) -> Result<Call<Replaced>> {
        let ttl = ttl.map_or_else(|| Ok(Bytes::new()), millis)?;
        let request = Request::script(&REPLACE, [self.key(name), before.into(), text.into(), ttl]);
        let request = request.merging(Merge::Script).with_effect(Effect::ChangedIf(is_one));
        Ok(Call::new(request, |reply| match reply {
            Reply::Int(_) => Ok(Replaced::Done),
            reply => Ok(reply.bulk()?.map_or(Replaced::Missing, Replaced::Changed)),
        }))
    }

    /// Sets the ttl of a text, in seconds. Returns false if the text does not exist.
    pub fn expire(&self, name: &str, ttl: f64) -> Result<Call<bool>> {
        let request = Request::keyed("PEXPIRE", [self.key(name), millis(ttl)?]).idempotent();
        Ok(Call::new(request.with_effect(Effect::ChangedIf(is_one)), Reply::flag))
    }

    /// Deletes texts; returns how many there were.
    pub fn remove(&self, names: &[String]) -> Call<i64> {
        if names.is_empty() {
            return Call::ready(0);
        }
        let keys: Args = names.iter().map(|name| self.key(name)).collect();
        let count = keys.len();
        Call::new(Request::with_keys("DEL", keys, count).idempotent(), |reply| reply.int())
    }

    /// Returns a text and deletes it.
    pub fn take(&self, name: &str) -> Call<Option<Bytes>> {
        Call::new(Request::keyed("GETDEL", [self.key(name)]), Reply::bulk)
    }

    /// Increments a counter, whose ttl of so many seconds begins with its first increment; returns the count.
    pub fn increment(&self, name: &str, ttl: f64) -> Result<Call<i64>> {
        let request = Request::script(&INCREMENT, [self.key(name), millis(ttl)?]);
        Ok(Call::new(request.merging(Merge::Script), |reply| reply.int()))
    }

    /// Returns some of all names, from this cursor, and the next cursor; the first one and the one at the end are `0`.
    pub fn scan(&self, cursor: String, count: u64) -> Call<(String, Vec<String>)> {
        let prefix = self.0.clone();
        self.scan_keys(cursor, count).map(move |(cursor, keys)| {
            let name = |key: Bytes| Some(std::str::from_utf8(&key).ok()?.strip_prefix(&*prefix)?.to_owned());
            (cursor, keys.into_iter().filter_map(name).collect())
        })
    }

    /// Deletes some of all texts, from this cursor; returns the next cursor.
    pub fn clear(&self, cursor: String, count: u64) -> Call<String> {
        self.scan_keys(cursor, count).then(|(cursor, keys)| {
            let keys = Args::from(keys);
            let count = keys.len();
            if count == 0 {
                return Ok(Step::Done(cursor));
            }
            let delete = Request::with_keys("DEL", keys, count).idempotent();
            Ok(Step::Next(Call::new(delete, move |_| Ok(cursor))))
        })
    }

    fn scan_keys(&self, cursor: String, count: u64) -> Call<(String, Vec<Bytes>)> {
        let count = Bytes::from(count.to_string());
        let args = [cursor.into(), "MATCH".into(), keys::pattern_of(&self.0), "COUNT".into(), count];
        Call::new(Request::command("SCAN", args).reads(), |reply| {
            let [cursor, found] = reply.tuple()?;
            let cursor = String::from_utf8_lossy(&cursor.bulk()?.unwrap_or_default()).into_owned();
            let keys = found.array()?.into_iter().map(|key| Ok(key.bulk()?.unwrap_or_default()));
            Ok((cursor, keys.collect::<Result<_>>()?))
        })
    }

    fn key(&self, name: &str) -> Bytes {
        keys::given(&self.0, name)
    }
}

fn millis(seconds: f64) -> Result<Bytes> {
    ttl::from_seconds("ttl", seconds).map(ttl::millis)
}
