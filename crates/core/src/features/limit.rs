//! Rate limits: a fixed window, counted by a plain integer with a life.

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

script!(FIXED_WINDOW = "limit/fixed_window.lua", keys: 1, args: 2);

/// The largest whole number up to which all are exact in JavaScript and in Lua.
const LARGEST: f64 = 9_007_199_254_740_992.0;

pub use crate::output::Source;

/// What a check answers when there is no server to ask, or one that has no memory left to count in.
#[derive(Debug, Clone, Default)]
pub enum OnUnavailable {
    /// Allowed: a limiter that is down must not take the service with it.
    #[default]
    Allow,
    /// Refused.
    Deny,
    /// What this process counts by itself, from nothing: every process admits as many as the limit says.
    Local(Arc<LocalStore>),
    /// The error itself.
    Throw,
}

/// What became of one hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitResult {
    /// Whether it was within the limit.
    pub allowed: bool,
    /// How many more would be, in this window.
    pub remaining: u64,
    /// When the window ends, in epoch milliseconds; `None` when nobody knows.
    pub reset_ms: Option<i64>,
    /// How long until a hit can be allowed again, in milliseconds by the clock of the counter; 0 if this one was.
    pub retry_after_ms: i64,
    /// The limit it was checked against.
    pub limit: u64,
    /// How long a window lasts.
    pub window: Duration,
    /// Who says so.
    pub source: Source,
}

/// Options of a limiter.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What its keys begin with; `rate_limit:`.
    pub prefix: Option<String>,
    /// What a check answers without a server; `Allow`.
    pub on_unavailable: OnUnavailable,
}

/// Counts hits.
#[derive(Debug)]
pub struct Limiter {
    prefix: Prefix,
    on_unavailable: OnUnavailable,
}

impl Limiter {
    /// A limiter with these options.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for a prefix that cannot be one.
    pub fn new(options: Options) -> Result<Self> {
        let prefix = Prefix::new(options.prefix.as_deref().unwrap_or(keys::LIMITS))?;
        Ok(Self { prefix, on_unavailable: options.on_unavailable })
    }

    /// Counts one hit of `id`: at most `limit` in a window, which begins with its first hit.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` unless the limit is a whole number from 1 to 2^53 and the window a positive number of seconds.
    /// Asked of a key that holds something else, the server's own error.
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

    /// Forgets the hits of `id`; answers how many keys went.
    pub fn reset(&self, id: &str) -> Call<i64> {
        let request = Request::keyed("DEL", [self.key(id)]);
        let OnUnavailable::Local(local) = &self.on_unavailable else { return Call::new(request, Reply::int) };
        // What was counted here is forgotten whatever the server says: it holds while there is none.
        let (local, here) = (local.clone(), request.clone());
        Call::new(request, Reply::int).inspect(move |_| drop(local.ask(&here)))
    }

