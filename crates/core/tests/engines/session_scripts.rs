//! The inputs of each script of sessions: missing keys, expected values, another type, expired keys, and odd arguments.
//!
//! Where a script decides by the remaining ttl, the ttl is a day, so that both engines decide alike. No line depends on whether an index
//! entry just suffices, which differs by the millisecond.

use crate::pair::How::{Exactly, Loosely};
use crate::scripts::{Cases, script};

script!(CREATE = "session/create.lua", keys: 1, args: 3);
script!(GET_WITH_TTL = "session/get_with_ttl.lua", keys: 1, args: 0, with: ["clock.lua"]);
script!(COMPARE_AND_SET = "session/compare_and_set.lua", keys: 1, args: 5, with: ["clock.lua"]);
script!(DESTROY = "session/destroy.lua", keys: 2, args: 4);
script!(INDEX_ADD = "session/index_add.lua", keys: 2, args: 3, with: ["clock.lua", "session/index_entries.lua"]);
script!(INDEX_RENEW = "session/index_renew.lua", keys: 2, args: 4, with: ["clock.lua", "session/index_entries.lua"]);
script!(INDEX_READ = "session/index_read.lua", keys: 1, args: 0, with: ["clock.lua"]);
script!(INDEX_REMOVE = "session/index_remove.lua", keys: 1, args: 2, with: ["clock.lua"]);
script!(DROP_GROUP = "session/drop_group.lua", keys: 3, args: 2, with: ["clock.lua"]);
script!(COUNT_INVALIDATION = "session/count_invalidation.lua", keys: 1, args: 2);
script!(GET_OR_SET = "session/get_or_set.lua", keys: 1, args: 2);
script!(RECORD_COUNT = "session/record_count.lua", keys: 1, args: 2);
script!(STORE_TOKEN = "session/store_token.lua", keys: 2, args: 4);

/// What a session and its load are.
pub const SESSION: &[&str] = &[
    "GET session:a",
    "TYPE session:a",
    "PTTL session:a",
    "GET session:{session:a}:load",
    "TYPE session:{session:a}:load",
    "PTTL session:{session:a}:load",
];

const EPOCH: &[&str] = &[
    "GET session:{session:user:7}:epoch",
    "TYPE session:{session:user:7}:epoch",
    "PTTL session:{session:user:7}:epoch",
];

/// The scores are times of the clock; only their order is compared.
pub const INDEX: &[&str] = &[
    "ZRANGE session:{session:user:7}:sessions 0 -1",
    "PTTL session:{session:user:7}:sessions",
    "TYPE session:{session:user:7}:sessions",
];

