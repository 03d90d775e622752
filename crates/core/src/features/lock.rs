//! Locks between processes: a key that holds the token of its holder, until it is released or its ttl ends.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Merge, Reply, Request,
    error::{Kind, Result},
    random, script,
};

use super::ttl;
use crate::keys::{self, Prefix};

script!(RELEASE = "lock/release.lua", keys: 3, args: 2, with: ["lock/queue.lua"]);
script!(LEAVE = "lock/leave.lua", keys: 3, args: 2, with: ["lock/queue.lua"]);
script!(EXTEND = "lock/extend.lua", keys: 1, args: 2);
script!(ACQUIRE = "lock/acquire.lua", keys: 2, args: 3, with: ["clock.lua", "lock/take.lua"]);
script!(WAIT = "lock/wait.lua", keys: 3, args: 4, with: ["clock.lua", "lock/take.lua"]);
script!(WAIT_IN_TURN = "lock/wait_in_turn.lua", keys: 4, args: 4, with: ["clock.lua", "lock/take.lua", "lock/queue.lua"]);
script!(INFO = "lock/info.lua", keys: 3, args: 0, with: ["clock.lua"]);

/// How long the fencing token of a resource is remembered. After that, the store's clock alone makes the next one higher.
const FENCE_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// For how long a waiting caller is woken by a release, unless it asks again.
pub const WAIT_LEASE: Duration = Duration::from_secs(30);

/// The same for one that waits for its turn, and that others wait for meanwhile.
pub const TURN_LEASE: Duration = Duration::from_secs(5);

/// The outcome of an attempt of a caller that waits for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The lock was acquired, with this fencing token.
    Acquired(u64),
    /// Another caller holds it, or is to have it next; that expires after this time unless it is renewed.
    Held(Duration),
}

impl Attempt {
    /// Returns the fencing token, if the lock was acquired.
    pub fn fence(self) -> Option<u64> {
        match self {
            Self::Acquired(fence) => Some(fence),
            Self::Held(_) => None,
        }
    }
}

/// What the store knows of a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    /// Whether a caller holds it.
    pub is_locked: bool,
    /// The remaining ttl; `None` if it has none.
    pub left_ms: Option<u64>,
    /// The last fencing token, or 0 without one.
    pub fence: u64,
    /// How many processes wait for it, and callers that wait for their turn.
    pub waiting: u64,
}

/// Options of locks.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The prefix of the keys. Default `lock:`.
    pub prefix: Option<String>,
    /// The number of the database, for the names of channels. Default 0.
    pub database: u8,
}

/// Acquires and releases locks. While the server is unavailable, every method fails.
#[derive(Debug)]
pub struct Locks {
    prefix: Prefix,
    database: u8,
}

impl Locks {
    /// Creates locks with these options.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for an invalid prefix.
    pub fn new(options: Options) -> Result<Self> {
        Ok(Self { prefix: Prefix::new(options.prefix.as_deref().unwrap_or(keys::LOCKS))?, database: options.database })
    }

    /// Returns the prefix of the keys.
    pub fn prefix(&self) -> &str {
        self.prefix.as_str()
    }

    /// Returns the key of a resource's lock.
    pub fn key(&self, resource: &str) -> Result<Bytes> {
        keys::lock(&self.prefix, resource)
    }

    /// Acquires the lock for so many seconds. Returns the holder's token, or `None` if another caller holds it.
    pub fn acquire(&self, resource: &str, ttl_seconds: f64) -> Result<Call<Option<String>>> {
        let key = keys::lock(&self.prefix, resource)?;
        let ttl = ttl::millis(checked_ttl(ttl_seconds)?);
        let token = new_token()?;
        let value = Bytes::copy_from_slice(token.as_bytes());
        let args = [key, value, Bytes::from_static(b"PX"), ttl, Bytes::from_static(b"NX")];
        Ok(Call::new(Request::keyed("SET", args), move |reply| Ok((reply != Reply::Nil).then_some(token))))
    }

    /// The same. If the outcome is unknown, calls `doubt` with the token and ttl of the lock that may have been acquired.
    pub fn acquire_reporting_doubt(
        &self,
        resource: &str,
        ttl_seconds: f64,
        doubt: impl FnOnce(String, Duration) + Send + 'static,
    ) -> Result<Call<Option<String>>> {
        let ttl = checked_ttl(ttl_seconds)?;
        let call = self.acquire(resource, ttl_seconds)?;
        let token = call.requests.first().and_then(|request| request.args.get(1)).cloned().unwrap_or_default();
        Ok(reporting_doubt(call, move || doubt(String::from_utf8_lossy(&token).into_owned(), ttl)))
    }

