//! The scripts of sessions with tokens, with an absolute ttl and with a limit per user.

use crate::{
    pair::How::{Exactly, Loosely},
    scripts::{Cases, script},
    session_scripts::{INDEX, SESSION},
};

script!(ROTATE = "session/rotate.lua", keys: 1, args: 3);
script!(PUT = "session/put.lua", keys: 1, args: 6, with: ["clock.lua"]);
script!(EXPIRE = "session/expire.lua", keys: 1, args: 2, with: ["clock.lua"]);
script!(ADMIT = "session/admit.lua", keys: 4, args: 8, with: ["clock.lua", "session/index_entries.lua"]);
script!(FOLLOW = "session/index_follow.lua", keys: 3, args: 4, with: ["clock.lua", "session/index_entries.lua"]);
script!(LEAVE = "session/index_leave.lua", keys: 1, args: 2);
script!(CONFIRM = "session/confirm.lua", keys: 2, args: 2);
script!(CONNECTION_DROP = "session/connection_drop.lua", keys: 1, args: 1);
script!(CONNECTION_ADD = "session/connection_add.lua", keys: 1, args: 2, with: ["clock.lua", "session/index_entries.lua"]);

/// Sessions, the index and what goes with it.
pub const CASES: &[Cases] = &[
    Cases {
        script: &ROTATE,
        how: Exactly,
        after: SESSION,
        lines: r#"
=> session:a {"n":1} {"salt":"s"} 10000
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"salt":"s"} 10000
SET session:a {"n":2} PX 60000 => session:a {"n":1} {"salt":"s"} 10000
SET session:a {"n":1} => session:a {"n":1} {"salt":"s"} 10000
SET session:a {"n":1} PXAT 1 => session:a {"n":1} {"salt":"s"} 10000
HSET session:a n 1 => session:a {"n":1} {"salt":"s"} 10000
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"salt":"s"} 0
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"salt":"s"} x
SET session:a {"n":1} PX 60000 => session:a {"n":1} {"salt":"s"}
"#,
    },
    Cases {
        script: &PUT,
        how: Loosely,
        // The value has a time of the clock, where there was none.
        after: &["PTTL session:a", "TYPE session:a", "STRLEN session:a"],
        lines: r#"
=> session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 '' 50000000000000 '' ''
=> session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 3600000 '' '' ''
=> session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 30000 '' '' ''
=> session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 '' 1 '' ''
=> session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 3600000 '' NX ''
SET session:a {"n":2}SSSS PX 90000 => session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 3600000 '' NX ''
SET session:a {"n":2}SSSS PX 90000 => session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 3600000 '' NX SSSS
SET session:a {"n":2}SSSS PX 90000 => session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 3600000 '' NX XXXX
SET session:a {"n":2}SSSS PX 90000 => session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 3600000 '' '' ''
HSET session:a n 1 => session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 3600000 '' NX ''
HSET session:a n 1 => session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 3600000 '' '' ''
=> session:a short 60000 3600000 '' '' ''
=> session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS x 3600000 '' '' ''
=> session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 x '' '' ''
=> session:a {"n":1}aaaabbbbccccddddeeeeffffgggghhhhSSSS 60000 '' '' '' ''
"#,
    },
    Cases {
        script: &EXPIRE,
        how: Exactly,
        after: SESSION,
        lines: r#"
=> session:a 60000 50000000000000
SET session:a {} PX 90000 => session:a 60000 50000000000000
SET session:a {} => session:a 60000 50000000000000
SET session:a {} PX 90000 => session:a 60000 1
SET session:a {} PX 90000 => session:a x 50000000000000
SET session:a {} PX 90000 => session:a 60000 x
HSET session:a n 1 => session:a 60000 50000000000000
"#,
    },
    Cases {
        script: &ADMIT,
        how: Exactly,
        after: INDEX,
        lines: r#"
=> session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 2 10000 '' '' ''
=> session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 0 10000 '' '' ''
ZADD session:{session:user:7}:sessions 5e13 b => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 2 10000 '' '' ''
ZADD session:{session:user:7}:sessions 5e13 b => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 2 10000 0:b '' ''
ZADD session:{session:user:7}:sessions 5e13 b => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 1 10000 0:b '' ''
ZADD session:{session:user:7}:sessions 5e13 b => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 1 10000 '' b ''
ZADD session:{session:user:7}:sessions 5e13 b | ZADD session:{session:user:7}:arrivals 5e13 b => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 1 10000 '' b ''
ZADD session:{session:user:7}:sessions 5e13 b | ZADD session:{session:user:7}:arrivals 1 b => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 1 10000 '' b ''
ZADD session:{session:user:7}:sessions 5e13 b | ZADD session:{session:user:7}:arrivals 5e13 b => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 1 10000 '' '' b
ZADD session:{session:user:7}:sessions 5e13 b | ZADD session:{session:user:7}:arrivals 5e13 b => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 2 10000 '' b ''
ZADD session:{session:user:7}:sessions 1 b => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 1 10000 '' '' ''
SET session:{session:user:7}:epoch 'ffffffffffffffff - 0' PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 2 10000 '' '' ''
SET session:{session:user:7}:sessions x => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 2 10000 '' '' ''
SET session:{session:user:7}:arrivals x => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 2 10000 '' '' ''
=> session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a x 0123456789abcdef 2 10000 '' '' ''
=> session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef x 10000 '' '' ''
ZADD session:{session:user:7}:sessions 5e13 b 5e13 c => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:arrivals session:{session:user:7}:departures a 86460000 0123456789abcdef 2 10000 0:b '' ''
"#,
    },
    Cases {
        script: &FOLLOW,
        how: Exactly,
        after: INDEX,
        lines: r#"
=> session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:departures n o 86460000 0123456789abcdef
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:departures n o 86460000 0123456789abcdef
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 60000 | ZADD session:{session:user:7}:sessions 5e13 o => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:departures n o 86460000 0123456789abcdef
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 60000 | ZADD session:{session:user:7}:departures 5e13 o => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:departures n o 86460000 0123456789abcdef
SET session:{session:user:7}:epoch 'ffffffffffffffff - 0' PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:departures n o 86460000 0123456789abcdef
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 60000 | SET session:{session:user:7}:departures x => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:departures n o 86460000 0123456789abcdef
SET session:{session:user:7}:epoch '0123456789abcdef - 0' PX 60000 => session:{session:user:7}:sessions session:{session:user:7}:epoch session:{session:user:7}:departures n o x 0123456789abcdef
"#,
    },
    Cases {
        script: &LEAVE,
        how: Exactly,
        after: INDEX,
        lines: r#"
=> session:{session:user:7}:sessions n o
ZADD session:{session:user:7}:sessions 5e13 o => session:{session:user:7}:sessions n o
ZADD session:{session:user:7}:sessions 5e13 o 5e13 n => session:{session:user:7}:sessions n o
ZADD session:{session:user:7}:sessions 5e13 b => session:{session:user:7}:sessions n o
SET session:{session:user:7}:sessions x => session:{session:user:7}:sessions n o
"#,
    },
    Cases {
        script: &CONNECTION_DROP,
        how: Exactly,
        after: &["GET websocket:c"],
        lines: r#"
=> websocket:c {"n":1}
SET websocket:c {"n":1} PX 60000 => websocket:c {"n":1}
SET websocket:c {"n":2} PX 60000 => websocket:c {"n":1}
HSET websocket:c n 1 => websocket:c {"n":1}
SET websocket:c {"n":1} => websocket:c
"#,
    },
    Cases {
        script: &CONNECTION_ADD,
        how: Loosely,
        after: &[
            "ZRANGE websocket:{websocket:user:7}:connections 0 -1",
            "EXISTS websocket:{websocket:user:7}:connections",
        ],
        lines: r#"
=> websocket:{websocket:user:7}:connections c 120000
ZADD websocket:{websocket:user:7}:connections 5e13 c 1 old => websocket:{websocket:user:7}:connections c 120000
ZADD websocket:{websocket:user:7}:connections 5e13 d => websocket:{websocket:user:7}:connections c 120000
SET websocket:{websocket:user:7}:connections x => websocket:{websocket:user:7}:connections c 120000
=> websocket:{websocket:user:7}:connections c x
=> websocket:{websocket:user:7}:connections c
"#,
    },
    Cases {
        script: &CONFIRM,
        how: Exactly,
        after: INDEX,
        lines: r#"
=> session:{session:user:7}:sessions session:{session:user:7}:departures a ''
ZADD session:{session:user:7}:sessions 5e13 a => session:{session:user:7}:sessions session:{session:user:7}:departures a ''
ZADD session:{session:user:7}:sessions 5e13 b => session:{session:user:7}:sessions session:{session:user:7}:departures a ''
ZADD session:{session:user:7}:departures 5e13 b => session:{session:user:7}:sessions session:{session:user:7}:departures a b
SET session:{session:user:7}:sessions x => session:{session:user:7}:sessions session:{session:user:7}:departures a ''
"#,
    },
];
