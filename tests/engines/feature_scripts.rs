//! What each script of the features may meet: nothing, what it expects, another type, what is over, and odd arguments.

use crate::pair::How::{Exactly, Loosely};
use crate::scripts::{Cases, script};

script!(RELEASE = "lock/release.lua", keys: 1, args: 1);
script!(EXTEND = "lock/extend.lua", keys: 1, args: 2);
script!(OPEN = "cache/open.lua", keys: 1, args: 2);
script!(INVALIDATE = "cache/invalidate.lua", keys: 1, args: 4);
script!(FIXED_WINDOW = "limit/fixed_window.lua", keys: 1, args: 2);

/// Locks, the cache and limits.
pub const CASES: &[Cases] = &[
    Cases {
        script: &RELEASE,
        how: Exactly,
        after: &["GET lock:a", "PTTL lock:a", "TYPE lock:a"],
        lines: "
=> lock:a 0123456789abcdef0123456789abcdef
SET lock:a 0123456789abcdef0123456789abcdef PX 60000 => lock:a 0123456789abcdef0123456789abcdef
SET lock:a another PX 60000 => lock:a 0123456789abcdef0123456789abcdef
SET lock:a token => lock:a token
SET lock:a token | PEXPIREAT lock:a 1 => lock:a token
SET lock:a token PXAT 1 => lock:a token
SET lock:a '' PX 60000 => lock:a ''
SET lock:a 1 PX 60000 => lock:a 1.0
RPUSH lock:a token => lock:a token
HSET lock:a token token => lock:a token
SET lock:a token => lock:a
=> lock:a
SET lock:a token => lock:a token more
SET lock:%7Ba%7D token => lock:%7Ba%7D token
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
        script: &OPEN,
        how: Exactly,
        after: &["ZRANGE api:{api:}:clock 0 -1 WITHSCORES", "PTTL api:{api:}:clock", "TYPE api:{api:}:clock"],
        lines: r"
=> api:{api:}:clock 4503599627370496 2592000000
=> api:{api:}:clock 9007199254740991 2592000000
ZADD api:{api:}:clock 5000000000000001 \0e 7 \0s 3 tag 2 \0f => api:{api:}:clock 6000000000000001 2592000000
ZADD api:{api:}:clock 5000000000000001 \0e | PEXPIRE api:{api:}:clock 60000 => api:{api:}:clock 6000000000000001 2592000000
ZADD api:{api:}:clock 7 \0s 3 tag => api:{api:}:clock 6000000000000001 2592000000
ZADD api:{api:}:clock 5000000000000001 \0e 7 \0s | PEXPIREAT api:{api:}:clock 1 => api:{api:}:clock 6000000000000001 2592000000
ZADD api:{api:}:clock 5000000000000001 \0e 9007199254740993 \0s => api:{api:}:clock 6000000000000001 2592000000
ZADD api:{api:}:clock 0.1 \0e 1e300 \0s => api:{api:}:clock 6000000000000001 2592000000
ZADD api:{api:}:clock -inf \0e inf \0s => api:{api:}:clock 6000000000000001 2592000000
SET api:{api:}:clock x => api:{api:}:clock 6000000000000001 2592000000
HSET api:{api:}:clock \0e 1 => api:{api:}:clock 6000000000000001 2592000000
SET api:{api:}:clock x PXAT 1 => api:{api:}:clock 6000000000000001 2592000000
=> api:{api:}:clock x 2592000000
=> api:{api:}:clock nan 2592000000
=> api:{api:}:clock 6000000000000001 x
=> api:{api:}:clock 6000000000000001 0
=> api:{api:}:clock 6000000000000001 -1
=> api:{api:}:clock 6000000000000001
=> api:{api:}:clock
",
    },
    Cases {
        script: &INVALIDATE,
        how: Exactly,
        after: &[
            "ZRANGE api:{api:}:clock 0 -1 WITHSCORES",
            "ZRANGE fresh:{api:}:clock 0 -1 WITHSCORES",
            "PTTL api:{api:}:clock",
            "TYPE api:{api:}:clock",
        ],
        lines: r"
=> api:{api:}:clock users 4503599627370496 2592000000 100000
=> api:{api:}:clock 'a tag: ünï' 9007199254740991 2592000000 100000
ZADD api:{api:}:clock 5e15 \0e 7 \0s 3 users 2 \0f => api:{api:}:clock users 6000000000000001 2592000000 100000
ZADD api:{api:}:clock 5e15 \0e 7 \0s 3 users => api:{api:}:clock images 6000000000000001 2592000000 100000
ZADD api:{api:}:clock 5e15 \0e | PEXPIRE api:{api:}:clock 60000 => api:{api:}:clock users 6000000000000001 2592000000 100000
ZADD api:{api:}:clock 7 \0s 3 users => api:{api:}:clock users 6000000000000001 2592000000 100000
ZADD api:{api:}:clock 5e15 \0e 7 \0s | PEXPIREAT api:{api:}:clock 1 => api:{api:}:clock users 6000000000000001 2592000000 100000
ZADD api:{api:}:clock 5e15 \0e 3 \0s 1 a 2 b 3 c => api:{api:}:clock d 6000000000000001 2592000000 5
ZADD api:{api:}:clock 5e15 \0e 3 \0s 1 a 2 b 3 c => api:{api:}:clock c 6000000000000001 2592000000 5
ZADD api:{api:}:clock 5e15 \0e 3 \0s 1 a 1 b 1 c => api:{api:}:clock d 6000000000000001 2592000000 5
ZADD api:{api:}:clock 5e15 \0e 3 \0s 1 a 2 b 3 c 1 \0f => api:{api:}:clock d 6000000000000001 2592000000 6
ZADD api:{api:}:clock 5e15 \0e 9 \0s 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h 9 i => api:{api:}:clock j 6000000000000001 2592000000 11
=> api:{api:}:clock users 6000000000000001 2592000000 2
=> api:{api:}:clock users 6000000000000001 2592000000 1
=> api:{api:}:clock users 6000000000000001 2592000000 0
=> api:{api:}:clock users 6000000000000001 2592000000 -10
ZADD api:{api:}:clock 5e15 \0e 9007199254740992 \0s => api:{api:}:clock users 6000000000000001 2592000000 100000
ZADD api:{api:}:clock 5e15 \0e 0.1 \0s => api:{api:}:clock users 6000000000000001 2592000000 100000
ZADD api:{api:}:clock 5e15 \0e inf \0s => api:{api:}:clock users 6000000000000001 2592000000 100000
SET api:{api:}:clock x => api:{api:}:clock users 6000000000000001 2592000000 100000
SADD api:{api:}:clock users => api:{api:}:clock users 6000000000000001 2592000000 100000
SET api:{api:}:clock x PXAT 1 => api:{api:}:clock users 6000000000000001 2592000000 100000
=> api:{api:}:clock '' 6000000000000001 2592000000 100000
=> api:{api:}:clock users x 2592000000 100000
=> api:{api:}:clock users 6000000000000001 x 100000
=> api:{api:}:clock users 6000000000000001 0 100000
=> api:{api:}:clock users 6000000000000001 2592000000 x
=> api:{api:}:clock users 6000000000000001 2592000000
=> api:{api:}:clock users
",
    },
    Cases {
        script: &FIXED_WINDOW,
        how: Loosely,
        after: &["GET rate_limit:ip", "GET fresh:rate_limit:ip", "PTTL rate_limit:ip", "TYPE rate_limit:ip"],
        lines: "
=> rate_limit:ip 2 60000
=> rate_limit:ip 1 60000
=> rate_limit:ip 100 86400000
=> ratelimit:10.0.0.1:/login 2 60000
SET rate_limit:ip 1 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 2 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 100 PX 90000 => rate_limit:ip 2 60000
SET rate_limit:ip 1 => rate_limit:ip 2 60000
SET rate_limit:ip 7 => rate_limit:ip 2 60000
SET rate_limit:ip 0 => rate_limit:ip 2 60000
SET rate_limit:ip 0 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip -1 => rate_limit:ip 2 60000
SET rate_limit:ip -5 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 7 | PEXPIREAT rate_limit:ip 1 => rate_limit:ip 2 60000
SET rate_limit:ip 7 PXAT 1 => rate_limit:ip 2 60000
SET rate_limit:ip abc PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 1.5 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip '' => rate_limit:ip 2 60000
SET rate_limit:ip 9223372036854775807 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 9223372036854775806 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 9007199254740991 PX 30000 => rate_limit:ip 9007199254740992 60000
SET rate_limit:ip 9007199254740992 PX 30000 => rate_limit:ip 9007199254740992 60000
RPUSH rate_limit:ip a => rate_limit:ip 2 60000
HSET rate_limit:ip a 1 => rate_limit:ip 2 60000
=> rate_limit:ip 0 60000
=> rate_limit:ip x 60000
SET rate_limit:ip 1 => rate_limit:ip x 60000
=> rate_limit:ip 2 x
SET rate_limit:ip 1 => rate_limit:ip 2 x
=> rate_limit:ip 2 0
=> rate_limit:ip 2 -1
SET rate_limit:ip 1 => rate_limit:ip 2 0
=> rate_limit:ip 2 9223372036854775807
=> rate_limit:ip 2
=> rate_limit:ip
",
    },
];