    /// Acquires the lock with this token, which `new_token` made, for the given time. Returns its fencing token, or `None` if another
    /// caller holds it.
    pub fn acquire_fenced(&self, resource: &str, token: &str, ttl: Duration) -> Result<Call<Option<u64>>> {
        let key = keys::lock(&self.prefix, resource)?;
        let args = [
            key.clone(),
            keys::lock_fence(&self.prefix, &key),
            Bytes::copy_from_slice(token.as_bytes()),
            ttl::millis(ttl),
            ttl::millis(FENCE_TTL),
        ];
        let request = Request::script(&ACQUIRE, args).merging(Merge::Script).idempotent();
        Ok(Call::new(request, |reply| Ok(u64::try_from(reply.int()?).ok().filter(|fence| *fence > 0))))
    }

    /// Acquires it as `acquire_fenced` does, or enters the caller among those whom its release wakes by a message on `free_channel`.
    pub fn attempt(&self, resource: &str, token: &str, ttl: Duration) -> Result<Call<Attempt>> {
        let key = keys::lock(&self.prefix, resource)?;
        let args = [
            key.clone(),
            keys::lock_fence(&self.prefix, &key),
            keys::lock_waiting(&self.prefix, &key),
            Bytes::copy_from_slice(token.as_bytes()),
            ttl::millis(ttl),
            ttl::millis(FENCE_TTL),
            ttl::millis(WAIT_LEASE),
        ];
        Ok(Call::new(Request::script(&WAIT, args).merging(Merge::Script).idempotent(), attempt))
    }

    /// Acquires it as `acquire_fenced` does if it is the caller's turn, or enters the caller behind those that wait for their turn already. A
    /// message on `free_channel` has the token whose turn it is.
    pub fn attempt_in_turn(&self, resource: &str, token: &str, ttl: Duration) -> Result<Call<Attempt>> {
        let key = keys::lock(&self.prefix, resource)?;
        let args = [
            key.clone(),
            keys::lock_fence(&self.prefix, &key),
            keys::lock_waiting(&self.prefix, &key),
            keys::lock_queue(&self.prefix, &key),
            Bytes::copy_from_slice(token.as_bytes()),
            ttl::millis(ttl),
            ttl::millis(FENCE_TTL),
            ttl::millis(TURN_LEASE),
        ];
        Ok(Call::new(Request::script(&WAIT_IN_TURN, args).merging(Merge::Script).idempotent(), attempt))
    }

    /// Describes the lock.
    pub fn info(&self, resource: &str) -> Result<Call<Info>> {
        let key = keys::lock(&self.prefix, resource)?;
        let args = [key.clone(), keys::lock_fence(&self.prefix, &key), keys::lock_waiting(&self.prefix, &key)];
        Ok(Call::new(Request::script(&INFO, args).reads(), |reply| {
            let mut items = reply.array()?.into_iter();
            let mut next = || items.next().unwrap_or(Reply::Nil).int();
            let left = next()?;
            let left_ms = if left == -2 { Some(0) } else { u64::try_from(left).ok() };
            let (fence, waiting) = (next()?.unsigned_abs(), next()?.unsigned_abs());
            Ok(Info { is_locked: left != -2, left_ms, fence, waiting })
        }))
    }

    /// Removes a caller from those that wait for the lock.
    pub fn stop_waiting(&self, resource: &str, token: &str) -> Result<Call<()>> {
        let request = Request::script(&LEAVE, self.keys_and_channel(resource, token)?);
        Ok(Call::new(request.merging(Merge::Script).idempotent(), |_| Ok(())))
    }

    /// Returns the channel on which a release of this lock is published while callers wait for it.
    pub fn free_channel(&self, resource: &str) -> Result<Bytes> {
        Ok(keys::lock_free(&self.prefix, &keys::lock(&self.prefix, resource)?, self.database))
    }

    /// Releases the lock. Returns false if it is no longer held with this token.
    pub fn release(&self, resource: &str, token: &str) -> Result<Call<bool>> {
        let request = Request::script(&RELEASE, self.keys_and_channel(resource, token)?);
        Ok(Call::new(request.merging(Merge::Script), Reply::flag))
    }