/// Sessions, the index and the epoch of a user.
pub const CASES: &[Cases] = &[
    Cases {
        script: &CREATE,
        how: Exactly,
        after: SESSION,
        lines: r#"
=> session:a {"userId":"7","createdAt":"2026-01-02T03:04:05.678Z"} 86400000 ''
=> session:a '' 60000 ''
=> session:a {} 60000 end
SET session:a {"userId":"1"} PX 30000 => session:a {"userId":"7"} 60000 ''
SET session:a {"userId":"1"} PX 30000 => session:a {"userId":"7"} 60000 }
SET session:a {"userId":"1"} PX 30000 => session:a {"userId":"7"} 60000 {"userId":"1"}
SET session:a {"userId":"1"} PX 30000 => session:a {"userId":"7"} 60000 more{"userId":"1"}
SET session:a {} PXAT 1 => session:a {"userId":"7"} 60000 ''
SET session:a '' PX 30000 => session:a {"userId":"7"} 60000 ''
SET session:a '' PX 30000 => session:a {"userId":"7"} 60000 }
HSET session:a a 1 => session:a {"userId":"7"} 60000 ''
=> session:a {} 0 ''
=> session:a {} -1 ''
=> session:a {} x ''
=> session:a {} 9223372036854775807 ''
=> session:a {} 60000
=> session:a {}
=> session:a
"#,
    },
    Cases {
        script: &GET_WITH_TTL,
        how: Loosely,
        after: SESSION,
        lines: r#"
=> session:a
SET session:a {"userId":"7"} PX 86400000 => session:a
SET session:a {"userId":"7"} => session:a
SET session:a '' PX 60000 => session:a
SET session:a {} PXAT 1 => session:a
RPUSH session:a {} => session:a
SET session:a {} PX 60000 => session:a more
"#,
    },
    Cases {
        script: &COMPARE_AND_SET,
        how: Exactly,
        after: SESSION,
        lines: r#"
=> session:a {"n":1} {"n":2} 86400000 86390000 ''
SET session:a {"n":1} PX 86400000 => session:a {"n":1} {"n":2} 86400000 80000000 ''
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 86390000 ''
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 0 ''
SET session:a {"n":1} PX 86400000 => session:a {"n":1} {"n":1} 86400000 80000000 ''
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":1} 86400000 0 ''
SET session:a {"n":1} => session:a {"n":1} {"n":2} 86400000 86390000 ''
SET session:a {"n":1} => session:a {"n":1} {"n":2} 86400000 0 ''
SET session:a {"n":1} => session:a {"n":1} {"n":2} 86400000 -1 ''
SET session:a {"n":9} PX 60000 => session:a {"n":1} {"n":2} 86400000 0 ''
SET session:a {"n":9} PX 60000 => session:a {"n":1} {"n":2} 86400000 86390000 ''
SET session:a '' PX 60000 => session:a '' {"n":2} 86400000 0 ''
SET session:a {"n":1} PXAT 1 => session:a {"n":1} {"n":2} 86400000 0 ''
SET session:a {"n":1} | PEXPIREAT session:a 1 => session:a {"n":1} {"n":2} 86400000 0 ''
HSET session:a n 1 => session:a {"n":1} {"n":2} 86400000 0 ''
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 0 0 ''
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} x 0 ''
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 x ''
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 '' ''
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 0.0 ''
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000
SET session:a {"n":1} PX 60000 => session:a {"n":1}
SET session:a {"n":1} PX 60000 => session:a
=> session:a
SET session:a {"n":1} PX 86400000 => session:a {"n":1} {"n":2} 86400000 80000000 50000000000000
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 0 50000000000000
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 86390000 1
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 86390000 x
"#,
    },
    Cases {
        script: &DESTROY,
        how: Loosely,
        after: SESSION,
        lines: r#"
=> session:a session:{session:a}:load TTTT TTTT|HHHH| '' ''
=> session:a session:{session:a}:load TTTT TTTT|HHHH| TTTT ''
SET session:a {"userId":"7"} PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| '' ''
SET session:a {"userId":"7"} PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| TTTT ''
SET session:a {"userId":"7"} => session:a session:{session:a}:load TTTT TTTT|HHHH| '' ''
SET session:a {}TTTT PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| '' ''
SET session:a {}TTTT PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| TTTT ''
SET session:a {}STTTT PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| TTTT STTTT
SET session:a {}STTTT PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| TTTT XTTTT
SET session:a {}S PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| '' S
SET session:a {}S PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| '' X
SET session:a {}TTTT PX 60000 | SET session:{session:a}:load x PX 120000 => session:a session:{session:a}:load TTTT TTTT|HHHH| TTTT ''
SET session:a {} PX 60000 | SET session:{session:a}:load x PX 120000 => session:a session:{session:a}:load TTTT TTTT|HHHH| '' ''
SET session:{session:a}:load x PX 120000 => session:a session:{session:a}:load TTTT TTTT|HHHH| TTTT ''
SET session:{session:a}:load x PX 120000 => session:a session:{session:a}:load TTTT TTTT|HHHH| '' ''
SADD session:{session:a}:load x => session:a session:{session:a}:load TTTT TTTT|HHHH| TTTT ''
SET session:a {} | PEXPIREAT session:a 1 => session:a session:{session:a}:load TTTT TTTT|HHHH| '' ''
SET session:a '' PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| '' ''
SADD session:a {} => session:a session:{session:a}:load TTTT TTTT|HHHH| '' ''
SET session:a {} PX 60000 => session:a session:{session:a}:load
SET session:a {}HHHH PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| HHHH ''
SET session:a {}HHHH PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| '' ''
SET session:a {}HHHH PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| TTTT ''
SET session:a {}TTTH PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| '' ''
SET session:a {} PX 60000 => session:a session:{session:a}:load TTTT TTTT|HHHH| HHHH ''
"#,
    },
    Cases {
        script: &INDEX_ADD,
        how: Exactly,
        after: INDEX,
        lines: "
=> session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 0123456789abcdef
=> session:{session:user:7}:sessions session:{session:user:7}:epoch ünï 86460001 0123456789abcdef
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 99999999 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 ffffffffffffffff
SET session:{session:user:7}:epoch '0123456789abcdef - 0' => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 ffffffffffffffff
HSET session:{session:user:7}:epoch a 1 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 ffffffffffffffff
ZADD session:{session:user:7}:sessions 1 a => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 0123456789abcdef
ZADD session:{session:user:7}:sessions 5e13 a 4e13 b => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 0123456789abcdef
ZADD session:{session:user:7}:sessions 1 b 2 c 5e13 d -inf e inf f => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 0123456789abcdef
ZADD session:{session:user:7}:sessions 1 b 2 c | EXPIRE session:{session:user:7}:sessions 60 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 0123456789abcdef
ZADD session:{session:user:7}:sessions 5e13 b | EXPIRE session:{session:user:7}:sessions 99999 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 0123456789abcdef
ZADD session:{session:user:7}:sessions 5e13 b | PEXPIREAT session:{session:user:7}:sessions 1 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 0123456789abcdef
ZADD session:{session:user:7}:sessions inf a => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 0123456789abcdef
SET session:{session:user:7}:sessions x => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 0123456789abcdef
=> session:{session:user:7}:sessions session:{session:user:7}:epoch a 3155760000000 0123456789abcdef
=> session:{session:user:7}:sessions session:{session:user:7}:epoch a 0 0123456789abcdef
=> session:{session:user:7}:sessions session:{session:user:7}:epoch a -1000 0123456789abcdef
=> session:{session:user:7}:sessions session:{session:user:7}:epoch a x 0123456789abcdef
=> session:{session:user:7}:sessions session:{session:user:7}:epoch '' 86460000 0123456789abcdef
=> session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000
",
    },
    Cases {
        script: &INDEX_RENEW,
        how: Exactly,
        after: INDEX,
        lines: "
=> session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 0123456789abcdef
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 0123456789abcdef
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 ffffffffffffffff
SET session:{session:user:7}:epoch '' PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 ffffffffffffffff
SET session:{session:user:7}:epoch x PXAT 1 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 ffffffffffffffff
ZADD session:{session:user:7}:sessions 1 a | SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 99999999 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 0123456789abcdef
ZADD session:{session:user:7}:sessions 5e13 a 4e13 b | SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 99999999 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 0123456789abcdef
ZADD session:{session:user:7}:sessions 5e13 a 4e13 b | SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 99999999 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 60000000000000 0123456789abcdef
ZADD session:{session:user:7}:sessions 1 b 2 c 5e13 d -inf e inf f | SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 99999999 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 0123456789abcdef
ZADD session:{session:user:7}:sessions 1 b 2 c | EXPIRE session:{session:user:7}:sessions 60 | SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 99999999 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 0123456789abcdef
ZADD session:{session:user:7}:sessions 5e13 b | EXPIRE session:{session:user:7}:sessions 99999 | SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 99999999 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 0123456789abcdef
ZADD session:{session:user:7}:sessions 5e13 b | PEXPIREAT session:{session:user:7}:sessions 1 | SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 99999999 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 0123456789abcdef
ZADD session:{session:user:7}:sessions inf a | SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 99999999 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 86430000 0123456789abcdef
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 99999999 => session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000 x 0123456789abcdef
=> session:{session:user:7}:sessions session:{session:user:7}:epoch a 86460000
",
    },
    Cases {
        script: &GET_OR_SET,
        how: Exactly,
        after: EPOCH,
        lines: "
=> session:{session:user:7}:epoch a:0 600000
SET session:{session:user:7}:epoch b:7 PX 1000 => session:{session:user:7}:epoch a:0 600000
SET session:{session:user:7}:epoch b:7 => session:{session:user:7}:epoch a:0 600000
SET session:{session:user:7}:epoch '' => session:{session:user:7}:epoch a:0 600000
SET session:{session:user:7}:epoch b PXAT 1 => session:{session:user:7}:epoch a:0 600000
SADD session:{session:user:7}:epoch b => session:{session:user:7}:epoch a:0 600000
=> session:{session:user:7}:epoch a:0 x
=> session:{session:user:7}:epoch a:0
",
    },
    Cases {
        script: &COUNT_INVALIDATION,
        how: Exactly,
        after: EPOCH,
        lines: "
=> session:{session:user:7}:epoch a0 600000
SET session:{session:user:7}:epoch b7:7 PX 1000 => session:{session:user:7}:epoch a0 600000
SET session:{session:user:7}:epoch b7:9007199254740990 => session:{session:user:7}:epoch a0 600000
SET session:{session:user:7}:epoch b7 => session:{session:user:7}:epoch a0 600000
SET session:{session:user:7}:epoch b7:-1 => session:{session:user:7}:epoch a0 600000
SET session:{session:user:7}:epoch '' => session:{session:user:7}:epoch a0 600000
SET session:{session:user:7}:epoch b PXAT 1 => session:{session:user:7}:epoch a0 600000
SADD session:{session:user:7}:epoch b => session:{session:user:7}:epoch a0 600000
=> session:{session:user:7}:epoch a0 x
=> session:{session:user:7}:epoch a0
",
    },
    Cases {
        script: &RECORD_COUNT,
        how: Exactly,
        after: EPOCH,
        lines: "
=> session:{session:user:7}:epoch 0123456789abcdef b7:7
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 60000 => session:{session:user:7}:epoch 0123456789abcdef b7:7
SET session:{session:user:7}:epoch '0123456789abcdef a:1 1700000000000' PX 60000 => session:{session:user:7}:epoch 0123456789abcdef b7:7
SET session:{session:user:7}:epoch '0123456789abcdee - 0' PX 60000 => session:{session:user:7}:epoch 0123456789abcdef b7:7
SET session:{session:user:7}:epoch '0123456789abcdef' => session:{session:user:7}:epoch 0123456789abcdef b7:7
SET session:{session:user:7}:epoch x PXAT 1 => session:{session:user:7}:epoch 0123456789abcdef b7:7
SADD session:{session:user:7}:epoch b => session:{session:user:7}:epoch 0123456789abcdef b7:7
=> session:{session:user:7}:epoch 0123456789abcdef
",
    },
    Cases {
        script: &STORE_TOKEN,
        how: Exactly,
        after: SESSION,
        lines: "
=> session:a session:{session:a}:load x {}T 60000 T
SET session:{session:a}:load x PX 60000 => session:a session:{session:a}:load x {}T 60000 T
SET session:{session:a}:load y PX 60000 => session:a session:{session:a}:load x {}T 60000 T
SET session:{session:a}:load x PX 60000 | SET session:a {}UT PX 60000 => session:a session:{session:a}:load x {}T 60000 T
SET session:{session:a}:load x PX 60000 | SET session:a {}S PX 60000 => session:a session:{session:a}:load x {}T 60000 T
SET session:{session:a}:load x PX 60000 | SET session:a {}S PXAT 1 => session:a session:{session:a}:load x {}T 60000 T
SET session:{session:a}:load x PXAT 1 => session:a session:{session:a}:load x {}T 60000 T
SET session:{session:a}:load x PX 60000 | HSET session:a a 1 => session:a session:{session:a}:load x {}T 60000 T
SADD session:{session:a}:load x => session:a session:{session:a}:load x {}T 60000 T
SET session:{session:a}:load x PX 60000 => session:a session:{session:a}:load x {}T x T
SET session:{session:a}:load x PX 60000 => session:a session:{session:a}:load x {}T
",
    },
    Cases {
        script: &INDEX_READ,
        how: Exactly,
        after: INDEX,
        lines: "
=> session:{session:user:7}:sessions
ZADD session:{session:user:7}:sessions 5e13 a => session:{session:user:7}:sessions
ZADD session:{session:user:7}:sessions 1 a => session:{session:user:7}:sessions
ZADD session:{session:user:7}:sessions 1 a 5e13 b 4e13 c -inf d inf e 1700000000000 f => session:{session:user:7}:sessions
ZADD session:{session:user:7}:sessions 5e13 a | PEXPIREAT session:{session:user:7}:sessions 1 => session:{session:user:7}:sessions
SET session:{session:user:7}:sessions x => session:{session:user:7}:sessions
SET session:{session:user:7}:sessions x PXAT 1 => session:{session:user:7}:sessions
ZADD session:{session:tag:vip}:sessions 5e13 '' 4e13 'a b' => session:{session:tag:vip}:sessions
ZADD session:{session:user:7}:sessions 5e13 a => session:{session:user:7}:sessions more
",
    },
    Cases {
        script: &INDEX_REMOVE,
        how: Exactly,
        after: INDEX,
        lines: "
=> session:{session:user:7}:sessions a 146460000
ZADD session:{session:user:7}:sessions 1 a => session:{session:user:7}:sessions a 146460000
ZADD session:{session:user:7}:sessions 1 a 2 b => session:{session:user:7}:sessions a 60000
ZADD session:{session:user:7}:sessions 5e13 a 5e13 b => session:{session:user:7}:sessions a 60000
ZADD session:{session:user:7}:sessions 5e13 a 5e13 b => session:{session:user:7}:sessions a 60000000000000
ZADD session:{session:user:7}:sessions 4e12 a => session:{session:user:7}:sessions a 3155760000000
ZADD session:{session:user:7}:sessions 5e13 b => session:{session:user:7}:sessions a 60000
ZADD session:{session:user:7}:sessions inf a => session:{session:user:7}:sessions a 60000
ZADD session:{session:user:7}:sessions -inf a => session:{session:user:7}:sessions a 60000
ZADD session:{session:user:7}:sessions 1 a => session:{session:user:7}:sessions a -1000
ZADD session:{session:user:7}:sessions 1 a => session:{session:user:7}:sessions a -9000000000000
ZADD session:{session:user:7}:sessions 1 a | PEXPIREAT session:{session:user:7}:sessions 1 => session:{session:user:7}:sessions a 60000
SET session:{session:user:7}:sessions x => session:{session:user:7}:sessions a 60000
SET session:{session:user:7}:sessions x PXAT 1 => session:{session:user:7}:sessions a 60000
ZADD session:{session:user:7}:sessions 1 a => session:{session:user:7}:sessions a x
ZADD session:{session:user:7}:sessions 1 a => session:{session:user:7}:sessions a ''
ZADD session:{session:user:7}:sessions 1 a => session:{session:user:7}:sessions a
ZADD session:{session:user:7}:sessions 1 a => session:{session:user:7}:sessions
",
    },
    Cases {
        script: &DROP_GROUP,
        how: Exactly,
        after: &[
            "ZRANGE session:{session:user:7}:sessions 0 -1 WITHSCORES",
            "STRLEN session:{session:user:7}:epoch",
            "TYPE session:{session:user:7}:epoch",
            "PTTL session:{session:user:7}:epoch",
        ],
        lines: "
=> session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch 0123456789abcdef 600000
ZADD session:{session:user:7}:sessions 5e13 a 4e13 b 1 c => session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch 0123456789abcdef 600000
ZADD session:{session:user:7}:tokens 5e13 a inf b -inf c 1700000000000 d => session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch 0123456789abcdef 600000
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch 0123456789abcdef 600000
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 86400000 => session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch 0123456789abcdef 600000
SET session:{session:user:7}:epoch x PXAT 1 => session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch 0123456789abcdef 600000
SET session:{session:user:7}:epoch '' => session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch 0123456789abcdef 600000
HSET session:{session:user:7}:epoch a 1 => session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch 0123456789abcdef 600000
SET session:{session:user:7}:sessions x => session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch 0123456789abcdef 600000
=> session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch 0123456789abcdef x
=> session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch 0123456789abcdef
",
    },
    // The time of a clock that was ahead is kept, so it can be compared.
    Cases {
        script: &DROP_GROUP,
        how: Exactly,
        after: EPOCH,
        lines: "
SET session:{session:user:7}:epoch '0123456789abcdef a:7 5000000000000' PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:tokens session:{session:user:7}:epoch fedcba9876543210 600000
",
    },
];
