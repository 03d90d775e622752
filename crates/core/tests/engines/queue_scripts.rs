//! The cases of each script of a queue. A queue's name is short here: its keys begin with `{q}:`.

use cinnabar_core::features::queue::scripts::{
    ADD, COUNTS, FINISH, GET, LIST, PAUSE, PEEK, RECOVER, REDRIVE, REMOVE, REMOVE_WAITER, RENEW, REPORT, RETRY, SWEEP,
    TAKE,
};

use crate::pair::How::{Exactly, Loosely};
use crate::scripts::Cases;

/// Everything but times.
const AFTER: &[&str] = &[
    "ZRANGE {q}:ready 0 -1 WITHSCORES",
    "ZRANGE {q}:parked 0 -1 WITHSCORES",
    "ZRANGE {q}:parked:g 0 -1 WITHSCORES",
    "ZRANGE {q}:suspects 0 -1 WITHSCORES",
    "ZRANGE {q}:delayed 0 -1",
    "ZRANGE {q}:leased 0 -1",
    "HKEYS {q}:leases",
    "HGETALL {q}:waited",
    "HGETALL {q}:end:a",
    "ZRANGE {q}:done 0 -1",
    "ZRANGE {q}:dead 0 -1",
    "ZRANGE {q}:resume 0 -1",
    "HMGET {q}:meta seq paused done dead",
    "SMEMBERS {q}:active:g",
    "LLEN {q}:starts",
    "LLEN {q}:starts:g",
    "PTTL {q}:starts:g",
    "HMGET {q}:job:a n d o a x P r e l",
    "HMGET {q}:job:b n d o a x P r e l",
    "HMGET {q}:job:c n d o a x P r e l",
    "LRANGE {q}:log:a 0 -1",
    "GET {q}:dedup:k",
    "PTTL {q}:dedup:k",
    "ZCARD fresh:{q}:ready",
];

