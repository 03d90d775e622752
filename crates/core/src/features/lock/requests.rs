//! The requests about one lock. A reader has other scripts than a writer, as its token shows.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{Args, BlockingTimeout, DedicatedCommand, Merge, Request, Transaction, Verb, script};

use super::{FENCE_TTL, TURN_LEASE, WAIT_LEASE, token::is_reader};
use crate::{
    features::ttl,
    keys::{self, Prefix},
};

script!(RELEASE = "lock/release.lua", keys: 3, args: 2, with: ["lock/queue.lua"]);
script!(LEAVE = "lock/leave.lua", keys: 3, args: 2, with: ["lock/queue.lua", "lock/readers.lua"]);
script!(EXTEND = "lock/extend.lua", keys: 1, args: 2);
script!(ACQUIRE = "lock/acquire.lua", keys: 2, args: 3, with: ["clock.lua", "lock/fence.lua", "lock/take.lua"]);
script!(
    WAIT = "lock/wait.lua", keys: 3, args: 4,
    with: ["clock.lua", "lock/fence.lua", "lock/take.lua", "lock/enter.lua"]
);
script!(
    WAIT_IN_TURN = "lock/wait_in_turn.lua", keys: 4, args: 4,
    with: ["clock.lua", "lock/fence.lua", "lock/take.lua", "lock/queue.lua", "lock/turn.lua"]
);
script!(INFO = "lock/info.lua", keys: 4, args: 0, with: ["clock.lua", "lock/fence.lua", "lock/readers.lua"]);

script!(
    READ_RELEASE = "lock/read/release.lua", keys: 4, args: 2,
    with: ["clock.lua", "lock/queue.lua", "lock/readers.lua"]
);
script!(READ_EXTEND = "lock/read/extend.lua", keys: 2, args: 2, with: ["clock.lua", "lock/readers.lua"]);
script!(
    READ_ACQUIRE = "lock/read/acquire.lua", keys: 4, args: 3,
    with: ["clock.lua", "lock/fence.lua", "lock/readers.lua", "lock/join.lua"]
);
script!(
    READ_WAIT = "lock/read/wait.lua", keys: 4, args: 4,
    with: ["clock.lua", "lock/fence.lua", "lock/readers.lua", "lock/join.lua", "lock/enter.lua"]
);
script!(
    READ_WAIT_IN_TURN = "lock/read/wait_in_turn.lua", keys: 5, args: 5,
    with: ["clock.lua", "lock/fence.lua", "lock/readers.lua", "lock/join.lua", "lock/queue.lua", "lock/turn.lua"]
);

/// The lock with this key.
pub struct Target<'a> {
    pub prefix: &'a Prefix,
    pub database: u8,
    pub key: Bytes,
}

