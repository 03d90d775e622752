//! The inputs of each script of locks: missing keys, expected values, another type, expired keys, odd arguments.

use crate::pair::How::{Exactly, Loosely, Micros};
use crate::scripts::{Cases, script};

script!(RELEASE = "lock/release.lua", keys: 3, args: 2, with: ["lock/queue.lua"]);
script!(LEAVE = "lock/leave.lua", keys: 3, args: 2, with: ["lock/queue.lua", "lock/readers.lua"]);
script!(EXTEND = "lock/extend.lua", keys: 1, args: 2);
script!(ACQUIRE = "lock/acquire.lua", keys: 2, args: 3, with: ["clock.lua", "lock/fence.lua", "lock/take.lua"]);
script!(WAIT = "lock/wait.lua", keys: 3, args: 4, with: ["clock.lua", "lock/fence.lua", "lock/take.lua", "lock/enter.lua"]);
script!(WAIT_IN_TURN = "lock/wait_in_turn.lua", keys: 4, args: 4, with: ["clock.lua", "lock/fence.lua", "lock/take.lua", "lock/queue.lua", "lock/turn.lua"]);
script!(INFO = "lock/info.lua", keys: 4, args: 0, with: ["clock.lua", "lock/fence.lua", "lock/readers.lua"]);

/// Locks.
pub const CASES: &[Cases] = &[
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
SET lock:a read:shared | ZADD lock:{lock:a}:waiting 9000000000000 token => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
RPUSH lock:a x => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue token lock:{lock:a}:free
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
SET lock:{lock:a}:fence 99999999999999999999 => lock:a lock:{lock:a}:fence token 30000 604800000
SET lock:{lock:a}:fence -5 => lock:a lock:{lock:a}:fence token 30000 604800000
SET lock:{lock:a}:fence nan => lock:a lock:{lock:a}:fence token 30000 604800000
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
=> lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers
SET lock:a token PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers
SET lock:a token => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers
SET lock:{lock:a}:fence 8000000000000000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers
ZADD lock:{lock:a}:waiting 1 dead 9000000000000 other => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers
RPUSH lock:{lock:a}:fence 1 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers
SET lock:{lock:a}:waiting 1 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 1 read:dead 9000000000000 read:b => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers
SET lock:a read:shared PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers
SET lock:a read:shared PX 60000 | SET lock:{lock:a}:readers 1 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers
",
    },
];