    /// The key of the counter for `id`. A route key created by `keyForRoute` is used unchanged, whichever method gets it.
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
        if !(1.0..=LARGEST).contains(&limit) || limit.fract() != 0.0 {
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
            // Nothing was counted, so a rejected client is told to wait a whole window.
            let retry_after_ms = if allowed { 0 } else { window.as_millis() as i64 };
            LimitResult { allowed, remaining, reset_ms: None, retry_after_ms, limit, window, source: Source::Fallback }
        };
        let asked = |request| Call::new(request, move |reply| read(reply, Source::Store));
        Ok(match &self.on_unavailable {
            OnUnavailable::Allow => asked(request).or_fallback(move || Ok(unknown(true, limit))),
            OnUnavailable::Deny => asked(request).or_fallback(move || Ok(unknown(false, 0))),
            OnUnavailable::Local(local) => {
                let (local, here) = (local.clone(), request.clone());
                asked(request).or_fallback(move || local.ask(&here).and_then(|reply| read(reply, Source::Local)))
            }
            OnUnavailable::Throw => asked(request),
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

    fn answer<T>(call: Call<T>, reply: Result<Reply>) -> Result<T> {
        match (call.read)(Replies([reply].into_iter().collect()))? {
            Step::Done(answer) => Ok(answer),
            Step::Next(_) => panic!("one round is enough"),
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let limiter = limiter(OnUnavailable::Allow);
        for limit in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY, 2f64.powi(53) + 2.0] {
            assert_eq!(limiter.check("a", limit, 1.0).err().map(|e| e.kind), Some(Kind::InvalidArgument), "{limit}");
        }
        for window in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(limiter.check("a", 1.0, window).err().map(|e| e.kind), Some(Kind::InvalidArgument), "{window}");
        }
        assert!(
            limiter.check("", 1.0, 1.0).is_ok() && limiter.check_key("a\0", 1.0, 1.0).is_ok(),
            "a stranger may ask"
        );
    }

    #[test]
    fn without_a_server_the_option_decides() {
        let down = || Err(Error::new(Kind::Unavailable, "no server"));
        let check = |option| answer(limiter(option).check("a", 3.0, 1.0).unwrap(), down());
        let allowed = check(OnUnavailable::Allow).unwrap();
        assert_eq!((allowed.allowed, allowed.remaining, allowed.reset_ms), (true, 3, None));
        assert_eq!(allowed.source, Source::Fallback);
        assert_eq!(allowed.retry_after_ms, 0);
        let denied = check(OnUnavailable::Deny).unwrap();
        assert_eq!((denied.allowed, denied.retry_after_ms), (false, 1000));
        assert_eq!(check(OnUnavailable::Throw).unwrap_err().kind, Kind::Unavailable);
    }

    #[test]
    fn an_answer_that_says_no_is_never_a_fallback() {
        let wrong = Err(Error::from_server("WRONGTYPE Operation against a key holding the wrong kind of value"));
        for option in [OnUnavailable::Allow, OnUnavailable::Deny, OnUnavailable::Local(local())] {
            let error = answer(limiter(option).check("a", 3.0, 1.0).unwrap(), wrong.clone()).unwrap_err();
            assert_eq!(error.kind, Kind::WrongType);
        }
    }

    #[test]
    fn a_server_without_memory_counts_nothing_either() {
        let full = || Err(Error::from_server("OOM command not allowed when used memory > 'maxmemory'."));
        let check = |option| answer(limiter(option).check("a", 3.0, 1.0).unwrap(), full());
        assert!(check(OnUnavailable::Allow).unwrap().allowed);
        assert!(!check(OnUnavailable::Deny).unwrap().allowed);
        assert_eq!(check(OnUnavailable::Local(local())).unwrap().source, Source::Local);
        assert_eq!(check(OnUnavailable::Throw).unwrap_err().kind, Kind::OutOfMemory);
    }

    fn local() -> Arc<LocalStore> {
        Arc::new(LocalStore::new(1 << 20))
    }

    /// A limiter that counts here, and a check of it while the server is away.
    fn counting() -> (Arc<LocalStore>, Limiter) {
        let local = local();
        (local.clone(), limiter(OnUnavailable::Local(local)))
    }

    fn check_away(limiter: &Limiter, id: &str) -> LimitResult {
        answer(limiter.check(id, 2.0, 60.0).unwrap(), Err(Error::new(Kind::Timeout, "late"))).unwrap()
    }

    #[test]
    fn this_process_counts_as_the_server_would() {
        let (local, limiter) = counting();
        let first = check_away(&limiter, "a");
        assert_eq!((first.allowed, first.remaining, first.source), (true, 1, Source::Local));
        assert!(first.reset_ms.is_some());
        assert_eq!(check_away(&limiter, "a").remaining, 0);
        let refused = check_away(&limiter, "a");
        assert_eq!((refused.allowed, refused.remaining, refused.reset_ms), (false, 0, first.reset_ms));
        assert!((1..=60_000).contains(&refused.retry_after_ms), "{}", refused.retry_after_ms);
        assert!(check_away(&limiter, "b").allowed, "each for itself");
        local.advance(Duration::from_secs(60));
        assert_eq!(check_away(&limiter, "a").remaining, 1);
    }

    #[test]
    fn an_answer_of_the_server_is_not_counted_here() {
        let (_, limiter) = counting();
        let counted = Reply::Array(vec![Reply::Int(1), Reply::Int(5), Reply::Int(0)]);
        let checked = answer(limiter.check("a", 2.0, 60.0).unwrap(), Ok(counted)).unwrap();
        assert_eq!((checked.source, checked.reset_ms), (Source::Store, Some(5)));
        assert_eq!(check_away(&limiter, "a").remaining, 1);
    }

    #[test]
    fn a_reset_forgets_what_was_counted_here_too() {
        let (_, limiter) = counting();
        for reply in [Ok(Reply::Int(0)), Err(Error::new(Kind::Unavailable, "away"))] {
            check_away(&limiter, "a");
            check_away(&limiter, "a");
            assert!(!check_away(&limiter, "a").allowed);
            assert_eq!(answer(limiter.reset("a"), reply.clone()).is_ok(), reply.is_ok());
            assert_eq!(check_away(&limiter, "a").remaining, 1);
            answer(limiter.reset("a"), Ok(Reply::Int(0))).unwrap();
        }
    }

    #[test]
    fn what_is_counted_here_is_bounded() {
        let local = Arc::new(LocalStore::new(64 << 10));
        let limiter = limiter(OnUnavailable::Local(local.clone()));
        for n in 0..1000 {
            assert!(check_away(&limiter, &format!("id {n}")).allowed);
            // Who comes again and again is the last to be forgotten.
            check_away(&limiter, "busy");
            assert!(local.used_bytes() <= 64 << 10);
        }
        assert!(!check_away(&limiter, "busy").allowed);
    }
}