/// All scripts of queues.
pub const CASES: &[Cases] = &[
    Cases {
        script: &ADD,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: a name {} '' '' '' ''
=> {q}: {q}:meta {q}: a name {} '' '' 1 ''
=> {q}: {q}:meta {q}: a 'ein Näme' '' '' 0 1 ''
=> {q}: {q}:meta {q}: a name {} '-3\ng\nk\n\n\n7;e;1;2;0.5;9' '' '' ''
=> {q}: {q}:meta {q}: a name {} '500\n\nk\n60000\nn\n' '' 1 ''
=> {q}: {q}:meta {q}: a name {} '0\n\nk\n\n\n' 60000 1 ''
=> {q}: {q}:meta {q}: a name {} '' 315576000000 '' ''
=> {q}: {q}:meta {q}: a name {} '' 999 '' ''
HSET {q}:job:a n old d {} t 1 => {q}: {q}:meta {q}: a name {} '' '' '' ''
HSET {q}:job:a n old d {} t 1 => {q}: {q}:meta {q}: a name {} '' '' 1 ''
HSET {q}:meta seq 41 | ZADD {q}:ready 5 b => {q}: {q}:meta {q}: a name {} '' '' '' ''
HSET {q}:meta seq x => {q}: {q}:meta {q}: a name {} '' '' '' ''
HSET {q}:meta seq 8796093022207 => {q}: {q}:meta {q}: a name {} '500\n\n\n\n\n' '' '' ''
SET {q}:dedup:k b | HSET {q}:job:b n b => {q}: {q}:meta {q}: a name {} '0\n\nk\n\n\n' '' 1 ''
SET {q}:dedup:k b | HSET {q}:job:b n b => {q}: {q}:meta {q}: a name {} '0\n\nk\n\n\n' '' 1 b
SET {q}:dedup:k b | HSET {q}:job:b n b => {q}: {q}:meta {q}: a name {} '0\n\nk\n\n\n' '' 1 c
SET {q}:dedup:k b => {q}: {q}:meta {q}: a name {} '0\n\nk\n\n\n' '' 1 ''
SET {q}:dedup:k b => {q}: {q}:meta {q}: a name {} '0\n\nk\n\n\n' '' 1 b
SET {q}:dedup:k b PX 60000 => {q}: {q}:meta {q}: a name {} '0\n\nk\n60000\n\n' '' 1 ''
SET {q}:dedup:k b PX 60000 => {q}: {q}:meta {q}: a name {} '0\n\nk\n60000\n\n' '' 1 b
SET {q}:dedup:k a => {q}: {q}:meta {q}: a name {} '0\n\nk\n\n\n' '' '' ''
SET {q}:dedup:k a | HSET {q}:job:a n a => {q}: {q}:meta {q}: a name {} '0\n\nk\n\n\n' '' 1 ''
SADD {q}:dedup:k a => {q}: {q}:meta {q}: a name {} '0\n\nk\n\n\n' '' '' ''
SET {q}:ready x => {q}: {q}:meta {q}: a name {} '' '' '' ''
SET {q}:delayed x => {q}: {q}:meta {q}: a name {} '' '' '' ''
SET {q}:delayed x => {q}: {q}:meta {q}: a name {} '' 5 '' ''
SET {q}:meta x => {q}: {q}:meta {q}: a name {} '' '' '' ''
SET {q}:job:a x => {q}: {q}:meta {q}: a name {} '' '' '' ''
SET {q}:job:a x => {q}: {q}:meta {q}: a name {} '' '' 1 ''
=> {q}: {q}:meta {q}: a name {} 'no options' '' '' ''
=> {q}: {q}:meta {q}: a name {} '' x '' ''
=> {q}: {q}:meta {q}: a name {} '0\n\nk\nx\n\n' '' '' ''
=> {q}: {q}:meta {q}: a name {} '' ''
=> {q}: {q}:meta {q}: a
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &TAKE,
        how: Loosely,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 5 a 6 b | HSET {q}:job:a n a d {} t 7 | HSET {q}:job:b n b d '' t 7 a 2 x 1 o '-3\n\n\n\n\n' => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 5 a 6 b | HSET {q}:job:a n a d {} t 7 | HSET {q}:job:b n b => {q}: {q}:meta {q}: 1 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 5 a 6 b 7 c | HSET {q}:job:b n b => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 5 a | HSET {q}:job:a a 1 => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 5 a 6 b | SET {q}:job:a x | HSET {q}:job:b n b => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 5 a | HSET {q}:job:a n a | HSET {q}:meta paused 1 seq 9 => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:delayed 5 a 4000 b 9007199254740991 c | HSET {q}:job:a n a o '-9\n\n\n\n\n' | HSET {q}:job:b n b | HSET {q}:meta seq 3 => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:leased 5 a 6 b | HSET {q}:leases a 'w\n77\n2\n9\n1700000000000\n\n' | HSET {q}:job:a n a d {} a 1 | HSET {q}:job:b n b x 2 => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:leased 5 a | HSET {q}:leases a 'w\n77\n2\n9\n1700000000000\n\n0\ng\nk\n\n\n' | HSET {q}:job:a n a o '0\ng\nk\n\n\n' a 1 x 4 | SET {q}:dedup:k a | SADD {q}:active:g a | ZADD {q}:parked:g 9 b | ZADD {q}:parked 9 b | HSET {q}:job:b n b o '0\ng\n\n\n\n' => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:leased 5 a | HSET {q}:leases a 'w\n77\n2\n9\n1700000000000\n\n0\ng\nk\n\n\n' | SADD {q}:active:g a => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:leased 5 a | HSET {q}:leases a broken | HSET {q}:job:a n a x 9 => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 5 a 6 b 7 c | HSET {q}:job:a n a | HSET {q}:job:b n b | HSET {q}:job:c n c => {q}: {q}:meta {q}: 10 60000 w.1 2 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 5 a 6 b 7 c | HSET {q}:job:a n a | HSET {q}:job:b n b | HSET {q}:job:c n c => {q}: {q}:meta {q}: 10 60000 w.1 0 2 90000 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 5 a | HSET {q}:job:a n a | RPUSH {q}:starts 1 9007199254740991 => {q}: {q}:meta {q}: 10 60000 w.1 0 2 90000 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 5 a 6 b 7 c | HSET {q}:job:a n a o '0\ng\n\n\n\n' | HSET {q}:job:b n b o '0\ng\n\n\n\n' | HSET {q}:job:c n c => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 1 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 5 a 6 b 7 c | HSET {q}:job:a n a o '0\ng\n\n\n\n' | HSET {q}:job:b n b o '0\ng\n\n\n\n' | HSET {q}:job:c n c => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 1 90000 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:ready 9 b | ZADD {q}:parked 5 a | ZADD {q}:parked:g 5 a | HSET {q}:job:a n a o '0\ng\n\n\n\n' | HSET {q}:job:b n b o '0\ng\n\n\n\n' => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 1 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:parked 5 a 6 b | ZADD {q}:parked:g 5 a 6 b | HSET {q}:job:a n a o '0\ng\n\n\n\n' | HSET {q}:job:b n b o '0\ng\n\n\n\n' => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 1 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:parked 5 a | ZADD {q}:parked:g 5 a | ZADD {q}:resume 1 g 9007199254740991 h => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 2 90000 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:done 2048 a | HSET {q}:meta done 64 seq 4 | HSET {q}:job:a n a | RPUSH {q}:log:a x => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:dead 9007199254740991 a 9007199254740990 b | HSET {q}:meta dead 128 => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 1 3600000 1000000 1 1 '' ''
ZADD {q}:suspects 5 a 6 b | ZADD {q}:ready 7 c | HSET {q}:job:a n a x 1 | HSET {q}:job:b n b | HSET {q}:job:c n c => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:suspects 5 a | ZADD {q}:ready 7 c | HSET {q}:job:a n a x 1 | HSET {q}:job:c n c | HSET {q}:meta alone 1 => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 0 1 '' ''
ZADD {q}:suspects 5 a | ZADD {q}:ready 7 c | HSET {q}:job:a n a x 2 | HSET {q}:job:c n c | HSET {q}:meta alone 1 way w.0 seen 5 => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 0 1 '' w.0
ZADD {q}:suspects 5 a | ZADD {q}:ready 7 c | HSET {q}:job:a n a x 2 | HSET {q}:job:c n c | HSET {q}:meta alone 1 way w.0 seen 5 => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 0 1 '' ''
ZADD {q}:suspects 5 a | ZADD {q}:ready 7 c | ZADD {q}:leased 9007199254740991 b | HSET {q}:leases b 'w\n77\n2\n9\n1700000000000\n1\n' | HSET {q}:job:a n a x 2 | HSET {q}:job:b n b x 2 | HSET {q}:job:c n c | HSET {q}:meta lone b => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:leased 5 a | HSET {q}:leases a 'w\n77\n2\n9\n1700000000000\n\n' | HSET {q}:job:a n a => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 5 ''
HSET {q}:leases a 'w\n77\n2\n9\n1700000000000\n\n' | HSET {q}:job:a n a => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
ZADD {q}:repeats 5 r 9007199254740991 s => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
SET {q}:ready x => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
SET {q}:leases x | ZADD {q}:ready 5 a | HSET {q}:job:a n a => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
SET {q}:leased x | ZADD {q}:ready 5 a => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
SET {q}:meta x => {q}: {q}:meta {q}: 10 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
=> {q}: {q}:meta {q}: x 60000 w.1 0 0 0 0 0 0 5 why 100 3600000 1000000 100 3600000 1000000 1 1 '' ''
=> {q}: {q}:meta {q}: 10
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &RECOVER,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: w.1
ZADD {q}:leased 5 a 6 b 7 c | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n' b 'w.11\n5\n1\n2\n3\n\n1\n' c 'w.1\n' | HSET {q}:job:a n a d {} a 1 | HSET {q}:job:b n b | HSET {q}:job:c n c => {q}: {q}:meta {q}: w.1
ZADD {q}:leased 5 a 6 b | HSET {q}:leases a 'w.1\n5\n1\n2\n\n1\n' => {q}: {q}:meta {q}: w.1
SET {q}:leased x => {q}: {q}:meta {q}: w.1
ZADD {q}:leased 5 a | SET {q}:leases x => {q}: {q}:meta {q}: w.1
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &FINISH,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 done 1 0 7
ZADD {q}:leased 5 a 6 b | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n' b 'w.2\n5\n1\n2\n3\n\n' | HSET {q}:job:a n a d {} => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 done 1 0 7 b w.1 done 2 0 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n' | HSET {q}:job:a n a d {} | SADD {q}:active:g a => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 dead '{}' 0 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n2\n2\n3\n\n-1\ng\nk\n\nn\n' | HSET {q}:job:a n a | RPUSH {q}:log:a x | SADD {q}:active:g a | SET {q}:dedup:k a => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 done 1 0 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n2\n2\n3\n\n-1\ng\nk\n60000\nn\n' | HSET {q}:job:a n a | SET {q}:dedup:k a PX 60000 => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 dead '' 0 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n-1\ng\nk\n\n\n' | HSET {q}:job:a n a | SET {q}:dedup:k b | ZADD {q}:parked:g 9 b | ZADD {q}:parked 9 b => {q}: {q}:meta {q}: 0 0 0 0 0 0 a w.1 done 1 0 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n-1\ng\nk\n\n\n' | HSET {q}:job:a n a | SADD {q}:active:g a => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 retry why 60000 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n-1\ng\n\n\n\n' | HSET {q}:job:a n a | SADD {q}:active:g a => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 retry why 0 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n-1\ng\n\n\n\n' | HSET {q}:job:a n a | SADD {q}:active:g a => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 release '' 0 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n' | HSET {q}:job:a n a => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 done 1 0 7 a w.1 done 2 0 7
HSET {q}:job:a n a l w.1 => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 done 1 0 7 a w.2 done 2 0 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n\n1\n' => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 done 1 0 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n70000\n3\n\n' | HSET {q}:job:a n a => {q}: {q}:meta {q}: 100 3600000 60000 100 3600000 1000000 a w.1 done 1 0 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n' | ZADD {q}:done 2048 b 4096 c | HSET {q}:meta done 128 | HSET {q}:job:b n b | HSET {q}:job:c n c => {q}: {q}:meta {q}: 2 3600000 60000 100 3600000 1000000 a w.1 done 1 0 7
HSET {q}:leases a 'w.1\n' | HSET {q}:job:a n a => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 done 1 0 7
SET {q}:leases x => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 done 1 0 7
SET {q}:job:a x => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 done 1 0 7
SET {q}:done x | ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n\n1\n' => {q}: {q}:meta {q}: 100 3600000 1000000 100 3600000 1000000 a w.1 done 1 0 7
=> {q}: {q}:meta {q}: x
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n\n\n' | HSET {q}:job:a n a | HSET {q}:waited a 2 => {q}: {q}:meta {q}: 0 0 0 0 0 0 a w.1 done 1 0 7
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n1\n' | HSET {q}:job:a n a => {q}: {q}:meta {q}: 0 0 0 0 0 0 a w.1 release '' 0 0
SET {q}:waited x | ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n\n\n' | HSET {q}:job:a n a => {q}: {q}:meta {q}: 0 0 0 0 0 0 a w.1 done 1 0 7
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &RENEW,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: 60000 a w.1
ZADD {q}:leased 5 a 6 b | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n' b 'w.2\n' => {q}: {q}:meta {q}: 60000 a w.1 b w.1 c w.1 b w.2
HSET {q}:leases a 'w.1\n5\n1\n2\n\n1\n' => {q}: {q}:meta {q}: 60000 a w.1
HSET {q}:leases a 'w.1' => {q}: {q}:meta {q}: 60000 a w.1
SET {q}:leases x => {q}: {q}:meta {q}: 60000 a w.1
SET {q}:leased x | HSET {q}:leases a 'w.1\n' => {q}: {q}:meta {q}: 60000 a w.1
=> {q}: {q}:meta {q}: x a w.1
=> {q}: {q}:meta {q}: 60000
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &REPORT,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: 1000 a w.1 progress 5
HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n' | HSET {q}:job:a n a => {q}: {q}:meta {q}: 1000 a w.1 begun 5
HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n' b 'w.2\n' | HSET {q}:job:a n a => {q}: {q}:meta {q}: 1000 a w.1 progress 5 b w.1 progress 6 a w.1 log line
HSET {q}:leases a 'w.1\n' | RPUSH {q}:log:a 1 2 3 => {q}: {q}:meta {q}: 3 a w.1 log 4 a w.1 log 5
HSET {q}:leases a 'w.1\n' | SET {q}:log:a x => {q}: {q}:meta {q}: 3 a w.1 log 4
SET {q}:leases x => {q}: {q}:meta {q}: 3 a w.1 log 4
=> {q}: {q}:meta {q}: 1000
",
    },
    Cases {
        script: &GET,
        how: Loosely,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: a
HSET {q}:job:a n a d {} t 7 => {q}: {q}:meta {q}: a
HSET {q}:job:a n a | ZADD {q}:delayed 20480001 a => {q}: {q}:meta {q}: a
HSET {q}:job:a n a | ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n3\n2\n9\n' => {q}: {q}:meta {q}: a
HSET {q}:job:a n a | ZADD {q}:leased 5 a => {q}: {q}:meta {q}: a
HSET {q}:job:a n a d {} t 7 o '0\ng\n\n\n\n' a 1 x 2 s 3 f 4 P 5 r 6 e 7 | ZADD {q}:done 4096 a => {q}: {q}:meta {q}: a
HSET {q}:job:a n a | ZADD {q}:dead 4096 a => {q}: {q}:meta {q}: a
ZADD {q}:dead 4096 a => {q}: {q}:meta {q}: a
SET {q}:job:a x => {q}: {q}:meta {q}: a
SET {q}:done x => {q}: {q}:meta {q}: a
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &PEEK,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: a 1
ZADD {q}:ready 5 a | HSET {q}:job:a n a d {} t 7 => {q}: {q}:meta {q}: a 1
ZADD {q}:ready 5 a | HSET {q}:job:a n a d {} t 7 => {q}: {q}:meta {q}: a ''
ZADD {q}:done 4096 a | HSET {q}:job:a n a r 5 f 2 => {q}: {q}:meta {q}: a 1
HSET {q}:end:a s done v 5 n 1 => {q}: {q}:meta {q}: a 1
HSET {q}:end:a s dead v '{}' n 1 => {q}: {q}:meta {q}: a 1
SET {q}:end:a x => {q}: {q}:meta {q}: a 1
SET {q}:waited x | ZADD {q}:ready 5 a | HSET {q}:job:a n a => {q}: {q}:meta {q}: a 1
=> {q}: {q}:meta {q}: a
",
    },
    Cases {
        script: &REMOVE_WAITER,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: a
HSET {q}:waited a 2 b 1 => {q}: {q}:meta {q}: a
HSET {q}:waited a 1 => {q}: {q}:meta {q}: a
HSET {q}:end:a s done v 5 n 2 => {q}: {q}:meta {q}: a
HSET {q}:end:a s done v 5 n 1 => {q}: {q}:meta {q}: a
SET {q}:waited x => {q}: {q}:meta {q}: a
SET {q}:end:a x => {q}: {q}:meta {q}: a
",
    },
    Cases {
        script: &LIST,
        how: Loosely,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: ready 0 50 1000000
ZADD {q}:ready 1 a 2 b | ZADD {q}:parked 1 c | HSET {q}:job:a n a d {} | HSET {q}:job:b n b | HSET {q}:job:c n c => {q}: {q}:meta {q}: ready 0 50 1000000
ZADD {q}:ready 1 a 2 b | ZADD {q}:parked 1 c | HSET {q}:job:a n a d {} | HSET {q}:job:b n b | HSET {q}:job:c n c => {q}: {q}:meta {q}: ready 1 2 1000000
ZADD {q}:ready 1 a 2 b | ZADD {q}:parked 1 c | HSET {q}:job:c n c => {q}: {q}:meta {q}: ready 2 1 1000000
ZADD {q}:ready 1 a 2 b | HSET {q}:job:a n a d {} | HSET {q}:job:b n b => {q}: {q}:meta {q}: ready 0 2 1
ZADD {q}:delayed 2048 a 4096 b | HSET {q}:job:a n a | HSET {q}:job:b n b => {q}: {q}:meta {q}: delayed 0 50 1000
ZADD {q}:leased 2048 a 4096 b | HSET {q}:job:a n a | HSET {q}:job:b n b => {q}: {q}:meta {q}: active 0 50 1000
ZADD {q}:done 2048 a 4096 b | HSET {q}:job:a n a r 1 | HSET {q}:job:b n b e 2 => {q}: {q}:meta {q}: done 0 1 1000
ZADD {q}:dead 2048 a 4096 b | HSET {q}:job:a n a | HSET {q}:job:b n b => {q}: {q}:meta {q}: dead 0 50 1000
SET {q}:dead x => {q}: {q}:meta {q}: dead 0 50 1000
=> {q}: {q}:meta {q}: other 0 50 1000
=> {q}: {q}:meta {q}: ready x 50 1000
=> {q}: {q}:meta {q}: ready
",
    },
    Cases {
        script: &COUNTS,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}:
ZADD {q}:ready 1 a | ZADD {q}:parked 1 a 2 b | ZADD {q}:delayed 1 a 2 b 3 c | ZADD {q}:leased 1 a | ZADD {q}:done 1 a 2 b | ZADD {q}:dead 1 a | HSET {q}:meta paused 1 => {q}: {q}:meta {q}:
SET {q}:dead x => {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &PAUSE,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: pause
=> {q}: {q}:meta {q}: resume
HSET {q}:meta paused 1 => {q}: {q}:meta {q}: resume
HSET {q}:meta paused 1 seq 5 => {q}: {q}:meta {q}: resume
SET {q}:meta x => {q}: {q}:meta {q}: pause
SET {q}:meta x => {q}: {q}:meta {q}: resume
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &REMOVE,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: a
HSET {q}:job:a n a => {q}: {q}:meta {q}: a
HSET {q}:job:a n a | ZADD {q}:ready 5 a | HSET {q}:meta seq 6 => {q}: {q}:meta {q}: a
HSET {q}:job:a n a | ZADD {q}:ready 5 a 6 b | HSET {q}:meta seq 6 => {q}: {q}:meta {q}: a
HSET {q}:job:a n a o '0\ng\nk\n\n\n' | ZADD {q}:ready 5 a | ZADD {q}:parked 9 b | ZADD {q}:parked:g 9 b | SET {q}:dedup:k a => {q}: {q}:meta {q}: a
HSET {q}:job:a n a o '0\ng\nk\n\n\n' | ZADD {q}:parked 5 a | ZADD {q}:parked:g 5 a | ZADD {q}:resume 5 g | SET {q}:dedup:k b => {q}: {q}:meta {q}: a
HSET {q}:job:a n a o '0\ng\n\n\n\n' | ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n' | SADD {q}:active:g a | ZADD {q}:parked 9 b | ZADD {q}:parked:g 9 b => {q}: {q}:meta {q}: a
ZADD {q}:leased 5 a | HSET {q}:leases a 'w.1\n5\n1\n2\n3\n\n0\ng\nk\n\n\n' | SADD {q}:active:g a => {q}: {q}:meta {q}: a
HSET {q}:job:a n a | ZADD {q}:done 2050 a 2049 b | HSET {q}:meta done 192 | RPUSH {q}:log:a x => {q}: {q}:meta {q}: a
HSET {q}:job:a n a | ZADD {q}:dead 2050 a | HSET {q}:meta dead 128 => {q}: {q}:meta {q}: a
HSET {q}:job:a n a | ZADD {q}:delayed 2050 a => {q}: {q}:meta {q}: a
SET {q}:job:a x | ZADD {q}:ready 5 a => {q}: {q}:meta {q}: a
SET {q}:ready x | HSET {q}:job:a n a => {q}: {q}:meta {q}: a
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &SWEEP,
        how: Loosely,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: ready 0 100 0 ''
ZADD {q}:ready 1 a 2 b 3 c | HSET {q}:job:a n a t 1 | HSET {q}:job:b n b t 9007199254740991 => {q}: {q}:meta {q}: ready 0 100 0 ''
ZADD {q}:ready 1 a 2 b 3 c | HSET {q}:job:a n a t 1 | HSET {q}:job:b n b t 900 => {q}: {q}:meta {q}: ready 100 2 1 1000
ZADD {q}:delayed 1 a 2 b | HSET {q}:job:a n a t 1 => {q}: {q}:meta {q}: delayed 0 1 0 ''
ZADD {q}:parked 1 a 2 b | ZADD {q}:parked:g 1 a 2 b | HSET {q}:job:a n a t 1 o '0\ng\n\n\n\n' => {q}: {q}:meta {q}: parked 0 1 0 ''
ZADD {q}:done 2048 a 9007199254740991 b | HSET {q}:job:a n a t 1 => {q}: {q}:meta {q}: done 0 100 0 ''
ZADD {q}:dead 2048 a 4096000 b | HSET {q}:job:a n a t 1 => {q}: {q}:meta {q}: dead 10 100 0 1000
SET {q}:dead x => {q}: {q}:meta {q}: dead 0 100 0 ''
=> {q}: {q}:meta {q}: other 0 100 0 ''
=> {q}: {q}:meta {q}: ready x 100 0 ''
=> {q}: {q}:meta {q}: ready
",
    },
    Cases {
        script: &RETRY,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: a
HSET {q}:job:a n a a 3 x 1 e why f 5 l w.1 s 5 P 50 | ZADD {q}:dead 2050 a 2051 b | HSET {q}:meta dead 320 seq 7 => {q}: {q}:meta {q}: a
HSET {q}:job:a n a o '-5\n\nk\n\n\n' | ZADD {q}:dead 2050 a => {q}: {q}:meta {q}: a
HSET {q}:job:a n a o '-5\n\nk\n\n\n' | ZADD {q}:dead 2050 a | SET {q}:dedup:k b | HSET {q}:job:b n b => {q}: {q}:meta {q}: a
HSET {q}:job:a n a o '-5\n\nk\n\n\n' | ZADD {q}:dead 2050 a | SET {q}:dedup:k b => {q}: {q}:meta {q}: a
HSET {q}:job:a n a o '-5\n\nk\n60000\n\n' | ZADD {q}:dead 2050 a | SET {q}:dedup:k b => {q}: {q}:meta {q}: a
HSET {q}:job:a n a o '4\n\n\n\n\n' | ZADD {q}:delayed 2050 a => {q}: {q}:meta {q}: a
HSET {q}:job:a n a | ZADD {q}:ready 5 a => {q}: {q}:meta {q}: a
ZADD {q}:dead 2050 a => {q}: {q}:meta {q}: a
ZADD {q}:delayed 2050 a => {q}: {q}:meta {q}: a
SET {q}:ready x | HSET {q}:job:a n a | ZADD {q}:dead 2050 a => {q}: {q}:meta {q}: a
SET {q}:dead x => {q}: {q}:meta {q}: a
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &REDRIVE,
        how: Loosely,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: 100 0 ''
HSET {q}:job:a n a a 3 | HSET {q}:job:b n b | ZADD {q}:dead 2050 a 4098 b 6000 c => {q}: {q}:meta {q}: 100 0 ''
HSET {q}:job:a n a a 3 | HSET {q}:job:b n b | ZADD {q}:dead 2050 a 4098 b 6000 c => {q}: {q}:meta {q}: 1 0 ''
HSET {q}:job:a n a a 3 | HSET {q}:job:b n b | ZADD {q}:dead 2050 a 4098 b 6000 c => {q}: {q}:meta {q}: 100 1 ''
HSET {q}:job:a n a a 3 | HSET {q}:job:b n b | ZADD {q}:dead 2050 a 4098 b 6000 c => {q}: {q}:meta {q}: 100 0 1
HSET {q}:job:a n a o '0\n\nk\n\n\n' | SET {q}:dedup:k b | HSET {q}:job:b n b | ZADD {q}:dead 2050 a 4098 b => {q}: {q}:meta {q}: 100 0 ''
SET {q}:dead x => {q}: {q}:meta {q}: 100 0 ''
=> {q}: {q}:meta {q}: x 0 ''
=> {q}: {q}:meta {q}:
",
    },
];
