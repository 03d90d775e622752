//! The cases of each script of a queue's repeats. A queue's name is short here: its keys begin with `{q}:`.

use cinnabar_core::features::queue::scripts::{
    REPEAT_DUE, REPEAT_FIRE, REPEAT_LIST, REPEAT_PEEK, REPEAT_PUT, REPEAT_REMOVE,
};

use crate::pair::How::{Exactly, Loosely};
use crate::scripts::Cases;

/// Everything but times.
const AFTER: &[&str] = &[
    "ZRANGE {q}:repeats 0 -1 WITHSCORES",
    "HGETALL {q}:repeat:r",
    "ZRANGE {q}:ready 0 -1 WITHSCORES",
    "ZRANGE {q}:delayed 0 -1",
    "HGETALL {q}:meta",
    "HMGET {q}:job:r:100 n d o",
    "GET {q}:dedup:k",
];

/// All scripts of repeats.
pub const CASES: &[Cases] = &[
    Cases {
        script: &REPEAT_PEEK,
        how: Loosely,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: r
ZADD {q}:repeats 100 r => {q}: {q}:meta {q}: r
HSET {q}:repeat:r s '\n\n60000' => {q}: {q}:meta {q}: r
ZADD {q}:repeats 9007199254740991 r | HSET {q}:repeat:r s '\n\n0 0 * * *\nUTC' => {q}: {q}:meta {q}: r
ZADD {q}:repeats 0.5 r | HSET {q}:repeat:r x y => {q}: {q}:meta {q}: r
SET {q}:repeats x => {q}: {q}:meta {q}: r
SET {q}:repeat:r x => {q}: {q}:meta {q}: r
=> {q}: {q}:meta {q}: ''
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &REPEAT_PUT,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 '' tick '{}' '' ''
=> {q}: {q}:meta {q}: r '\n\n60000' 9007199254740000 9007199254740991 3 tick '[1]' '-3\ng\nk\n\n\n' 5000
=> {q}: {q}:meta {q}: r '\n\n60000' 9007199254740991 9007199254740991 '' tick '{}' '' ''
ZADD {q}:repeats 60000 r | HSET {q}:repeat:r s '\n\n60000' f 7 l '' n old d 1 o '' w '' => {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 '' tick '{}' '' ''
ZADD {q}:repeats 60000 r | HSET {q}:repeat:r s '\n\n60000' f 7 => {q}: {q}:meta {q}: r '\n\n60001' 120000 9007199254740991 '' tick '{}' '' ''
ZADD {q}:repeats 60000 r | HSET {q}:repeat:r s '\n\n60000' f 7 => {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 7 tick '{}' '' ''
ZADD {q}:repeats 60000 r | HSET {q}:repeat:r s '\n\n60000' f 7 => {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 8 tick '{}' '' ''
ZADD {q}:repeats 9007199254740991 r | HSET {q}:repeat:r s '\n\n60000' f 7 => {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 8 tick '{}' '' ''
HSET {q}:repeat:r s '\n\n60000' f 7 => {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 '' tick '{}' '' ''
HSET {q}:repeat:r s '\n\n60000' => {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 1 tick '{}' '' ''
HSET {q}:repeat:r s '\n\n60000' f x => {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 1 tick '{}' '' ''
ZADD {q}:repeats 60000 r => {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 '' tick '{}' '' ''
ZADD {q}:repeats 60000 other => {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 '' tick '{}' '' ''
SET {q}:repeats x => {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 '' tick '{}' '' ''
SET {q}:repeat:r x => {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 '' tick '{}' '' ''
=> {q}: {q}:meta {q}: r '\n\n60000' x 9007199254740991 '' tick '{}' '' ''
=> {q}: {q}:meta {q}: r '\n\n60000' 120000 9007199254740991 x tick '{}' '' ''
=> {q}: {q}:meta {q}: r '\n\n60000'
",
    },
    Cases {
        script: &REPEAT_REMOVE,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: r
ZADD {q}:repeats 100 r 200 s | HSET {q}:repeat:r s x => {q}: {q}:meta {q}: r
HSET {q}:repeat:r s x => {q}: {q}:meta {q}: r
ZADD {q}:repeats 100 r => {q}: {q}:meta {q}: r
SET {q}:repeats x => {q}: {q}:meta {q}: r
SET {q}:repeat:r x => {q}: {q}:meta {q}: r
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &REPEAT_LIST,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: 0 99
ZADD {q}:repeats 100 r 100 b 50 z | HSET {q}:repeat:r s '\n\n60000' f 7 l '' n tick d 1 o '' w '' => {q}: {q}:meta {q}: 0 99
ZADD {q}:repeats 100 r 100 b 50 z | HSET {q}:repeat:z s x => {q}: {q}:meta {q}: 1 1
ZADD {q}:repeats 100 r => {q}: {q}:meta {q}: 1 1
ZADD {q}:repeats 100 r => {q}: {q}:meta {q}: 0 9007199254740991
ZADD {q}:repeats 100 r => {q}: {q}:meta {q}: 9007199254740991 9007199254740991
SET {q}:repeats x => {q}: {q}:meta {q}: 0 99
ZADD {q}:repeats 100 r | SET {q}:repeat:r x => {q}: {q}:meta {q}: 0 99
=> {q}: {q}:meta {q}: x 99
=> {q}: {q}:meta {q}: 0
",
    },
    Cases {
        script: &REPEAT_DUE,
        how: Loosely,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: 16
ZADD {q}:repeats 100 r 200 s => {q}: {q}:meta {q}: 16
ZADD {q}:repeats 100 r 200 s 300 t => {q}: {q}:meta {q}: 2
ZADD {q}:repeats 100 r 9007199254740991 s => {q}: {q}:meta {q}: 16
ZADD {q}:repeats 9007199254740991 s => {q}: {q}:meta {q}: 16
ZADD {q}:repeats 100 r => {q}: {q}:meta {q}: 0
SET {q}:repeats x => {q}: {q}:meta {q}: 16
=> {q}: {q}:meta {q}: x
=> {q}: {q}:meta {q}:
",
    },
    Cases {
        script: &REPEAT_FIRE,
        how: Exactly,
        after: AFTER,
        lines: r"
=> {q}: {q}:meta {q}: r 100 100 200 9007199254740991
ZADD {q}:repeats 100 r => {q}: {q}:meta {q}: r 100 100 200 9007199254740991
ZADD {q}:repeats 100 r | HSET {q}:repeat:r s x f 7 l '' n tick d '{}' o '' w '' => {q}: {q}:meta {q}: r 100 100 200 9007199254740991
ZADD {q}:repeats 100 r | HSET {q}:repeat:r s x f 7 l '' n tick d '{}' o '' w '' => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r s x f 7 l 9 n tick d '{}' o '' w '' => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r s x f 8 l 9 n tick d '{}' o '' w '' => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r s x f 8 l 9 n tick d '{}' o '' w '' => {q}: {q}:meta {q}: r 50 100 9007199254740991 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r s x f 0 l '' n tick d '[1]' o '-3\ng\nk\n\n\n' w '' => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r s x f 0 l '' n tick d 1 o '' w 60000 => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r f 0 l '' n tick d 1 o '' w '' | HSET {q}:job:r:100 n old d 1 t 1 => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r f 0 l '' n tick d 1 o '0\n\nk\n\n\n' w '' | SET {q}:dedup:k b PX 60000 => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r f x l x n tick d 1 o '' w '' => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r n tick => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r f 0 l '' n tick d 1 o '' w '' => {q}: {q}:meta {q}: r 50.0 100 200 9007199254740991
SET {q}:repeats x => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | SET {q}:repeat:r x => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r f 0 l '' n tick d 1 o '' w '' | SET {q}:ready x => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r f 0 l '' n tick d 1 o '' w '' | SET {q}:job:r:100 x => {q}: {q}:meta {q}: r 50 100 200 9007199254740991
ZADD {q}:repeats 50 r | HSET {q}:repeat:r f 0 l '' n tick d 1 o '' w '' => {q}: {q}:meta {q}: r 50 100 x 9007199254740991
=> {q}: {q}:meta {q}: r 50
",
    },
];
