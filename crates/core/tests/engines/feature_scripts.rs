//! The inputs of each script of locks, caches and adapters: missing keys, expected values, another type, expired keys, odd arguments.

use crate::pair::How::{Exactly, Loosely, Micros};
use crate::scripts::{Cases, script};

script!(RELEASE = "lock/release.lua", keys: 3, args: 2, with: ["lock/queue.lua"]);
script!(LEAVE = "lock/leave.lua", keys: 3, args: 2, with: ["lock/queue.lua"]);
script!(EXTEND = "lock/extend.lua", keys: 1, args: 2);
script!(ACQUIRE = "lock/acquire.lua", keys: 2, args: 3, with: ["clock.lua", "lock/take.lua"]);
script!(WAIT = "lock/wait.lua", keys: 3, args: 4, with: ["clock.lua", "lock/take.lua"]);
script!(WAIT_IN_TURN = "lock/wait_in_turn.lua", keys: 4, args: 4, with: ["clock.lua", "lock/take.lua", "lock/queue.lua"]);
script!(INFO = "lock/info.lua", keys: 3, args: 0, with: ["clock.lua"]);
script!(ENSURE_EPOCH = "cache/ensure_epoch.lua", keys: 1, args: 2);
script!(OPEN_LEASE = "cache/open_lease.lua", keys: 1, args: 2);
script!(FILL = "cache/fill.lua", keys: 2, args: 3);
script!(SET = "cache/set.lua", keys: 2, args: 2);
script!(REMOVE = "cache/remove.lua", keys: 2, args: 0);
script!(RELEASE_LEASE = "cache/release_lease.lua", keys: 1, args: 1);
script!(REPLACE = "adapter/replace.lua", keys: 1, args: 3);
script!(INCREMENT = "adapter/increment.lua", keys: 1, args: 1);