    fn keys_and_channel(&self, resource: &str, token: &str) -> Result<[Bytes; 5]> {
        let key = keys::lock(&self.prefix, resource)?;
        Ok([
            key.clone(),
            keys::lock_waiting(&self.prefix, &key),
            keys::lock_queue(&self.prefix, &key),
            Bytes::copy_from_slice(token.as_bytes()),
            keys::lock_free(&self.prefix, &key, self.database),
        ])
    }

    /// Extends the lock to so many seconds from now. Returns false if it is no longer held with this token.
    pub fn extend(&self, resource: &str, token: &str, ttl_seconds: f64) -> Result<Call<bool>> {
        let ttl = ttl::millis(checked_ttl(ttl_seconds)?);
        let args = [keys::lock(&self.prefix, resource)?, Bytes::copy_from_slice(token.as_bytes()), ttl];
        Ok(Call::new(Request::script(&EXTEND, args).merging(Merge::Script).idempotent(), Reply::flag))
    }
}

fn attempt(reply: Reply) -> Result<Attempt> {
    Ok(match reply.int()? {
        left @ ..=0 => Attempt::Held(Duration::from_millis(left.unsigned_abs())),
        fence => Attempt::Acquired(fence.unsigned_abs()),
    })
}

/// The same call, which calls `doubt` if its outcome is unknown.
pub fn reporting_doubt<T: Send + 'static>(call: Call<T>, doubt: impl FnOnce() + Send + 'static) -> Call<T> {
    call.inspect(move |ended| {
        if ended.is_err_and(|error| error.kind == Kind::MaybeApplied) {
            doubt();
        }
    })
}

/// Returns a new token for a holder.
///
/// # Errors
/// `E_INTERNAL` without random numbers.
pub fn new_token() -> Result<String> {
    random::hex::<16>()
}

/// Checks the ttl of a lock.
///
/// # Errors
/// `E_INVALID_ARGUMENT` unless it is a number of seconds above 0 and up to a hundred years.
pub fn checked_ttl(seconds: f64) -> Result<Duration> {
    checked_seconds("ttlSeconds", seconds)
}

/// The same for another number of seconds, which the error names.
pub fn checked_seconds(name: &str, seconds: f64) -> Result<Duration> {
    ttl::from_seconds(name, seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cinnabar_port::{Replies, Step, error::Error};

    fn acquire(reply: Result<Reply>) -> Result<Option<String>> {
        let call = Locks::new(Options::default()).unwrap().acquire("res", 30.0).unwrap();
        assert_eq!(call.requests[0].args[0], "lock:res");
        match (call.read)(Replies([reply].into_iter().collect()))? {
            Step::Done(token) => Ok(token),
            Step::Next(_) => panic!("one round is enough"),
        }
    }

    #[test]
    fn a_lock_is_granted_by_the_store_only() {
        assert_eq!(acquire(Ok(Reply::text("OK"))).unwrap().map(|token| token.len()), Some(32));
        assert_eq!(acquire(Ok(Reply::Nil)).unwrap(), None);
        for kind in [Kind::Unavailable, Kind::Timeout, Kind::MaybeApplied] {
            assert_eq!(acquire(Err(Error::new(kind, "lost"))).unwrap_err().kind, kind);
        }
    }

    #[test]
    fn an_unknown_outcome_is_reported_with_the_token() {
        let locks = Locks::new(Options::default()).unwrap();
        for (kind, in_doubt) in [(Kind::MaybeApplied, true), (Kind::NotSent, false), (Kind::Unavailable, false)] {
            let (report, reported) = std::sync::mpsc::channel();
            let call = locks
                .acquire_reporting_doubt("res", 30.0, move |token, ttl| report.send((token, ttl)).unwrap())
                .unwrap();
            let token = call.requests[0].args[1].clone();
            assert!((call.read)(Replies([Err(Error::new(kind, "lost"))].into_iter().collect())).is_err());
            let reported = reported.try_recv().ok();
            assert_eq!(reported.is_some(), in_doubt);
            assert!(
                reported.is_none_or(|(reported, ttl)| reported.as_bytes() == token && ttl == Duration::from_secs(30))
            );
        }
    }

    #[test]
    fn tokens_are_unique() {
        let tokens: std::collections::HashSet<_> = (0..1000).map(|_| acquire(Ok(Reply::text("OK"))).unwrap()).collect();
        assert_eq!(tokens.len(), 1000);
    }
}
