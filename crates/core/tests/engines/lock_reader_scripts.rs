//! The inputs of each script of readers of locks: missing keys, expected values, another type, expired leases, odd arguments.

use crate::pair::How::{Loosely, Micros};
use crate::scripts::{Cases, script};

script!(READ_RELEASE = "lock/read/release.lua", keys: 4, args: 2, with: ["clock.lua", "lock/queue.lua", "lock/readers.lua"]);
script!(READ_EXTEND = "lock/read/extend.lua", keys: 2, args: 2, with: ["clock.lua", "lock/readers.lua"]);
script!(READ_ACQUIRE = "lock/read/acquire.lua", keys: 4, args: 3, with: ["clock.lua", "lock/fence.lua", "lock/readers.lua", "lock/join.lua"]);
script!(READ_WAIT = "lock/read/wait.lua", keys: 4, args: 4, with: ["clock.lua", "lock/fence.lua", "lock/readers.lua", "lock/join.lua", "lock/enter.lua"]);
script!(READ_WAIT_IN_TURN = "lock/read/wait_in_turn.lua", keys: 5, args: 5, with: ["clock.lua", "lock/fence.lua", "lock/readers.lua", "lock/join.lua", "lock/queue.lua", "lock/turn.lua"]);

/// Readers of locks.
pub const CASES: &[Cases] = &[
    Cases {
        script: &READ_ACQUIRE,
        how: Micros,
        after: &["GET lock:a", "PTTL lock:a", "ZRANGE lock:{lock:a}:readers 0 -1", "PTTL lock:{lock:a}:readers", "EXISTS lock:{lock:a}:fence"],
        lines: "
=> lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:a another PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 9000000000000 read:b => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 1 read:dead 9000000000000 read:t => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 1 read:t => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
ZADD lock:{lock:a}:readers 9000000000000 read:stale => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:a read:shared PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:waiting 9000000000000 writer => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:waiting 1 writer 9000000000000 read:b => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 9000000000000 read:t | ZADD lock:{lock:a}:waiting 9000000000000 writer => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
ZADD lock:{lock:a}:waiting 9000000000000 writer => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:{lock:a}:fence 8000000000000000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
RPUSH lock:a x => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:{lock:a}:readers x => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:a read:shared | SET lock:{lock:a}:readers x => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
SET lock:{lock:a}:fence text => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000
=> lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 0 604800000
=> lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t x 604800000
=> lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t
",
    },
    Cases {
        script: &READ_WAIT,
        how: Micros,
        after: &["GET lock:a", "PTTL lock:a", "ZRANGE lock:{lock:a}:readers 0 -1", "ZRANGE lock:{lock:a}:waiting 0 -1", "PTTL lock:{lock:a}:waiting"],
        lines: "
=> lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000 30000
SET lock:a another PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000 30000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 9000000000000 read:b => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000 30000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:waiting 9000000000000 writer => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000 30000
ZADD lock:{lock:a}:waiting 9000000000000 read:t => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000 30000
SET lock:{lock:a}:waiting text | SET lock:a another PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000 30000
RPUSH lock:a x => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000 30000
SET lock:a another PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:readers read:t 30000 604800000 x
",
    },
    Cases {
        script: &READ_WAIT_IN_TURN,
        how: Micros,
        after: &["GET lock:a", "PTTL lock:a", "ZRANGE lock:{lock:a}:readers 0 -1", "ZRANGE lock:{lock:a}:waiting 0 -1", "ZRANGE lock:{lock:a}:queue 0 -1 WITHSCORES"],
        lines: "
=> lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t 30000 604800000 10000 lock:{lock:a}:free
SET lock:a another PX 60000 => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t 30000 604800000 10000 lock:{lock:a}:free
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 9000000000000 read:t => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t 30000 604800000 10000 lock:{lock:a}:free
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:waiting 9000000000000 writer => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t 30000 604800000 10000 lock:{lock:a}:free
ZADD lock:{lock:a}:waiting 9000000000000 read:t 9000000000000 read:u | ZADD lock:{lock:a}:queue 1 read:t 2 read:u => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t 30000 604800000 10000 lock:{lock:a}:free
ZADD lock:{lock:a}:waiting 9000000000000 writer | ZADD lock:{lock:a}:queue 1 writer => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t 30000 604800000 10000 lock:{lock:a}:free
ZADD lock:{lock:a}:waiting 1 dead | ZADD lock:{lock:a}:queue 1 dead => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t 30000 604800000 10000 lock:{lock:a}:free
SET lock:{lock:a}:queue text => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t 30000 604800000 10000 lock:{lock:a}:free
SET lock:{lock:a}:readers text => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t 30000 604800000 10000 lock:{lock:a}:free
RPUSH lock:a x => lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t 30000 604800000 10000 lock:{lock:a}:free
=> lock:a lock:{lock:a}:fence lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t 30000 604800000 x lock:{lock:a}:free
",
    },
    Cases {
        script: &READ_EXTEND,
        how: Micros,
        after: &["GET lock:a", "PTTL lock:a", "ZRANGE lock:{lock:a}:readers 0 -1"],
        lines: "
=> lock:a lock:{lock:a}:readers read:t 30000
SET lock:a another => lock:a lock:{lock:a}:readers read:t 30000
SET lock:a read:shared PX 60000 => lock:a lock:{lock:a}:readers read:t 30000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 9000000000000 read:t => lock:a lock:{lock:a}:readers read:t 30000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 9000000000000 read:t 8000000000000 read:b => lock:a lock:{lock:a}:readers read:t 30000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 1 read:t 8000000000000 read:b => lock:a lock:{lock:a}:readers read:t 30000
ZADD lock:{lock:a}:readers 9000000000000 read:t => lock:a lock:{lock:a}:readers read:t 30000
SET lock:a read:shared | SET lock:{lock:a}:readers x => lock:a lock:{lock:a}:readers read:t 30000
RPUSH lock:a x => lock:a lock:{lock:a}:readers read:t 30000
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 9000000000000 read:t => lock:a lock:{lock:a}:readers read:t x
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 9000000000000 read:t => lock:a lock:{lock:a}:readers read:t 0
",
    },
    Cases {
        script: &READ_RELEASE,
        how: Loosely,
        after: &["GET lock:a", "PTTL lock:a", "ZRANGE lock:{lock:a}:readers 0 -1"],
        lines: "
=> lock:a lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t lock:{lock:a}:free
SET lock:a another => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t lock:{lock:a}:free
SET lock:a read:shared PX 60000 => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t lock:{lock:a}:free
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 9000000000000 read:t => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t lock:{lock:a}:free
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 9000000000000 read:t 8000000000000 read:b => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t lock:{lock:a}:free
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 1 read:t 8000000000000 read:b => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t lock:{lock:a}:free
SET lock:a read:shared PX 60000 | ZADD lock:{lock:a}:readers 9000000000000 read:t | ZADD lock:{lock:a}:waiting 9000000000000 writer => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t lock:{lock:a}:free
ZADD lock:{lock:a}:readers 9000000000000 read:t => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t lock:{lock:a}:free
SET lock:a read:shared | SET lock:{lock:a}:readers x => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t lock:{lock:a}:free
RPUSH lock:a x => lock:a lock:{lock:a}:waiting lock:{lock:a}:queue lock:{lock:a}:readers read:t lock:{lock:a}:free
",
    },
];
