//! Rate limits with fixed windows: an integer with a ttl for each counter.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_port::{
    Call, Merge, Reply, Request,
    error::{Error, Result},
    number::to_js_string,
    script,
};

use super::ttl;
use crate::{
    keys::{self, Prefix},
    store::LocalStore,
};

script!(FIXED_WINDOW = "limit/fixed_window.lua", keys: 1, args: 2, with: ["clock.lua"]);

/// 2^53: up to here, all whole numbers are exact in JavaScript and in Lua.
const MAX_LIMIT: f64 = 9_007_199_254_740_992.0;

pub use crate::output::Source;

/// The result of a check while the server is unavailable or out of memory.
#[derive(Debug, Clone, Default)]
pub enum OnUnavailable {
    /// Allowed, so that a limiter that is down does not take the service down.
    #[default]
    Allow,
    /// Rejected.
    Deny,
    /// Counted by this process alone, from 0. Each process then allows up to the limit.
    Local(Arc<LocalStore>),
    /// The error.
    Throw,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitResult {
    /// Whether it was within the limit.
    pub allowed: bool,
    /// How many more hits this window allows.
    pub remaining: u64,
    /// The end of the window in milliseconds since 1970, if it is known.
    pub reset_ms: Option<i64>,
    /// How long until a hit can be allowed again, in milliseconds by the clock of the counter; 0 if this one was.
    pub retry_after_ms: i64,
    /// The limit.
    pub limit: u64,
    /// The length of a window.
    pub window: Duration,
    /// The counter that produced this.
    pub source: Source,
}

/// Options of a limiter.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The prefix of its keys. Default `rate_limit:`.
    pub prefix: Option<String>,
    /// The result of a check while the server is unavailable. Default `Allow`.
    pub on_unavailable: OnUnavailable,
}

/// A rate limiter.
#[derive(Debug)]
pub struct Limiter {
    prefix: Prefix,
    on_unavailable: OnUnavailable,
}

impl Limiter {
    /// Creates a limiter with these options.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for an invalid prefix.
    pub fn new(options: Options) -> Result<Self> {
        let prefix = Prefix::new(options.prefix.as_deref().unwrap_or(keys::LIMITS))?;
        Ok(Self { prefix, on_unavailable: options.on_unavailable })
    }

    /// Counts a hit of `id`, of which a window allows `limit`. A window starts with its first hit.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` unless the limit is a whole number from 1 to 2^53 and the window a positive number of seconds.
    /// The server's own error if the key holds another type.
    pub fn check(&self, id: &str, limit: f64, window_seconds: f64) -> Result<Call<LimitResult>> {
        self.count(self.key(id), limit, window_seconds)
    }

    /// The same for a key exactly as given.
    ///
    /// # Errors
    /// As for `check`.
    pub fn check_key(&self, key: &str, limit: f64, window_seconds: f64) -> Result<Call<bool>> {
        Ok(self.count(keys::verbatim(key), limit, window_seconds)?.map(|checked| checked.allowed))
    }

    /// Resets the counter of `id`. Returns how many keys were deleted.
    pub fn reset(&self, id: &str) -> Call<i64> {
        let request = Request::keyed("DEL", [self.key(id)]);
        let OnUnavailable::Local(local) = &self.on_unavailable else { return Call::new(request, Reply::int) };
        // The local counter is reset in any case, because it applies while the server is unavailable.
        let (local, here) = (local.clone(), request.clone());
        Call::new(request, Reply::int).inspect(move |_| drop(local.execute(&here)))
    }

    /// Returns the key of the counter for `id`. A route key created by `keyForRoute` is used unchanged, whichever method gets it.
    fn key(&self, id: &str) -> Bytes {
        let prefix = self.prefix.as_str();
        // Route keys start with the prefix of the limiter if it has a custom one.
        let own = if prefix == keys::LIMITS { "" } else { prefix };
        if id.strip_prefix(own).is_some_and(keys::is_route_key) {
            keys::verbatim(id)
        } else if keys::is_route_key(id) {
            keys::verbatim(&format!("{own}{id}"))
        } else {
            keys::limit(&self.prefix, id)
        }
    }