/// Locks, caches and adapters.
pub const CASES: &[Cases] = &[
    Cases {
        script: &REPLACE,
        how: Exactly,
        after: &["GET sess:a", "PTTL sess:a", "TYPE sess:a"],
        lines: "
=> sess:a old new 60000
SET sess:a old PX 90000 => sess:a old new 60000
SET sess:a old PX 90000 => sess:a old new ''
SET sess:a old => sess:a old new 60000
SET sess:a other PX 90000 => sess:a old new 60000
SET sess:a other => sess:a old new ''
SET sess:a old | PEXPIREAT sess:a 1 => sess:a old new 60000
SET sess:a '' PX 90000 => sess:a '' new 60000
SET sess:a 1 PX 90000 => sess:a 1.0 new 60000
SET sess:a old PX 90000 => sess:a old '' 60000
SET sess:a old PX 90000 => sess:a old new 0
SET sess:a old PX 90000 => sess:a old new x
SET sess:a old PX 90000 => sess:a old new
RPUSH sess:a old => sess:a old new 60000
HSET sess:a old old => sess:a old new 60000
",
    },
    Cases {
        script: &INCREMENT,
        how: Exactly,
        after: &["GET better-auth:a", "PTTL better-auth:a", "TYPE better-auth:a"],
        lines: "
=> better-auth:a 60000
SET better-auth:a 7 PX 90000 => better-auth:a 60000
SET better-auth:a 7 => better-auth:a 60000
SET better-auth:a 7 PXAT 1 => better-auth:a 60000
SET better-auth:a -1 PX 90000 => better-auth:a 60000
SET better-auth:a 9223372036854775807 => better-auth:a 60000
SET better-auth:a text PX 90000 => better-auth:a 60000
SET better-auth:a 1.5 => better-auth:a 60000
RPUSH better-auth:a 1 => better-auth:a 60000
=> better-auth:a 0
=> better-auth:a x
=> better-auth:a
",
    },
    Cases {
        script: &RELEASE,
        how: Exactly,
        after: &["GET lock:a", "PTTL lock:a", "TYPE lock:a"],
        lines: "
=> lock:a lock:{lock:a}:waiting lock:{lock:a}:queue 0123456789abcdef0123456789abcdef lock:{lock:a}:free
SET lock:a 0123456789abcdef0123456789abcdef PX 60000 => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue 0123456789abcdef0123456789abcdef lock:{lock:a}:free
SET lock:a another PX 60000 => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue 0123456789abcdef0123456789abcdef lock:{lock:a}:free
SET lock:a token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
SET lock:a token | PEXPIREAT lock:a 1 => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
SET lock:a token PXAT 1 => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
SET lock:a '' PX 60000 => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue '' lock:{lock:a}:free
SET lock:a 1 PX 60000 => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue 1.0 lock:{lock:a}:free
RPUSH lock:a token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
HSET lock:a token token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
SET lock:a token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue
=> lock:a lock:{lock:a}:waiting lock:{lock:a}:queue
SET lock:a token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token more lock:{lock:a}:free
ZADD lock:{lock:a}:waiting 1 other | SET lock:a token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
SET lock:{lock:a}:waiting x | SET lock:a token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
SET lock:%7Ba%7D token => lock:%7Ba%7D lock:{lock:%7Ba%7D}:waiting lock:{lock:%7Ba%7D}:queue token lock:{lock:%7Ba%7D}:free
ZADD lock:{lock:a}:waiting 9000000000000 next | ZADD lock:{lock:a}:queue 1 next | SET lock:a token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
ZADD lock:{lock:a}:waiting 1 dead 9000000000000 next | ZADD lock:{lock:a}:queue 1 dead 2 gone 3 next | SET lock:a token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
ZADD lock:{lock:a}:waiting 9000000000000 next | SET lock:{lock:a}:queue x | SET lock:a token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
",
    },
    Cases {
        script: &LEAVE,
        how: Exactly,
        after: &["GET lock:a", "ZRANGE lock:{lock:a}:waiting 0 -1", "ZRANGE lock:{lock:a}:queue 0 -1"],
        lines: "
=> lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
ZADD lock:{lock:a}:waiting 9000000000000 token | ZADD lock:{lock:a}:queue 1 token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
ZADD lock:{lock:a}:waiting 9000000000000 token 9000000000000 next | ZADD lock:{lock:a}:queue 1 token 2 next => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
SET lock:a other | ZADD lock:{lock:a}:waiting 9000000000000 token 1 next | ZADD lock:{lock:a}:queue 1 token 2 next => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
ZADD lock:{lock:a}:waiting 9000000000000 token 1 next | ZADD lock:{lock:a}:queue 1 token 2 next => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
SET lock:{lock:a}:waiting x => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
SET lock:{lock:a}:queue x => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
=> lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token
",
    },
    Cases {
        script: &EXTEND,
        how: Exactly,
        after: &["GET lock:a", "PTTL lock:a", "TYPE lock:a"],
        lines: "
=> lock:a token 30000
SET lock:a token PX 60000 => lock:a token 30000
SET lock:a token PX 30000 => lock:a token 90000
SET lock:a token => lock:a token 30000
SET lock:a another PX 60000 => lock:a token 30000
SET lock:a token | PEXPIREAT lock:a 1 => lock:a token 30000
SET lock:a token PXAT 1 => lock:a token 30000
SADD lock:a token => lock:a token 30000
SET lock:a token PX 60000 => lock:a token 0
SET lock:a token PX 60000 => lock:a token -1
SET lock:a token PX 60000 => lock:a token x
SET lock:a token PX 60000 => lock:a token 1.5
SET lock:a token PX 60000 => lock:a token 9223372036854775807
SET lock:a token PX 60000 => lock:a token 9007199254740991
SET lock:a token PX 60000 => lock:a token ''
SET lock:a token PX 60000 => lock:a token
",
    },
    Cases {
        script: &ACQUIRE,
        how: Micros,
        after: &["GET lock:a", "PTTL lock:a", "TYPE lock:a", "EXISTS lock:{lock:a}:fence", "PTTL lock:{lock:a}:fence"],
        lines: "
=> lock:a lock:{lock:a}:fence token 30000 604800000
SET lock:{lock:a}:fence 5 => lock:a lock:{lock:a}:fence token 30000 604800000
SET lock:{lock:a}:fence 8000000000000000 PX 1000 => lock:a lock:{lock:a}:fence token 30000 604800000
SET lock:{lock:a}:fence text => lock:a lock:{lock:a}:fence token 30000 604800000
SET lock:a another PX 60000 | SET lock:{lock:a}:fence 8000000000000000 => lock:a lock:{lock:a}:fence token 30000 604800000
SET lock:a token PX 60000 | SET lock:{lock:a}:fence 8000000000000000 => lock:a lock:{lock:a}:fence token 30000 604800000
SET lock:a token => lock:a lock:{lock:a}:fence token 30000 604800000
SET lock:a another PXAT 1 => lock:a lock:{lock:a}:fence token 30000 604800000
RPUSH lock:a token => lock:a lock:{lock:a}:fence token 30000 604800000
RPUSH lock:{lock:a}:fence 1 => lock:a lock:{lock:a}:fence token 30000 604800000
=> lock:a lock:{lock:a}:fence token 0 604800000
=> lock:a lock:{lock:a}:fence token x 604800000
=> lock:a lock:{lock:a}:fence token 30000 0
=> lock:a lock:{lock:a}:fence token
",
    },
    Cases {
        script: &WAIT,
        how: Micros,
        after: &["GET lock:a", "PTTL lock:a", "EXISTS lock:{lock:a}:fence", "ZRANGE lock:{lock:a}:waiting 0 -1", "PTTL lock:{lock:a}:waiting"],
        lines: "
=> lock:a lock:{lock:a}:fence lock:{lock:a}:waiting token 30000 604800000 30000
SET lock:a another PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting token 30000 604800000 30000
SET lock:a another => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting token 30000 604800000 30000
SET lock:a another PX 60000 | ZADD lock:{lock:a}:waiting 1 dead 9000000000000 other => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting token 30000 604800000 30000
ZADD lock:{lock:a}:waiting 9000000000000 token 9000000000000 other => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting token 30000 604800000 30000
SET lock:a token PX 60000 | SET lock:{lock:a}:fence 8000000000000000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting token 30000 604800000 30000
SET lock:{lock:a}:waiting text | SET lock:a another PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting token 30000 604800000 30000
RPUSH lock:a token => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting token 30000 604800000 30000
SET lock:a another PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting token 30000 604800000 x
",
    },
    Cases {
        script: &WAIT_IN_TURN,
        how: Micros,
        after: &["GET lock:a", "PTTL lock:a", "EXISTS lock:{lock:a}:fence", "ZRANGE lock:{lock:a}:waiting 0 -1", "ZRANGE lock:{lock:a}:queue 0 -1 WITHSCORES", "PTTL lock:{lock:a}:waiting", "PTTL lock:{lock:a}:queue"],
        lines: "
=> lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
SET lock:a another PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
SET lock:a another => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
SET lock:a token PX 60000 | SET lock:{lock:a}:fence 8000000000000000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
SET lock:a another PX 60000 | ZADD lock:{lock:a}:waiting 1 dead 9000000000000 other | ZADD lock:{lock:a}:queue 1 dead 2 other => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
ZADD lock:{lock:a}:waiting 1 dead 9000000000000 other | ZADD lock:{lock:a}:queue 1 dead 2 other => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
ZADD lock:{lock:a}:waiting 9000000000000 token 9000000000000 other | ZADD lock:{lock:a}:queue 1 token 2 other => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
ZADD lock:{lock:a}:waiting 9000000000000 token 9000000000000 other | ZADD lock:{lock:a}:queue 1 other 2 token => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
ZADD lock:{lock:a}:queue 1 gone 9007199254740000 other => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
ZADD lock:{lock:a}:queue 1 gone 5 token => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
SET lock:a another PX 60000 | ZADD lock:{lock:a}:waiting 9000000000000 unfair | PEXPIRE lock:{lock:a}:waiting 30000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
SET lock:{lock:a}:waiting text => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
SET lock:{lock:a}:queue text => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
RPUSH lock:a token => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 10000
SET lock:a another PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue token 30000 604800000 x
",
    },
    Cases {
        script: &INFO,
        how: Loosely,
        after: &["PTTL lock:a"],
        lines: "
=> lock:a lock:{lock:a}:fence lock:{lock:a}:waiting
SET lock:a token PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting
SET lock:a token => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting
SET lock:{lock:a}:fence 8000000000000000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting
ZADD lock:{lock:a}:waiting 1 dead 9000000000000 other => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting
RPUSH lock:{lock:a}:fence 1 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting
SET lock:{lock:a}:waiting 1 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting
",
    },
    Cases {
        script: &ENSURE_EPOCH,
        how: Exactly,
        after: &["GET api:{api:a}:load", "PTTL api:{api:a}:load", "TYPE api:{api:a}:load"],
        lines: "
=> api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load another PX 60000 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load another PX 180000 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load another => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load another PXAT 1 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load '' PX 60000 => api:{api:a}:load 0123456789abcdef 120000
RPUSH api:{api:a}:load x => api:{api:a}:load 0123456789abcdef 120000
=> api:{api:a}:load 0123456789abcdef x
=> api:{api:a}:load 0123456789abcdef 0
=> api:{api:a}:load 0123456789abcdef -1
=> api:{api:a}:load 0123456789abcdef 60000.5
SET api:{api:a}:load another PX 60000 => api:{api:a}:load 0123456789abcdef x
=> api:{api:a}:load 0123456789abcdef
=> api:{api:a}:load
",
    },
    Cases {
        script: &OPEN_LEASE,
        how: Exactly,
        after: &["GET api:{api:a}:load", "PTTL api:{api:a}:load", "TYPE api:{api:a}:load"],
        lines: "
=> api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load ab:1:0 PX 60000 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load ab:9:8 PX 180000 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load ab:1:0 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load ab:1:0 PXAT 1 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load another PX 60000 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load '' PX 60000 => api:{api:a}:load 0123456789abcdef 120000
RPUSH api:{api:a}:load x => api:{api:a}:load 0123456789abcdef 120000
=> api:{api:a}:load 0123456789abcdef x
=> api:{api:a}:load 0123456789abcdef 0
=> api:{api:a}:load 0123456789abcdef -1
=> api:{api:a}:load 0123456789abcdef 60000.5
SET api:{api:a}:load ab:1:0 PX 60000 => api:{api:a}:load 0123456789abcdef x
=> api:{api:a}:load 0123456789abcdef
=> api:{api:a}:load
",
    },
    Cases {
        script: &FILL,
        how: Loosely,
        after: &["GET api:a", "PTTL api:a", "GET api:{api:a}:load", "PERSIST api:{api:a}:load", "TYPE api:a"],
        lines: "
SET api:{api:a}:load ab:2:0 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:2:0 PX 60000 | SET api:a 0 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:2:0 PX 60000 | RPUSH api:a x => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load cd:1:0 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:2:0 PXAT 1 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:3:0 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:3:1 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:3:2 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:3:3 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:10:9 PX 60000 => api:a api:{api:a}:load ab:10 1 300000
SET api:{api:a}:load ab:3:0 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab PX 60000 => api:a api:{api:a}:load ab 1 300000
SET api:{api:a}:load ab:2:0 PX 60000 => api:a api:{api:a}:load ab:x 1 300000
=> api:a api:{api:a}:load ab:2 1 300000
SET api:a 0 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
=> api:a api:{api:a}:load '' 1 300000
RPUSH api:{api:a}:load ab:2:0 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:2:0 PX 60000 => api:a api:{api:a}:load ab:2 1 0
SET api:{api:a}:load ab:2:0 PX 60000 => api:a api:{api:a}:load ab:2 1 x
SET api:{api:a}:load ab:2:0 PX 60000 => api:a api:{api:a}:load ab:2 1
",
    },
    Cases {
        script: &SET,
        how: Exactly,
        after: &["GET api:a", "PTTL api:a", "TYPE api:{api:a}:load", "TYPE api:a"],
        lines: "
=> api:a api:{api:a}:load 1 300000
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load 1 300000
SET api:{api:a}:load m PX 60000 | SET api:a 0 PX 60000 => api:a api:{api:a}:load 1 300000
RPUSH api:a x | RPUSH api:{api:a}:load m => api:a api:{api:a}:load 1 300000
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load '' 300000
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load 1 0
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load 1 x
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load 1
",
    },
    Cases {
        script: &REMOVE,
        how: Exactly,
        after: &["TYPE api:a", "TYPE api:{api:a}:load"],
        lines: "
=> api:a api:{api:a}:load
SET api:a 0 PX 60000 => api:a api:{api:a}:load
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load
SET api:{api:a}:load m PX 60000 | SET api:a 0 PX 60000 => api:a api:{api:a}:load
SET api:a 0 PXAT 1 => api:a api:{api:a}:load
RPUSH api:a x | RPUSH api:{api:a}:load m => api:a api:{api:a}:load
",
    },
    Cases {
        script: &RELEASE_LEASE,
        how: Exactly,
        after: &["GET api:{api:a}:load", "TYPE api:{api:a}:load"],
        lines: "
SET api:{api:a}:load ab:1:0 PX 60000 => api:{api:a}:load ab:1
SET api:{api:a}:load ab:2:0 PX 60000 => api:{api:a}:load ab:1
SET api:{api:a}:load ab:2:1 PX 60000 => api:{api:a}:load ab:2
SET api:{api:a}:load cd:1:0 PX 60000 => api:{api:a}:load ab:1
SET api:{api:a}:load ab PX 60000 => api:{api:a}:load ab
=> api:{api:a}:load ab:1
HSET api:{api:a}:load ab:1 1 => api:{api:a}:load ab:1
SET api:{api:a}:load ab:1:0 PX 60000 => api:{api:a}:load
",
    },
];
