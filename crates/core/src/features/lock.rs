//! Locks between processes: a key that holds the token of its holder, until it is released or its ttl ends.

mod list;
mod requests;
mod token;

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{
    Call, Reply, Request,
    error::{Kind, Result},
    random,
};

use self::requests::Target;
use super::ttl;
use crate::keys::{self, Prefix};

pub use list::Listing;
pub use token::Mode;

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
    /// The time in epoch ms, by the store's clock, at which it was acquired, the last time if readers hold it; 0 if that is unknown.
    pub acquired_at: u64,
    /// Whether readers hold it.
    pub is_read: bool,
    /// The names of its holders, as far as they have one.
    pub holders: Vec<String>,
}

/// Options of locks.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The prefix of the keys. Default `lock:`.
    pub prefix: Option<String>,
    /// The number of the database, for the names of channels. Default 0.
    pub database: u8,
    /// The name of this process as a holder, for a person to read. Default: the machine's name and the process id.
    pub holder: Option<String>,
}

/// Acquires and releases locks. While the server is unavailable, every method fails.
#[derive(Debug)]
pub struct Locks {
    prefix: Prefix,
    database: u8,
    holder: String,
}

impl Locks {
    /// Creates locks with these options.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for an invalid prefix or holder.
    pub fn new(options: Options) -> Result<Self> {
        let prefix = Prefix::new(options.prefix.as_deref().unwrap_or(keys::LOCKS))?;
        Ok(Self { prefix, database: options.database, holder: token::checked_holder(options.holder)? })
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
        let token = random::hex::<16>()?;
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

    /// Returns a new token for a holder.
    ///
    /// # Errors
    /// `E_INTERNAL` without random numbers.
    pub fn new_token(&self, mode: Mode) -> Result<String> {
        token::new(mode, &self.holder)
    }

    /// Acquires the lock with this token, which `new_token` made, for the given time. Returns its fencing token, or `None` if another
    /// caller holds it.
    pub fn acquire_fenced(&self, resource: &str, token: &str, ttl: Duration) -> Result<Call<Option<u64>>> {
        let request = self.target(resource)?.acquire(token, ttl);
        Ok(Call::new(request, |reply| Ok(u64::try_from(reply.int()?).ok().filter(|fence| *fence > 0))))
    }

    /// Acquires it as `acquire_fenced` does, or enters the caller among those whom its release wakes by a message on `free_channel`.
    pub fn attempt(&self, resource: &str, token: &str, ttl: Duration) -> Result<Call<Attempt>> {
        Ok(Call::new(self.target(resource)?.wait(token, ttl), attempt))
    }

    /// Acquires it as `acquire_fenced` does if it is the caller's turn, or enters the caller behind those that wait for their turn already. A
    /// message on `free_channel` has the token whose turn it is.
    pub fn attempt_in_turn(&self, resource: &str, token: &str, ttl: Duration) -> Result<Call<Attempt>> {
        Ok(Call::new(self.target(resource)?.wait_in_turn(token, ttl), attempt))
    }

    /// Waits until `count` replicas have stored the lock with this token, for `timeout` at most. Returns how many have; `None` if it is no longer
    /// held so.
    pub fn replicated(&self, resource: &str, token: &str, count: u64, timeout: Duration) -> Result<Call<Option<u64>>> {
        let token = token.to_owned();
        Ok(Call::new(self.target(resource)?.replicated(count, timeout), move |reply| {
            let [written, holder, replicas] = reply.tuple()?;
            let is_held = written.int()? == 1 && holder.bulk()?.is_some_and(|holder| token::is_holder(&holder, &token));
            let replicas = replicas.int()?.unsigned_abs();
            Ok(is_held.then_some(replicas))
        }))
    }

    /// Describes the lock.
    pub fn info(&self, resource: &str) -> Result<Call<Info>> {
        Ok(Call::new(self.target(resource)?.info(), described))
    }

    /// Removes a caller from those that wait for the lock. Returns whether it was one of them.
    pub fn stop_waiting(&self, resource: &str, token: &str) -> Result<Call<bool>> {
        Ok(Call::new(self.target(resource)?.leave(token), Reply::flag))
    }

    /// Returns the channel on which a release of this lock is published while callers wait for it.
    pub fn free_channel(&self, resource: &str) -> Result<Bytes> {
        Ok(self.target(resource)?.free_channel())
    }

    /// Releases the lock. Returns false if it is no longer held with this token.
    pub fn release(&self, resource: &str, token: &str) -> Result<Call<bool>> {
        Ok(Call::new(self.target(resource)?.release(token), Reply::flag))
    }

    /// Extends the lock to so many seconds from now. Returns false if it is no longer held with this token.
    pub fn extend(&self, resource: &str, token: &str, ttl_seconds: f64) -> Result<Call<bool>> {
        let ttl = checked_ttl(ttl_seconds)?;
        Ok(Call::new(self.target(resource)?.extend(token, ttl), Reply::flag))
    }

    fn target(&self, resource: &str) -> Result<Target<'_>> {
        Ok(Target { prefix: &self.prefix, database: self.database, key: keys::lock(&self.prefix, resource)? })
    }
}

fn described(reply: Reply) -> Result<Info> {
    let mut items = reply.array()?.into_iter();
    let mut next = || items.next().unwrap_or(Reply::Nil);
    let left = next().int()?;
    let (fence, waiting, now, is_read) = (next().int()?, next().int()?, next().int()?, next().int()? == 1);
    let fence = fence.unsigned_abs();
    let mut holders = Vec::new();
    for token in next().array()? {
        let token = token.bulk()?.unwrap_or_default();
        holders.extend(token::holder_of(&String::from_utf8_lossy(&token)).map(str::to_owned));
    }
    // A fencing token is the time in µs, unless the store's clock was set back.
    let acquired_at = if holders.is_empty() { 0 } else { (fence / 1000).min(now.unsigned_abs()) };
    let left_ms = if left == -2 { Some(0) } else { u64::try_from(left).ok() };
    Ok(Info { is_locked: left != -2, left_ms, fence, waiting: waiting.unsigned_abs(), acquired_at, is_read, holders })
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
