//! What each script of the sessions may meet: nothing, what it expects, another type, what is over, and odd arguments.
//!
//! Where a script renews a life that has hardly begun, or not, lives are a day: the two runs of a line must not drift apart.
//! No index is asked whether an entry is just long enough: that answers by the millisecond.

use crate::pair::How::{Exactly, Loosely};
use crate::scripts::{Cases, script};

script!(CREATE = "session/create.lua", keys: 2, args: 4);
script!(READ = "session/read.lua", keys: 2, args: 2);
script!(CAS = "session/cas.lua", keys: 1, args: 4);
script!(DESTROY = "session/destroy.lua", keys: 2, args: 0);
script!(INDEX_ADD = "session/index_add.lua", keys: 1, args: 3);
script!(INDEX_READ = "session/index_read.lua", keys: 1, args: 0);
script!(INDEX_REMOVE = "session/index_remove.lua", keys: 1, args: 2);
script!(GONE = "session/gone.lua", keys: 2, args: 1);

const SESSION: &[&str] = &[
    "GET session:a",
    "TYPE session:a",
    "PTTL session:a",
    "GET session:{session:a}:own",
    "TYPE session:{session:a}:own",
    "PTTL session:{session:a}:own",
];

/// The times in it came from the clock; their order did not.
const INDEX: &[&str] = &[
    "ZRANGE session:{session:user:7}:sessions 0 -1",
    "PTTL session:{session:user:7}:sessions",
    "TYPE session:{session:user:7}:sessions",
];