    fn count(&self, key: Bytes, limit: f64, window_seconds: f64) -> Result<Call<LimitResult>> {
        if !(1.0..=MAX_LIMIT).contains(&limit) || limit.fract() != 0.0 {
            return Err(Error::argument(format!(
                "limit must be a whole number from 1 to 2^53, got {}",
                to_js_string(limit)
            )));
        }
        let limit = limit as u64;
        let window = ttl::from_seconds("windowSeconds", window_seconds)?;
        let args = [key, limit.to_string().into(), ttl::millis(window)];
        let request = Request::script(&FIXED_WINDOW, args).merging(Merge::Script);
        let read = move |reply: Reply, source| {
            let [hits, reset, wait] = reply.tuple()?;
            let (hits, reset_ms, retry_after_ms) = (hits.int()?, Some(reset.int()?), wait.int()?);
            let left = i128::from(limit) - i128::from(hits);
            let (allowed, remaining) = (left >= 0, left.clamp(0, i128::from(limit)) as u64);
            Ok(LimitResult { allowed, remaining, reset_ms, retry_after_ms, limit, window, source })
        };
        let unknown = move |allowed, remaining| {
            // Nothing was counted, so a rejected client has to wait a whole window.
            let retry_after_ms = if allowed { 0 } else { window.as_millis() as i64 };
            LimitResult { allowed, remaining, reset_ms: None, retry_after_ms, limit, window, source: Source::Fallback }
        };
        let count = |request| Call::new(request, move |reply| read(reply, Source::Store));
        Ok(match &self.on_unavailable {
            OnUnavailable::Allow => count(request).or_fallback(move || Ok(unknown(true, limit))),
            OnUnavailable::Deny => count(request).or_fallback(move || Ok(unknown(false, 0))),
            OnUnavailable::Local(local) => {
                let (local, here) = (local.clone(), request.clone());
                count(request).or_fallback(move || local.execute(&here).and_then(|reply| read(reply, Source::Local)))
            }
            OnUnavailable::Throw => count(request),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cinnabar_port::{Replies, Step, error::Kind};

    fn limiter(on_unavailable: OnUnavailable) -> Limiter {
        Limiter::new(Options { on_unavailable, ..Options::default() }).unwrap()
    }

    fn result<T>(call: Call<T>, reply: Result<Reply>) -> Result<T> {
        match (call.read)(Replies([reply].into_iter().collect()))? {
            Step::Done(result) => Ok(result),
            Step::Next(_) => panic!("one round is enough"),
        }
    }

    #[test]
    fn invalid_arguments_are_rejected() {
        let limiter = limiter(OnUnavailable::Allow);
        for limit in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY, 2f64.powi(53) + 2.0] {
            assert_eq!(limiter.check("a", limit, 1.0).err().map(|e| e.kind), Some(Kind::InvalidArgument), "{limit}");
        }
        for window in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(limiter.check("a", 1.0, window).err().map(|e| e.kind), Some(Kind::InvalidArgument), "{window}");
        }
        assert!(
            limiter.check("", 1.0, 1.0).is_ok() && limiter.check_key("a\0", 1.0, 1.0).is_ok(),
            "any text is a valid id"
        );
    }

    #[test]
    fn on_unavailable_decides_while_the_server_is_unavailable() {
        let down = || Err(Error::new(Kind::Unavailable, "no server"));
        let check = |option| result(limiter(option).check("a", 3.0, 1.0).unwrap(), down());
        let allowed = check(OnUnavailable::Allow).unwrap();
        assert_eq!((allowed.allowed, allowed.remaining, allowed.reset_ms), (true, 3, None));
        assert_eq!(allowed.source, Source::Fallback);
        assert_eq!(allowed.retry_after_ms, 0);
        let denied = check(OnUnavailable::Deny).unwrap();
        assert_eq!((denied.allowed, denied.retry_after_ms), (false, 1000));
        assert_eq!(check(OnUnavailable::Throw).unwrap_err().kind, Kind::Unavailable);
    }

    #[test]
    fn other_errors_are_never_replaced_by_a_fallback() {
        let wrong = Err(Error::from_server("WRONGTYPE Operation against a key holding the wrong kind of value"));
        for option in [OnUnavailable::Allow, OnUnavailable::Deny, OnUnavailable::Local(local())] {
            let error = result(limiter(option).check("a", 3.0, 1.0).unwrap(), wrong.clone()).unwrap_err();
            assert_eq!(error.kind, Kind::WrongType);
        }
    }

    #[test]
    fn a_server_without_memory_is_treated_as_unavailable() {
        let full = || Err(Error::from_server("OOM command not allowed when used memory > 'maxmemory'."));
        let check = |option| result(limiter(option).check("a", 3.0, 1.0).unwrap(), full());
        assert!(check(OnUnavailable::Allow).unwrap().allowed);
        assert!(!check(OnUnavailable::Deny).unwrap().allowed);
        assert_eq!(check(OnUnavailable::Local(local())).unwrap().source, Source::Local);
        assert_eq!(check(OnUnavailable::Throw).unwrap_err().kind, Kind::OutOfMemory);
    }

    fn local() -> Arc<LocalStore> {
        Arc::new(LocalStore::new(1 << 20))
    }

    /// A limiter that counts locally, with its store.
    fn counting() -> (Arc<LocalStore>, Limiter) {
        let local = local();
        (local.clone(), limiter(OnUnavailable::Local(local)))
    }

    fn check_locally(limiter: &Limiter, id: &str) -> LimitResult {
        result(limiter.check(id, 2.0, 60.0).unwrap(), Err(Error::new(Kind::Timeout, "late"))).unwrap()
    }

    #[test]
    fn the_local_counter_works_like_the_servers() {
        let (local, limiter) = counting();
        let first = check_locally(&limiter, "a");
        assert_eq!((first.allowed, first.remaining, first.source), (true, 1, Source::Local));
        assert!(first.reset_ms.is_some());
        assert_eq!(check_locally(&limiter, "a").remaining, 0);
        let refused = check_locally(&limiter, "a");
        assert_eq!((refused.allowed, refused.remaining, refused.reset_ms), (false, 0, first.reset_ms));
        assert!((1..=60_000).contains(&refused.retry_after_ms), "{}", refused.retry_after_ms);
        assert!(check_locally(&limiter, "b").allowed, "each id has its own counter");
        local.advance(Duration::from_secs(60));
        assert_eq!(check_locally(&limiter, "a").remaining, 1);
    }

    #[test]
    fn a_hit_counted_by_the_server_is_not_counted_locally() {
        let (_, limiter) = counting();
        let counted = Reply::Array(vec![Reply::Int(1), Reply::Int(5), Reply::Int(0)]);
        let checked = result(limiter.check("a", 2.0, 60.0).unwrap(), Ok(counted)).unwrap();
        assert_eq!((checked.source, checked.reset_ms), (Source::Store, Some(5)));
        assert_eq!(check_locally(&limiter, "a").remaining, 1);
    }

    #[test]
    fn a_reset_resets_the_local_counter_too() {
        let (_, limiter) = counting();
        for reply in [Ok(Reply::Int(0)), Err(Error::new(Kind::Unavailable, "away"))] {
            check_locally(&limiter, "a");
            check_locally(&limiter, "a");
            assert!(!check_locally(&limiter, "a").allowed);
            assert_eq!(result(limiter.reset("a"), reply.clone()).is_ok(), reply.is_ok());
            assert_eq!(check_locally(&limiter, "a").remaining, 1);
            result(limiter.reset("a"), Ok(Reply::Int(0))).unwrap();
        }
    }

    #[test]
    fn local_counters_are_bounded_in_memory() {
        let local = Arc::new(LocalStore::new(64 << 10));
        let limiter = limiter(OnUnavailable::Local(local.clone()));
        for n in 0..1000 {
            assert!(check_locally(&limiter, &format!("id {n}")).allowed);
            // The most recently used counter is evicted last.
            check_locally(&limiter, "busy");
            assert!(local.used_bytes() <= 64 << 10);
        }
        assert!(!check_locally(&limiter, "busy").allowed);
    }
}