impl Target<'_> {
    /// Acquires it; replies with the fencing token, or 0.
    pub fn acquire(self, token: &str, ttl: Duration) -> Request {
        let (fence, ttl, fence_ttl) = (self.fence(), ttl::millis(ttl), ttl::millis(FENCE_TTL));
        let request = if is_reader(token) {
            let (waiting, readers) = (self.waiting(), self.readers());
            Request::script(&READ_ACQUIRE, [self.key, fence, waiting, readers, text(token), ttl, fence_ttl])
        } else {
            Request::script(&ACQUIRE, [self.key, fence, text(token), ttl, fence_ttl])
        };
        request.merging(Merge::Script).idempotent()
    }

    /// The same, or enters the caller among those whom a release wakes; replies with the fencing token, or the negative remaining ms.
    pub fn wait(self, token: &str, ttl: Duration) -> Request {
        let (fence, waiting) = (self.fence(), self.waiting());
        let (ttl, fence_ttl, lease) = (ttl::millis(ttl), ttl::millis(FENCE_TTL), ttl::millis(WAIT_LEASE));
        let request = if is_reader(token) {
            let readers = self.readers();
            Request::script(&READ_WAIT, [self.key, fence, waiting, readers, text(token), ttl, fence_ttl, lease])
        } else {
            Request::script(&WAIT, [self.key, fence, waiting, text(token), ttl, fence_ttl, lease])
        };
        request.merging(Merge::Script).idempotent()
    }

    /// The same, in turn.
    pub fn wait_in_turn(self, token: &str, ttl: Duration) -> Request {
        let (fence, waiting, queue) = (self.fence(), self.waiting(), self.queue());
        let (ttl, fence_ttl, lease) = (ttl::millis(ttl), ttl::millis(FENCE_TTL), ttl::millis(TURN_LEASE));
        let request = if is_reader(token) {
            let (readers, channel) = (self.readers(), self.free_channel());
            let args = [self.key, fence, waiting, queue, readers, text(token), ttl, fence_ttl, lease, channel];
            Request::script(&READ_WAIT_IN_TURN, args)
        } else {
            Request::script(&WAIT_IN_TURN, [self.key, fence, waiting, queue, text(token), ttl, fence_ttl, lease])
        };
        request.merging(Merge::Script).idempotent()
    }

    /// Waits until `count` replicas have what was written so far, for `timeout` at most; replies with 1 if its fencing token is stored, the
    /// holder's token, and how many replicas have.
    pub fn replicated(self, count: u64, timeout: Duration) -> Request {
        // Only what a connection has written itself is waited for there. It confirms all that was written before, too.
        let write = Request::keyed("PEXPIRE", [self.fence(), ttl::millis(FENCE_TTL)]);
        let requests = vec![write, Request::get(self.key.clone())];
        let blocking = BlockingTimeout { argument: 1, in_millis: true, timeout: Some(timeout) };
        let wait = DedicatedCommand { name: "WAIT".into(), blocking: Some(blocking) };
        let args: Args = [count.to_string().into(), ttl::millis(timeout)].into_iter().collect();
        let mut followed_by = Request::with_keys("WAIT", args, 0);
        followed_by.verb = Verb::Dedicated(Box::new(wait));
        let mut request = Request::keyed("MULTI", [self.key]).idempotent();
        let followed_by = Some(followed_by);
        request.verb = Verb::Transaction(Box::new(Transaction { requests, dedicated: true, followed_by }));
        // A slow replica is no fault of the server.
        request.counts_for_breaker = false;
        request
    }

    /// Releases it; replies with 1, or 0.
    pub fn release(self, token: &str) -> Request {
        let (waiting, queue, channel) = (self.waiting(), self.queue(), self.free_channel());
        let request = if is_reader(token) {
            let readers = self.readers();
            Request::script(&READ_RELEASE, [self.key, waiting, queue, readers, text(token), channel])
        } else {
            Request::script(&RELEASE, [self.key, waiting, queue, text(token), channel])
        };
        request.merging(Merge::Script)
    }

    /// Extends it; replies with 1, or 0.
    pub fn extend(self, token: &str, ttl: Duration) -> Request {
        let ttl = ttl::millis(ttl);
        let request = if is_reader(token) {
            let readers = self.readers();
            Request::script(&READ_EXTEND, [self.key, readers, text(token), ttl])
        } else {
            Request::script(&EXTEND, [self.key, text(token), ttl])
        };
        request.merging(Merge::Script).idempotent()
    }

    /// Removes a caller from those that wait for it.
    pub fn leave(self, token: &str) -> Request {
        let (waiting, queue, channel) = (self.waiting(), self.queue(), self.free_channel());
        let request = Request::script(&LEAVE, [self.key, waiting, queue, text(token), channel]);
        request.merging(Merge::Script).idempotent()
    }

    /// Describes it.
    pub fn info(self) -> Request {
        let (fence, waiting, readers) = (self.fence(), self.waiting(), self.readers());
        Request::script(&INFO, [self.key, fence, waiting, readers]).reads()
    }

    /// The channel on which a release is published.
    pub fn free_channel(&self) -> Bytes {
        keys::lock_free(self.prefix, &self.key, self.database)
    }

    fn fence(&self) -> Bytes {
        keys::lock_fence(self.prefix, &self.key)
    }

    fn waiting(&self) -> Bytes {
        keys::lock_waiting(self.prefix, &self.key)
    }

    fn queue(&self) -> Bytes {
        keys::lock_queue(self.prefix, &self.key)
    }

    fn readers(&self) -> Bytes {
        keys::lock_readers(self.prefix, &self.key)
    }
}

fn text(token: &str) -> Bytes {
    Bytes::copy_from_slice(token.as_bytes())
}
