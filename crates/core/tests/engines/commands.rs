//! Every command on every type of key, and with invalid arguments.

use std::collections::HashSet;

use crate::pair::{Pair, none, words};

/// The initial values of the key.
const STATES: &[&[&str]] = &[
    &[],
    &["SET k hello"],
    &["SET k 10 EX 10000"],
    &["SET k gone", "PEXPIREAT k 1"],
    &["SET k gone PXAT 1"],
    &["HSET k a 1 b x c 9223372036854775807", "EXPIRE k 10000"],
    &["RPUSH k a b c b a"],
    &["SADD k a b 10"],
    &["ZADD k 1 a 2 b 2.5 c -inf d 2 bb"],
];

/// The commands that show the outcome.
const AFTER: &[&str] = &[
    "TYPE k",
    "TTL k",
    "GET k",
    "STRLEN k",
    "HGETALL k",
    "LRANGE k 0 -1",
    "SMEMBERS k",
    "ZRANGE k 0 -1 WITHSCORES",
    "KEYS *",
];

/// One use of a command per line. `k` is the key that may hold anything; `"…"` is one word.
const LINES: &str = include_str!("commands.txt");

fn lines() -> impl Iterator<Item = &'static str> {
    LINES.lines().filter(|line| !line.is_empty())
}

#[test]
fn every_command_on_every_kind_of_key() {
    let mut pair = Pair::start();
    let mut differences = Vec::new();
    for line in lines() {
        for state in STATES {
            // DBSIZE counts an expired key until the server removes it.
            if line == "DBSIZE" && state.contains(&"SET k gone PXAT 1") {
                continue;
            }
            let all: Vec<&str> = state.iter().chain(&[line]).chain(AFTER).copied().collect();
            differences.extend(pair.difference(&all));
        }
    }
    none(differences);
}

#[test]
fn every_command_has_a_line() {
    let named: HashSet<String> = lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    let missing: Vec<_> = cinnabar_memory::names().into_iter().filter(|name| !named.contains(*name)).collect();
    assert!(missing.is_empty(), "no line for {missing:?}");
}

#[test]
fn every_command_has_the_memory_effect_that_the_server_declares() {
    let mut pair = Pair::start();
    for name in cinnabar_memory::names() {
        let info = pair.wire.pipeline(&[words(&format!("COMMAND INFO {name}"))]).remove(0).unwrap();
        let info = info.array().unwrap().remove(0).array().unwrap();
        let says = |flag: &str| format!("{:?}", info[2]).contains(&format!("{flag:?}"));
        assert_eq!(cinnabar_memory::flags(name), (says("write"), says("denyoom")), "{name}: {:?}", info[2]);
    }
}

#[test]
fn every_command_with_too_few_and_too_many_words() {
    let mut pair = Pair::start();
    let mut differences = Vec::new();
    // Twelve words are more than any command with a fixed number of arguments takes.
    for name in cinnabar_memory::names() {
        for count in 0..12 {
            let arg = if name == "SCAN" || name == "SELECT" || name == "INFO" { " 0" } else { " x" };
            let line = [name, &arg.repeat(count)].concat();
            if !matches!(name, "TIME" | "INFO" | "SPOP" | "SRANDMEMBER") {
                differences.extend(pair.difference(&[&line, &line.to_lowercase(), "KEYS *"]));
            }
        }
    }
    none(differences);
}

#[test]
fn a_scan_returns_every_key_once_or_more() {
    let mut pair = Pair::start();
    let mut sets: Vec<_> = (0..500).map(|i| words(&format!("SET key:{i} v"))).collect();
    sets.push(words("DBSIZE"));
    assert_eq!(pair.differ(&sets), None);
    let mut seen = HashSet::new();
    let mut cursor = "0".to_owned();
    loop {
        let line = words(&format!("SCAN {cursor} COUNT 13 MATCH key:*"));
        let reply = pair.engine.execute_blocking(&[crate::pair::request(&line)]).remove(0).unwrap();
        let [next, keys] = reply.tuple().unwrap();
        seen.extend(keys.array().unwrap().into_iter().map(|key| key.bulk().unwrap().unwrap()));
        cursor = String::from_utf8(next.bulk().unwrap().unwrap().to_vec()).unwrap();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), 500);
}