/// Sessions, those who are listed, and the mark of a user.
pub const CASES: &[Cases] = &[
    Cases {
        script: &CREATE,
        how: Exactly,
        after: SESSION,
        lines: r#"
=> session:a session:{session:a}:own {"userId":"7","createdAt":"2026-01-02T03:04:05.678Z"} 86400000 '' ''
=> session:a session:{session:a}:own {"userId":"7"} 60000 '60000 ["vip","a b"]' 120000
=> session:a session:{session:a}:own '' 60000 '' 120000
SET session:a {"userId":"1"} PX 30000 => session:a session:{session:a}:own {"userId":"7"} 60000 '60000 []' 120000
SET session:a {} PXAT 1 => session:a session:{session:a}:own {"userId":"7"} 60000 '60000 []' 120000
SET session:a {} | PEXPIREAT session:a 1 => session:a session:{session:a}:own {"userId":"7"} 60000 '' ''
HSET session:a a 1 => session:a session:{session:a}:own {"userId":"7"} 60000 '' ''
SET session:{session:a}:own '30000 ["left"]' PX 90000 => session:a session:{session:a}:own {"userId":"7"} 60000 '' ''
SET session:{session:a}:own '30000 ["left"]' PX 90000 => session:a session:{session:a}:own {} 60000 '60000 []' 120000
SET session:{session:a}:own '30000 []' PXAT 1 => session:a session:{session:a}:own {} 60000 '' ''
RPUSH session:{session:a}:own a => session:a session:{session:a}:own {} 60000 '' ''
RPUSH session:{session:a}:own a => session:a session:{session:a}:own {} 60000 '60000 []' 120000
=> session:a session:{session:a}:own {} 0 '' ''
=> session:a session:{session:a}:own {} -1 '' ''
=> session:a session:{session:a}:own {} x '' ''
=> session:a session:{session:a}:own {} 9223372036854775807 '' ''
=> session:a session:{session:a}:own {} 60000 '60000 []' x
=> session:a session:{session:a}:own {} 60000 '60000 []' 0
=> session:a session:a {} 60000 '60000 []' 120000
=> session:a session:a {} 60000 '' ''
=> session:a session:{session:a}:own {} 60000 ''
=> session:a session:{session:a}:own {} 60000
=> session:a session:{session:a}:own {}
=> session:a session:{session:a}:own
"#,
    },
    Cases {
        script: &READ,
        how: Exactly,
        after: SESSION,
        lines: r#"
=> session:a session:{session:a}:own 86400000 60000
SET session:a {"userId":"7"} PX 86400000 => session:a session:{session:a}:own 86400000 60000
SET session:a {"userId":"7"} PX 80000000 => session:a session:{session:a}:own 86400000 60000
SET session:a {"userId":"7"} PX 90000000 => session:a session:{session:a}:own 86400000 60000
SET session:a {"userId":"7"} => session:a session:{session:a}:own 86400000 60000
SET session:a {} PX 60000 | SET session:{session:a}:own '3600000 ["vip"]' PX 90000 => session:a session:{session:a}:own 86400000 60000
SET session:a {} PX 60000 | SET session:{session:a}:own '3600000 []' => session:a session:{session:a}:own 86400000 60000
SET session:a {} PX 7200000 | SET session:{session:a}:own '3600000 []' PX 90000 => session:a session:{session:a}:own 86400000 60000
SET session:a {} PX 60000 | SET session:{session:a}:own '3600000 []' PXAT 1 => session:a session:{session:a}:own 86400000 60000
SET session:a {} PX 60000 | SET session:{session:a}:own 'x []' PX 90000 => session:a session:{session:a}:own 86400000 60000
SET session:a {} PX 60000 | SET session:{session:a}:own '' PX 90000 => session:a session:{session:a}:own 86400000 60000
SET session:a {} PX 60000 | SET session:{session:a}:own '-5 []' PX 90000 => session:a session:{session:a}:own 86400000 60000
SET session:a {} PX 60000 | SET session:{session:a}:own '0 []' PX 90000 => session:a session:{session:a}:own 86400000 60000
SET session:a {} | SET session:{session:a}:own '0 []' PX 90000 => session:a session:{session:a}:own 86400000 60000
SET session:a {} | SET session:{session:a}:own 99999999999999999999 PX 90000 => session:a session:{session:a}:own 86400000 60000
SET session:a {} | SET session:{session:a}:own '9007199254740991 []' => session:a session:{session:a}:own 86400000 60000
SET session:a {} PX 60000 | HSET session:{session:a}:own a 1 => session:a session:{session:a}:own 86400000 60000
SET session:a '' PX 60000 => session:a session:{session:a}:own 86400000 60000
SET session:a {} PXAT 1 => session:a session:{session:a}:own 86400000 60000
SET session:a {} PXAT 1 | SET session:{session:a}:own '3600000 []' PX 90000 => session:a session:{session:a}:own 86400000 60000
RPUSH session:a {} => session:a session:{session:a}:own 86400000 60000
SET session:a {} PX 60000 => session:a session:{session:a}:own x 60000
SET session:a {} PX 60000 => session:a session:{session:a}:own 86400000 x
SET session:a {} PX 60000 => session:a session:{session:a}:own 86400000.5 60000
SET session:a {} => session:a session:{session:a}:own -1 60000
SET session:a {} => session:a session:{session:a}:own -1000 60000
SET session:a {} PX 60000 => session:a session:{session:a}:own 86400000
SET session:a {} PX 60000 => session:a session:{session:a}:own
"#,
    },
    Cases {
        script: &CAS,
        how: Exactly,
        after: SESSION,
        lines: r#"
=> session:a {"n":1} {"n":2} 86400000 86390000
SET session:a {"n":1} PX 86400000 => session:a {"n":1} {"n":2} 86400000 80000000
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 86390000
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 0
SET session:a {"n":1} PX 86400000 => session:a {"n":1} {"n":1} 86400000 80000000
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":1} 86400000 0
SET session:a {"n":1} => session:a {"n":1} {"n":2} 86400000 86390000
SET session:a {"n":1} => session:a {"n":1} {"n":2} 86400000 0
SET session:a {"n":1} => session:a {"n":1} {"n":2} 86400000 -1
SET session:a {"n":9} PX 60000 => session:a {"n":1} {"n":2} 86400000 0
SET session:a {"n":9} PX 60000 => session:a {"n":1} {"n":2} 86400000 86390000
SET session:a '' PX 60000 => session:a '' {"n":2} 86400000 0
SET session:a {"n":1} PXAT 1 => session:a {"n":1} {"n":2} 86400000 0
SET session:a {"n":1} | PEXPIREAT session:a 1 => session:a {"n":1} {"n":2} 86400000 0
HSET session:a n 1 => session:a {"n":1} {"n":2} 86400000 0
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 0 0
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} x 0
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 x
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 ''
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000 0.0
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"n":2} 86400000
SET session:a {"n":1} PX 60000 => session:a {"n":1}
SET session:a {"n":1} PX 60000 => session:a
=> session:a
"#,
    },
    Cases {
        script: &DESTROY,
        how: Loosely,
        after: SESSION,
        lines: r#"
=> session:a session:{session:a}:own
SET session:a {"userId":"7"} PX 60000 => session:a session:{session:a}:own
SET session:a {"userId":"7"} => session:a session:{session:a}:own
SET session:a {} PX 60000 | SET session:{session:a}:own '60000 ["vip"]' PX 120000 => session:a session:{session:a}:own
SET session:a {} PX 60000 | SET session:{session:a}:own '60000 []' PXAT 1 => session:a session:{session:a}:own
SET session:{session:a}:own '60000 ["vip"]' PX 120000 => session:a session:{session:a}:own
SET session:a {} PXAT 1 | SET session:{session:a}:own '60000 []' PX 120000 => session:a session:{session:a}:own
SET session:a {} | PEXPIREAT session:a 1 => session:a session:{session:a}:own
SET session:a '' PX 60000 => session:a session:{session:a}:own
SADD session:a {} => session:a session:{session:a}:own
SET session:a {} PX 60000 | SADD session:{session:a}:own {} => session:a session:{session:a}:own
SET session:a {} PX 60000 => session:a session:a
SET session:a {} PX 60000 => session:a session:{session:a}:own more
"#,
    },
    Cases {
        script: &INDEX_ADD,
        how: Exactly,
        after: INDEX,
        lines: "
=> session:{session:user:7}:sessions a 86460000 ''
=> session:{session:user:7}:sessions a 86460000 86430000
=> session:{session:user:7}:sessions ünï 86460001 ''
ZADD session:{session:user:7}:sessions 1 a => session:{session:user:7}:sessions a 86460000 86430000
ZADD session:{session:user:7}:sessions 1 a => session:{session:user:7}:sessions a 86460000 ''
ZADD session:{session:user:7}:sessions 5e13 a => session:{session:user:7}:sessions a 86460000 86430000
ZADD session:{session:user:7}:sessions 5e13 a 4e13 b => session:{session:user:7}:sessions a 86460000 86430000
ZADD session:{session:user:7}:sessions 5e13 a 4e13 b => session:{session:user:7}:sessions a 86460000 60000000000000
ZADD session:{session:user:7}:sessions 5e13 a 4e13 b => session:{session:user:7}:sessions a 86460000 ''
ZADD session:{session:user:7}:sessions 1 b 2 c 5e13 d -inf e inf f => session:{session:user:7}:sessions a 86460000 86430000
ZADD session:{session:user:7}:sessions 1 b 2 c | EXPIRE session:{session:user:7}:sessions 60 => session:{session:user:7}:sessions a 86460000 ''
ZADD session:{session:user:7}:sessions 5e13 b | EXPIRE session:{session:user:7}:sessions 60 => session:{session:user:7}:sessions a 86460000 ''
ZADD session:{session:user:7}:sessions 5e13 b | EXPIRE session:{session:user:7}:sessions 99999 => session:{session:user:7}:sessions a 86460000 ''
ZADD session:{session:user:7}:sessions 5e13 b | EXPIRE session:{session:user:7}:sessions 60 => session:{session:user:7}:sessions b 86460000 0
ZADD session:{session:user:7}:sessions 5e13 b | PEXPIREAT session:{session:user:7}:sessions 1 => session:{session:user:7}:sessions a 86460000 ''
ZADD session:{session:user:7}:sessions inf a => session:{session:user:7}:sessions a 86460000 86430000
ZADD session:{session:user:7}:sessions inf a 5e13 b => session:{session:user:7}:sessions a 86460000 ''
ZADD session:{session:user:7}:sessions -inf a => session:{session:user:7}:sessions a 86460000 86430000
SET session:{session:user:7}:sessions x => session:{session:user:7}:sessions a 86460000 ''
SET session:{session:user:7}:sessions x => session:{session:user:7}:sessions a 86460000 86430000
SET session:{session:user:7}:sessions x PXAT 1 => session:{session:user:7}:sessions a 86460000 86430000
=> session:{session:user:7}:sessions a 3155760000000 ''
=> session:{session:user:7}:sessions a 3155760000000000 ''
=> session:{session:user:7}:sessions a 9007199254740991 ''
=> session:{session:user:7}:sessions a 9223372036854775807 ''
=> session:{session:user:7}:sessions a 86460000.5 ''
=> session:{session:user:7}:sessions a 0 ''
=> session:{session:user:7}:sessions a -1000 ''
=> session:{session:user:7}:sessions a x ''
=> session:{session:user:7}:sessions a 86460000 x
=> session:{session:user:7}:sessions '' 86460000 ''
ZADD session:{session:user:7}:sessions 1 b => session:{session:user:7}:sessions a 86460000 -99999999999999
=> session:{session:user:7}:sessions a 86460000
=> session:{session:user:7}:sessions a
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
        script: &GONE,
        how: Exactly,
        after: &[
            "ZRANGE session:{session:user:7}:sessions 0 -1 WITHSCORES",
            "STRLEN session:{session:user:7}:gone",
            "TYPE session:{session:user:7}:gone",
            "PTTL session:{session:user:7}:gone",
        ],
        lines: "
=> session:{session:user:7}:sessions session:{session:user:7}:gone 600000
ZADD session:{session:user:7}:sessions 5e13 a 4e13 b 1 c => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
ZADD session:{session:user:7}:sessions 5e13 a inf b -inf c 1700000000000 d => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
SET session:{session:user:7}:gone 1 PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
SET session:{session:user:7}:gone 1.5 => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
SET session:{session:user:7}:gone 9007199254740991 PXAT 1 => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
SET session:{session:user:7}:gone x => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
SET session:{session:user:7}:gone '' => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
HSET session:{session:user:7}:gone a 1 => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
SET session:{session:user:7}:sessions x => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
ZADD session:{session:user:7}:sessions 5e13 a | PEXPIREAT session:{session:user:7}:sessions 1 => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
=> session:{session:user:7}:sessions session:{session:user:7}:gone 0
=> session:{session:user:7}:sessions session:{session:user:7}:gone x
=> session:{session:user:7}:sessions session:{session:user:7}:gone
",
    },
    // A mark of a clock that was ahead stays, so it may be shown.
    Cases {
        script: &GONE,
        how: Exactly,
        after: &["GET session:{session:user:7}:gone", "PTTL session:{session:user:7}:gone"],
        lines: "
SET session:{session:user:7}:gone 9007199254740991 => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
SET session:{session:user:7}:gone 99999999999999999999 PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
SET session:{session:user:7}:gone 1e17 PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
SET session:{session:user:7}:gone inf PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:gone 600000
",
    },
];
