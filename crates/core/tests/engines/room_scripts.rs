//! The inputs of the scripts of rooms.

use crate::pair::How::{Exactly, Loosely};
use crate::scripts::{Cases, script};

script!(ADD_USER = "room/add_user.lua", keys: 1, args: 4);
script!(REMOVE_USER = "room/remove_user.lua", keys: 1, args: 2);
script!(STORE_MESSAGE = "room/store_message.lua", keys: 1, args: 3);
script!(JOIN = "room/join.lua", keys: 4, args: 5);
script!(LEAVE = "room/leave.lua", keys: 3, args: 3);
script!(RENEW_ROOM = "room/renew_room.lua", keys: 3, args: 1);
script!(SWEEP = "room/sweep.lua", keys: 4, args: 3);
script!(RENEW_LEASE = "room/renew_lease.lua", keys: 2, args: 8, with: ["clock.lua"]);
script!(REGISTER_PROCESS = "room/register_process.lua", keys: 2, args: 3);
script!(ORPHANED_ROOMS = "room/orphaned_rooms.lua", keys: 2, args: 2, with: ["clock.lua"]);
script!(SEND = "room/send.lua", keys: 2, args: 6);
script!(HISTORY = "room/history.lua", keys: 2, args: 2);

/// Rooms: `u` users, `r` the number of members of each, `n` the memberships of a process, `g` its tombstone, `m` messages, `q` numbers.
pub const CASES: &[Cases] = &[
    Cases {
        script: &ADD_USER,
        how: Exactly,
        after: &["HGETALL room:x:users", "PTTL room:x:users", "TYPE room:x:users"],
        lines: r#"
=> room:x:users u1 {"name":"Ada","joinedAt":"2026-01-02T03:04:05.678Z"} 86400000 c
HSET room:x:users u1 {} => room:x:users u1 {"name":"Ada"} 86400000 c
HSET room:x:users u2 {} | PEXPIRE room:x:users 60000 => room:x:users u1 {"name":"Ädä"} 86400000 c
HSET room:x:users u1 {} | PEXPIREAT room:x:users 1 => room:x:users u2 {} 86400000 c
SET room:x:users x PXAT 1 => room:x:users u1 {} 86400000 c
SET room:x:users x => room:x:users u1 {} 86400000 c
RPUSH room:x:users u1 => room:x:users u1 {} 86400000 c
=> room:x:users '' '' 86400000 ''
=> room:x:users u1 {} 0 c
=> room:x:users u1 {} x c
HSET room:x:users u2 {} => room:x:users u1 {} -1 c
=> room:x:users u1 {} 86400000
=> room:x:users u1 {}
=> room:x:users u1
"#,
    },
    Cases {
        script: &REMOVE_USER,
        how: Exactly,
        after: &["HGETALL room:x:users", "PTTL room:x:users", "TYPE room:x:users"],
        lines: r#"
=> room:x:users u1 c
HSET room:x:users u1 {} => room:x:users u1 c
HSET room:x:users u1 {} u2 {} | PEXPIRE room:x:users 60000 => room:x:users u1 c
HSET room:x:users u1 {} u2 {} => room:x:users u3 c
HSET room:x:users u1 {} | PEXPIREAT room:x:users 1 => room:x:users u1 c
SET room:x:users x => room:x:users u1 c
RPUSH room:x:users u1 => room:x:users u1 c
HSET room:x:users u1 {} => room:x:users u1
=> room:x:users u1
=> room:x:users
"#,
    },
    Cases {
        script: &STORE_MESSAGE,
        how: Exactly,
        after: &["LRANGE room:x:messages 0 -1", "PTTL room:x:messages", "TYPE room:x:messages"],
        lines: r#"
=> room:x:messages {"text":"hi","timestamp":"2026-01-02T03:04:05.678Z"} 100 86400000
RPUSH room:x:messages a b | PEXPIRE room:x:messages 60000 => room:x:messages {"text":"hi"} 100 86400000
RPUSH room:x:messages a b c => room:x:messages m 3 86400000
RPUSH room:x:messages a b c d e => room:x:messages m 3 86400000
RPUSH room:x:messages a b c => room:x:messages m 1 86400000
RPUSH room:x:messages a b c | PEXPIREAT room:x:messages 1 => room:x:messages m 100 86400000
SET room:x:messages x PXAT 1 => room:x:messages m 100 86400000
SET room:x:messages x => room:x:messages m 100 86400000
ZADD room:x:messages 1 x => room:x:messages m 100 86400000
RPUSH room:x:messages a b c => room:x:messages m 0 86400000
RPUSH room:x:messages a b c => room:x:messages m -1 86400000
RPUSH room:x:messages a b c => room:x:messages m 1.5 86400000
RPUSH room:x:messages a b c => room:x:messages m x 86400000
RPUSH room:x:messages a b c => room:x:messages m 2 x
RPUSH room:x:messages a b c => room:x:messages m 2 0
=> room:x:messages '' 100 86400000
=> room:x:messages m 100
=> room:x:messages m
"#,
    },
    Cases {
        script: &JOIN,
        how: Exactly,
        after: &["HGETALL u", "HGETALL r", "SMEMBERS n", "PTTL u", "PTTL r", "PTTL n", "TTL g", "HGETALL fresh:u"],
        lines: r#"
=> u r n g ann 1 {"a":1} 86400000 c
SADD n "1\0ann" | HSET r ann 1 | HSET u ann {} => u r n g ann 1 {"a":1} 86400000 c
SADD n "2\0ann" | HSET r ann 1 | HSET u ann {} => u r n g ann 1 {"a":1} 86400000 c
SADD n "2\0ann" | HSET r ann 1 => u r n g ann 1 {"a":1} 86400000 c
HSET u ann {} | PEXPIRE u 60000 => u r n g ann 1 {"a":1} 86400000 c
SADD n "1\0ann" | HSET r ann 1 => u r n g ann 1 {"a":1} 86400000 c
SET g 1 => u r n g ann 1 {"a":1} 86400000 c
SET g 1 PXAT 1 => u r n g ann 1 {"a":1} 86400000 c
SET u x => u r n g ann 1 {"a":1} 86400000 c
SET r x => u r n g ann 1 {"a":1} 86400000 c
HSET r ann x => u r n g ann 1 {"a":1} 86400000 c
SET n x => u r n g ann 1 {"a":1} 86400000 c
=> u r n g ann 1 {"a":1} x c
=> u r n g ann 1 {"a":1} 0 c
=> u r n g '' '' '' 86400000 ''
=> u r n g ann 1 {"a":1} 86400000
=> u r n g ann 1
=> u r n g
"#,
    },
    Cases {
        script: &LEAVE,
        how: Exactly,
        after: &["HGETALL u", "HGETALL r", "SMEMBERS n"],
        lines: r#"
=> u r n ann 1 c
SADD n "1\0ann" | HSET r ann 1 | HSET u ann {} => u r n ann 1 c
SADD n "1\0ann" "2\0ann" | HSET r ann 2 | HSET u ann {} => u r n ann 1 c
SADD n "1\0ann" "2\0bob" | HSET r ann 1 bob 1 | HSET u ann {} bob {} => u r n ann 1 c
SADD n "1\0ann" | HSET r ann 1 => u r n ann 1 c
SADD n "1\0ann" | HSET u ann {} => u r n ann 1 c
SADD n "1\0ann" | HSET r ann -5 | HSET u ann {} => u r n ann 1 c
SADD n "1\0ann" | HSET r ann 1 | HSET u ann {} => u r n ann 2 c
SADD n "1\0ann" | HSET r ann 1 | SET u x => u r n ann 1 c
SADD n "1\0ann" | SET r x => u r n ann 1 c
SADD n "1\0ann" | HSET r ann x => u r n ann 1 c
SET n x => u r n ann 1 c
SADD n "1\0ann" | HSET r ann 1 | HSET u ann {} => u r n ann 1
=> u r n ann
=> u r n
"#,
    },
    Cases {
        script: &RENEW_ROOM,
        how: Exactly,
        after: &["PTTL u", "PTTL r", "PTTL n", "TYPE u"],
        lines: r#"
=> u r n 86400000
HSET u ann {} | HSET r ann 1 | SADD n "1\0ann" => u r n 86400000
HSET u ann {} | HSET r ann 1 | SADD n "1\0ann" "2\0ann" | PEXPIRE n 60000 => u r n 86400000
SET u x => u r n 86400000
SET n x => u r n 86400000
SADD n a => u r n 0
SADD n a => u r n x
=> u r n
"#,
    },
    Cases {
        script: &SWEEP,
        how: Exactly,
        after: &["HGETALL u", "HGETALL r", "SMEMBERS n", "PTTL g"],
        lines: r#"
=> u r n g 500 600000 c
SADD n "1\0ann" | HSET r ann 1 | HSET u ann {} => u r n g 500 600000 c
SADD n "1\0ann" "2\0ann" "3\0bob" | HSET r ann 3 bob 1 | HSET u ann {} bob {} => u r n g 500 600000 c
SADD n "1\0ann" "2\0ann" | HSET r ann 2 | HSET u ann {} => u r n g 2 600000 c
SADD n "1\0ann" | HSET r ann 1 => u r n g 500 600000 c
SADD n "1\0ann" | HSET u ann {} => u r n g 500 600000 c
SADD n "1\0ann" | HSET r ann 1 | HSET u ann {} | SET g 1 => u r n g 500 600000 c
SADD n "1\0ann" | HSET r ann 1 | SET u x => u r n g 500 600000 c
SADD n "1\0ann" | HSET r ann x | HSET u ann {} => u r n g 500 600000 c
SADD n "1\0ann" | SADD g x => u r n g 500 600000 c
SADD n noseat => u r n g 500 600000 c
SET n x => u r n g 500 600000 c
SADD n "1\0ann" => u r n g 0 600000 c
SADD n "1\0ann" => u r n g x 600000 c
SADD n "1\0ann" => u r n g 500 x c
SADD n "1\0ann" => u r n g 500 600000
=> u r n g
"#,
    },
    Cases {
        script: &RENEW_LEASE,
        how: Loosely,
        after: &["ZRANGE l 0 -1", "PTTL l", "PTTL o"],
        lines: r#"
=> l o a 10000 1 172800000 16 1 '' 100
=> l o a 10000 0 172800000 16 1 '' 100
=> l o '' 0 0 172800000 16 1 '' 100
ZADD l 9e15 a | SADD o x => l o a 10000 0 172800000 16 1 '' 100
ZADD l 9e15 a 5 b 6 c 0 d => l o a 10000 0 172800000 16 1 '' 100
ZADD l 9e15 a 5 b 6 c 0 d => l o a 10000 0 172800000 2 1 '' 100
ZADD l 5 b 6 c 9e15 d => l o '' 0 0 172800000 16 1 '' 100
ZADD l 5 b 6 c 0 d => l o '' 0 0 172800000 16 0 '' 100
ZADD l 5 b 0 d => l o '' 0 0 172800000 16 1 5 100
ZADD l 5 b 0 d => l o b 1000 0 172800000 16 1 9e15 100
ZADD l 0 b => l o b 1000 0 172800000 16 1 '' 100
ZADD l 5 a 6 c => l o a 10000 0 172800000 16 1 '' 100
ZADD l 5 a 6 c => l o a 10000 1 172800000 16 1 '' 100
ZADD l 5 a 6 c => l o a 0 1 172800000 0 1 '' 100
SET l x => l o a 10000 1 172800000 16 1 '' 100
SET o x => l o a 10000 1 172800000 16 1 '' 100
=> l o a x 1 172800000 16
=> l o a 10000 1 x 16
=> l o a 10000 1 172800000 x
=> l o a 10000 1 172800000
=> l o
"#,
    },
    Cases {
        script: &REGISTER_PROCESS,
        how: Exactly,
        after: &["ZRANGE l 0 -1", "SMEMBERS o", "PTTL o", "PTTL l"],
        lines: r#"
=> l o a room:x:users 172800000
ZADD l 9e15 a => l o a room:x:users 172800000
ZADD l 9e15 a | SADD o room:y:users => l o a room:x:users 172800000
ZADD l 5 a => l o a room:x:users 172800000
ZADD l 0 a => l o a room:x:users 172800000
ZADD l 9e15 b => l o a room:x:users 172800000
SET l x => l o a room:x:users 172800000
ZADD l 9e15 a | SET o x => l o a room:x:users 172800000
ZADD l 9e15 a => l o a room:x:users x
ZADD l 9e15 a => l o a room:x:users
ZADD l 9e15 a => l o a
=> l o
"#,
    },
    Cases {
        script: &ORPHANED_ROOMS,
        how: Exactly,
        after: &["ZRANGE l 0 -1 WITHSCORES", "SMEMBERS o"],
        lines: r#"
=> l o a 16
ZADD l 5 a => l o a 16
ZADD l 5 a | SADD o room:x:users => l o a 16
ZADD l 0 a | SADD o room:x:users => l o a 16
ZADD l 9e15 a | SADD o room:x:users => l o a 16
ZADD l 5 b | SADD o room:x:users => l o a 16
ZADD l 5 a b 6 => l o a 16
ZADD l 5 a | SADD o room:x:users => l o a 0
ZADD l 5 a | SADD o room:x:users => l o a x
ZADD l 5 a | SET o x => l o a 16
SET l x => l o a 16
ZADD l 5 a => l o a
=> l o
"#,
    },
    Cases {
        script: &SEND,
        how: Exactly,
        after: &["LRANGE m 0 -1", "HGETALL q", "PTTL m", "PTTL q", "LRANGE fresh:m 0 -1"],
        lines: r#"
=> m q {"timestamp":"t","seq": 100 86400000 691200000 c 8000000000000000
HSET q seq 1795000000000000 first 1795000000000000 => m q {"timestamp":"t","seq": 100 86400000 691200000 c 8000000000000000
HSET q seq 8000000000000000 first 5 => m q {"timestamp":"t","seq": 100 86400000 691200000 c 8000000000000000
HSET q seq 8000000000000007 first 5 | RPUSH m a b c => m q {"timestamp":"ü","seq": 3 86400000 691200000 c 8000000000000000
HSET q seq 8000000000000007 | RPUSH m a b c | PEXPIRE m 60000 => m q {"seq": 100 86400000 691200000 c 8000000000000000
HSET q seq x => m q {"seq": 100 86400000 691200000 c 8000000000000000
HSET q seq '' => m q {"seq": 100 86400000 691200000 c 8000000000000000
SET q x => m q {"seq": 100 86400000 691200000 c 8000000000000000
SET m x => m q {"seq": 100 86400000 691200000 c 8000000000000000
=> m q {"seq": x 86400000 691200000 c 8000000000000000
=> m q {"seq": 100 x 691200000 c 8000000000000000
=> m q {"seq": 100 86400000 x c 8000000000000000
=> m q {"seq": 100 86400000 691200000 c x
=> m q {"seq": 100 86400000 691200000 c
=> m q
"#,
    },
    Cases {
        script: &HISTORY,
        how: Exactly,
        after: &["LLEN m", "HGETALL q"],
        lines: r#"
=> m q 0 1000
HSET q seq 8000000000000003 first 8000000000000001 => m q 0 1000
HSET q seq 8000000000000002 first 8000000000000001 | LPUSH m {"seq":8000000000000001} {"seq":8000000000000002} => m q 0 1000
HSET q seq 8000000000000002 first 8000000000000001 | LPUSH m {"seq":8000000000000001} {"seq":8000000000000002} => m q 8000000000000001 1000
HSET q seq 8000000000000002 first 8000000000000001 | LPUSH m {"seq":8000000000000001} {"seq":8000000000000002} => m q 8000000000000002 1000
HSET q seq 8000000000000002 first 8000000000000001 | LPUSH m {"seq":8000000000000001} {"seq":8000000000000002} => m q 0 30
HSET q seq 8000000000000002 first 8000000000000001 | LPUSH m {"seq":8000000000000001} {"seq":8000000000000002} => m q 0 1
HSET q seq 8000000000000002 | LPUSH m {"a":1} {"seq":8000000000000001} {} {"seq":8000000000000002} x => m q 0 1000
HSET q seq 8000000000000014 | LPUSH m {"seq":8000000000000001} {"seq":8000000000000002} {"seq":8000000000000003} {"seq":8000000000000004} {"seq":8000000000000005} {"seq":8000000000000006} {"seq":8000000000000007} {"seq":8000000000000008} {"seq":8000000000000009} {"seq":8000000000000010} {"seq":8000000000000011} {"seq":8000000000000012} => m q 8000000000000003 10000
HSET q seq 8000000000000003 | LPUSH m {"seq":8000000000000001} {"seq":8000000000000002} {"seq":8000000000000003} => m q 8000000000000000 30
HSET q seq 8000000000000003 | LPUSH m {"seq":8000000000000001} {"seq":8000000000000002} {"seq":8000000000000003} => m q 8000000000000001 30
HSET q seq x => m q 0 1000
SET q x => m q 0 1000
HSET q seq 8000000000000002 | SET m x => m q 0 1000
HSET q seq 8000000000000002 => m q x 1000
HSET q seq 8000000000000002 | RPUSH m a => m q 0 x
HSET q seq 8000000000000002 | LPUSH m {"seq":8000000000000001} => m q 0
=> m q
"#,
    },
];
