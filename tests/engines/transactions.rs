//! The script that runs several commands as one. It takes any number of keys.

use crate::pair::{How, Pair, same, words};
use crate::scripts::{run, script};
use crate::wire::Words;

script!(TRANSACTION = "raw/transaction.lua", keys: 0, args: 0);

/// Keys, then commands; before them `s` is a string, `h` a hash, `l` a list and `z` a sorted set.
const LINES: &[(&str, &str)] = &[
    ("", ""),
    ("s", "GET s"),
    ("s s s", "GET s | SET s new | GET s"),
    ("missing missing missing", "GET missing | LPOP missing | HGETALL missing"),
    ("n n n", "INCR n | INCRBY n 5 | DECR n"),
    ("s h l z", "STRLEN s | HGETALL h | LRANGE l 0 -1 | ZRANGE z 0 -1 WITHSCORES"),
    ("s h l z", "TYPE s | TYPE h | TYPE l | TYPE missing"),
    ("h h", "HMGET h a missing b | HSET h a 9 c 3"),
    ("z z", "ZADD z 2.5 c | ZSCORE z c"),
    ("s s s", "SET s 1 EX 1000 | TTL s | SET s 2 NX"),
    ("s s", "EXPIRE s 1000 | PERSIST s"),
    ("s s", "PEXPIREAT s 1 | GET s"),
    ("s h", "DEL s h | MGET s h"),
    // One that fails undoes none.
    ("s h s", "SET s half | GET h | APPEND s done"),
    ("s s", "INCR s | GET s"),
    ("s", "NOSUCH s | GET s"),
    ("s", "GET | GET s"),
    ("s", "SET s x EX 0 | GET s"),
    ("", "PUBLISH channel message | ECHO word"),
    ("", "EVAL 'return 1' 0 | SCRIPT FLUSH"),
    ("s", "SET s '' | GET s"),
    ("s s", "SET s 'two words' | GET s"),
    ("s s", "SET s '\\0\\n' | GET s"),
];

/// Arguments that no caller of ours makes.
const ODD: &[&str] = &["x GET s", "3 GET s", "0 GET s", "0", "1.5 GET s", "2 GET s x", "''"];

#[test]
fn several_commands_as_one_answer_alike() {
    let mut pair = Pair::start();
    for (keys, commands) in LINES {
        let commands: Vec<Words> = commands.split(" | ").map(words).filter(|words| !words.is_empty()).collect();
        compare(&mut pair, &words(keys), &commands);
    }
}

#[test]
fn odd_transactions_answer_alike() {
    let mut pair = Pair::start();
    for line in ODD {
        compare_words(&mut pair, &words("s"), words(line));
    }
}

#[test]
fn long_transactions_answer_alike() {
    let mut pair = Pair::start();
    let push = |count: usize| [words("RPUSH many"), vec![b"x".to_vec(); count - 1]].concat();
    // As many arguments as a caller may give a command, and more than Lua takes.
    for count in [1, 6_999, 7_000, 8_500] {
        compare(&mut pair, &words("many"), &[words("SET s first"), push(count + 1), words("LLEN many")]);
    }
    let many = vec![words("INCR n"); 5_000];
    compare(&mut pair, &vec![b"n".to_vec(); 5_000], &many);
}

fn compare(pair: &mut Pair, keys: &Words, commands: &[Words]) {
    let counted = |words: &Words| [vec![words.len().to_string().into_bytes()], words.clone()].concat();
    compare_words(pair, keys, commands.iter().flat_map(counted).collect());
}

fn compare_words(pair: &mut Pair, keys: &Words, rest: Words) {
    pair.check(&["SET s hello", "HSET h a 1 b 2", "RPUSH l x y z", "ZADD z 1 a 2 b"]);
    let shown: Vec<_> = rest.iter().take(12).map(|word| String::from_utf8_lossy(word)).collect();
    let (ours, theirs) = run(pair, &TRANSACTION, keys.len(), &[&keys[..], &rest].concat());
    let short = |text: &str| text.split(" script: ").next().unwrap_or_default().to_owned();
    let (ours, theirs) = (ours.map_err(|error| short(error.message())), theirs.map_err(|text| short(&text)));
    assert!(same(&ours, &theirs, How::Exactly), "{shown:?}\n  embedded: {ours:?}\n  server:   {theirs:?}");
    let after = ["GET s", "TTL s", "HGETALL h", "LLEN many", "GET n", "KEYS *"].map(words);
    assert_eq!(pair.differ(&after), None, "after {shown:?}");
}
