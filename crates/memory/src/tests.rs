//! Expiry, eviction and delivery, which are tested without a server.

use std::time::Duration;

use cinnabar_port::error::Kind;
use cinnabar_port::{Delivery, Effect, Keys, Merge, Message};
use parking_lot::Mutex;

use super::*;

const MB: usize = 1024 * 1024;

fn request(words: &[&str]) -> Request {
    let args = words[1..].iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
    let verb = Verb::Custom(words[0].to_owned());
    Request {
        verb,
        args,
        keys: Keys::Unknown,
        merge: Merge::No,
        idempotent: false,
        effect: Effect::ALWAYS,
        counts_for_breaker: true,
    }
}

fn run(engine: &Engine, line: &str) -> Reply {
    let words: Vec<&str> = line.split(' ').collect();
    engine.execute_blocking(&[request(&words)]).remove(0).unwrap()
}

fn fail(engine: &Engine, words: &[&str]) -> cinnabar_port::error::Error {
    engine.execute_blocking(&[request(words)]).remove(0).unwrap_err()
}

fn text(text: &'static str) -> Reply {
    Reply::text(text)
}

#[test]
fn a_key_expires_when_its_deadline_is_reached() {
    let engine = Engine::new(MB).unwrap();
    run(&engine, "SET k v PX 1000");
    engine.advance(Duration::from_millis(500));
    assert_eq!(run(&engine, "GET k"), text("v"));
    engine.advance(Duration::from_millis(500));
    assert_eq!(run(&engine, "GET k"), Reply::Nil);
    assert_eq!(run(&engine, "TTL k"), Reply::Int(-2));
    assert_eq!(engine.used_bytes(), 0);
}

#[test]
fn a_write_after_the_deadline_creates_a_new_key() {
    let engine = Engine::new(MB).unwrap();
    run(&engine, "HSET h a 1");
    run(&engine, "EXPIRE h 10");
    engine.advance(Duration::from_secs(10));
    assert_eq!(run(&engine, "HSET h b 2"), Reply::Int(1));
    assert_eq!(run(&engine, "HKEYS h"), Reply::Array(vec![text("b")]));
    assert_eq!(run(&engine, "TTL h"), Reply::Int(-1));
}

#[test]
fn a_sweep_removes_expired_keys() {
    let engine = Engine::new(MB).unwrap();
    for i in 0..100 {
        run(&engine, &format!("SET k{i} v EX {}", if i < 60 { 1 } else { 100 }));
    }
    engine.advance(Duration::from_secs(1));
    let before = engine.used_bytes();
    engine.sweep();
    assert!(engine.used_bytes() * 2 < before);
    assert_eq!(run(&engine, "DBSIZE"), Reply::Int(40));
}

#[test]
fn time_advances_with_the_clock_and_is_constant_in_a_script() {
    let engine = Engine::new(MB).unwrap();
    let seconds = |engine: &Engine| run(engine, "TIME").array().unwrap().remove(0).int().unwrap();
    let before = seconds(&engine);
    engine.advance(Duration::from_secs(3600));
    assert!((3600..3660).contains(&(seconds(&engine) - before)));
    let script = "local a = redis.call('TIME') for i = 1, 100000 do end local b = redis.call('TIME') \
                  return a[1] == b[1] and a[2] == b[2]";
    assert_eq!(engine.execute_blocking(&[request(&["EVAL", script, "0"])]).remove(0).unwrap(), Reply::Int(1));
}

#[test]
fn memory_stays_within_the_limit_and_old_keys_are_evicted_first() {
    let engine = Engine::new(MB).unwrap();
    let value = "x".repeat(1000);
    run(&engine, "SET precious v EX 1000");
    for i in 0..5000 {
        run(&engine, &format!("SET key:{i} {value} EX 1000"));
        run(&engine, "GET precious");
        assert!(engine.used_bytes() <= MB);
    }
    assert!(engine.used_bytes() > MB * 9 / 10, "it evicts no more than necessary");
    assert_eq!(run(&engine, "GET precious"), text("v"));
    assert_eq!(run(&engine, "EXISTS key:4999 key:4998 key:4997"), Reply::Int(3));
    let old: i64 = (0..2500).map(|i| run(&engine, &format!("EXISTS key:{i}")).int().unwrap()).sum();
    assert!(old < 25, "{old} of the older half are left");
}

#[test]
fn keys_without_a_deadline_are_not_evicted() {
    let engine = Engine::new(MB).unwrap();
    let value = "x".repeat(1000);
    let exist = |kind: &str, from: i64, to: i64| -> i64 {
        (from..to).map(|i| run(&engine, &format!("EXISTS {kind}:{i}")).int().unwrap()).sum()
    };
    for i in 0..300 {
        run(&engine, &format!("SET persistent:{i} {value}"));
    }
    for i in 0..2000 {
        run(&engine, &format!("SET ends:{i} {value} EX 1000"));
    }
    assert_eq!(exist("persistent", 0, 300), 300, "although they were used least recently");
    let ending = exist("ends", 1000, 2000);
    assert!(ending > 400 && exist("ends", 0, 1000) < 50, "the oldest of the others were evicted");
    for i in 300..600 {
        run(&engine, &format!("SET persistent:{i} {value}"));
    }
    assert_eq!(exist("persistent", 0, 600), 600);
    assert!(exist("ends", 1000, 2000) < ending - 200);
    let full = (600..)
        .find(|i| engine.execute_blocking(&[request(&["SET", &format!("persistent:{i}"), &value])])[0].is_err())
        .unwrap();
    assert_eq!(exist("ends", 0, 2000), 0, "no other key is left to evict");
    assert_eq!(exist("persistent", 0, full), full);
    assert!(engine.used_bytes() > MB * 9 / 10 && engine.used_bytes() <= MB);
    assert_eq!(fail(&engine, &["SET", "one more", &value]).kind, Kind::OutOfMemory);
    run(&engine, "DEL persistent:0");
    run(&engine, &format!("SET again {value}"));
}

#[test]
fn expired_keys_are_removed_before_old_ones() {
    let engine = Engine::new(MB).unwrap();
    let value = "x".repeat(100_000);
    run(&engine, "SET old v");
    for i in 0..8 {
        run(&engine, &format!("SET expired:{i} {value} EX 1"));
    }
    engine.advance(Duration::from_secs(1));
    for i in 0..8 {
        run(&engine, &format!("SET new:{i} {value}"));
    }
    assert_eq!(run(&engine, "GET old"), text("v"));
    assert_eq!(run(&engine, "DBSIZE"), Reply::Int(9));
}

#[test]
fn a_write_larger_than_the_limit_is_rejected_and_evicts_nothing() {
    let engine = Engine::new(MB).unwrap();
    run(&engine, "SET k v");
    let error = fail(&engine, &["SET", "large", &"x".repeat(2 * MB)]);
    assert_eq!(error.kind, Kind::OutOfMemory);
    assert_eq!(error.message(), "OOM command not allowed when used memory > 'maxmemory'.");
    assert_eq!(run(&engine, "GET k"), text("v"));
    let large = "x".repeat(MB * 3 / 4);
    run(&engine, &format!("SET k {large}"));
    run(&engine, &format!("SET k {large}"));
    assert_eq!(fail(&engine, &["APPEND", "k", &large]).kind, Kind::OutOfMemory);
    assert_eq!(run(&engine, "STRLEN k"), Reply::Int((MB * 3 / 4) as i64));
    assert_eq!(fail(&engine, &["SETRANGE", "r", "2000000", "x"]).kind, Kind::OutOfMemory);
}

#[test]
fn a_list_cannot_grow_beyond_the_limit() {
    let engine = Engine::new(MB).unwrap();
    let item = "x".repeat(10_000);
    let full = (0..200).find_map(|_| engine.execute_blocking(&[request(&["RPUSH", "l", &item])]).remove(0).err());
    assert_eq!(full.map(|error| error.kind), Some(Kind::OutOfMemory));
    assert!(engine.used_bytes() <= MB);
    run(&engine, "DEL l");
    assert_eq!(engine.used_bytes(), 0);
}

#[test]
fn a_script_does_not_evict_its_own_keys() {
    let engine = Engine::new(MB).unwrap();
    run(&engine, "SET mine v EX 1000");
    let script = "for i = 1, 2000 do redis.call('SET', 'other:' .. i, ARGV[1], 'EX', 1000) end return redis.call('GET', KEYS[1])";
    let error = fail(&engine, &["EVAL", script, "1", "mine", &"x".repeat(1000)]);
    assert_eq!(error.kind, Kind::OutOfMemory);
    assert_eq!(run(&engine, "GET mine"), text("v"));
    assert!(engine.used_bytes() <= MB * 5 / 4, "a script may exceed the limit by at most a quarter");
}

#[test]
fn a_script_is_rejected_at_its_first_write_or_not_at_all() {
    let engine = Engine::new(MB).unwrap();
    let value = "x".repeat(1000);
    run(&engine, "SET counter 0");
    while engine.execute_blocking(&[request(&["RPUSH", "list", &value])])[0].is_ok() {}
    let script = |first: &str| {
        let rest = "for i = 1, 50 do redis.call('RPUSH', 'list', ARGV[1]) redis.call('INCR', 'counter') end";
        format!("redis.call({first}) {rest} return redis.call('GET', 'counter')")
    };
    let full = fail(&engine, &["EVAL", &script("'SET', 'key', ARGV[1]"), "0", &value]);
    assert_eq!(full.kind, Kind::OutOfMemory);
    assert_eq!(run(&engine, "GET counter"), text("0"));
    let words = ["EVAL", &script("'HDEL', 'nothing', 'x'"), "0", &value];
    assert_eq!(engine.execute_blocking(&[request(&words)]).remove(0).unwrap(), text("50"));
    assert!(engine.used_bytes() > MB);
    assert_eq!(fail(&engine, &["SET", "key", "v"]).kind, Kind::OutOfMemory);
}

#[test]
fn the_size_is_correct_after_any_mixture_of_writes() {
    let engine = Engine::new(MB).unwrap();
    let lines = [
        "SET s abc",
        "APPEND s def",
        "SETRANGE s 10 x",
        "INCR n",
        "HSET h a 1 b 22",
        "HSET h a 333",
        "HDEL h b",
        "HINCRBY h c 5",
        "RPUSH l a bb ccc dddd",
        "LTRIM l 1 2",
        "LSET l 0 zzzzzz",
        "LREM l 0 ccc",
        "SADD t a b c",
        "SREM t a",
        "SPOP t",
        "ZADD z 1 a 2 b 3 c",
        "ZADD z 5 a",
        "ZINCRBY z 1 b",
        "ZPOPMIN z",
        "ZREM z a",
        "RENAME z y",
        "EXPIRE y 100",
        "MSET m1 a m2 b",
        "GETDEL m1",
    ];
    lines.iter().for_each(|line| drop(run(&engine, line)));
    assert!(engine.used_bytes() > 0);
    run(&engine, "DEL s n h t y m2");
    run(&engine, "LPOP l 10");
    assert_eq!(run(&engine, "DBSIZE"), Reply::Int(0));
    assert_eq!(engine.used_bytes(), 0);
}

#[test]
fn a_scan_returns_every_key_that_exists_throughout() {
    let engine = Engine::new(16 * MB).unwrap();
    for i in 0..1000 {
        run(&engine, &format!("SET persistent:{i} v"));
        run(&engine, &format!("SET deleted:{i} v"));
    }
    let (mut cursor, mut seen, mut round) = ("0".to_owned(), std::collections::HashSet::new(), 0);
    loop {
        let [next, keys] = run(&engine, &format!("SCAN {cursor} COUNT 7 MATCH persistent:*")).tuple().unwrap();
        seen.extend(keys.array().unwrap().into_iter().filter_map(|key| key.bulk().unwrap()));
        run(&engine, &format!("DEL deleted:{} deleted:{}", (round * 37) % 1000, 999 - (round * 11) % 1000));
        run(&engine, &format!("SET new:{round} v"));
        round += 1;
        cursor = String::from_utf8(next.bulk().unwrap().unwrap().to_vec()).unwrap();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), 1000);
}

fn collector() -> (Arc<Mutex<Vec<Message>>>, MessageListener) {
    let all = Arc::new(Mutex::new(Vec::new()));
    let sink = all.clone();
    (all, Arc::new(move |delivery| sink.lock().push(message(delivery))))
}

fn message(delivery: Delivery) -> Message {
    match delivery {
        Delivery::Message(message) => message,
        Delivery::Gap(_) => panic!("the embedded engine misses nothing"),
    }
}

#[test]
fn messages_reach_channels_and_patterns() {
    let engine = Engine::new(MB).unwrap();
    let (one, listener) = collector();
    let id = engine.subscribe(Topic::Channel(Bytes::from_static(b"room:1")), listener);
    let (all, listener) = collector();
    engine.subscribe(Topic::Pattern(Bytes::from_static(b"room:[0-9]")), listener);
    assert_eq!(run(&engine, "PUBLISH room:1 hello"), Reply::Int(2));
    assert_eq!(run(&engine, "PUBLISH room:2 hello"), Reply::Int(1));
    assert_eq!(run(&engine, "PUBLISH room:x hello"), Reply::Int(0));
    engine.unsubscribe(id);
    assert_eq!(run(&engine, "PUBLISH room:1 bye"), Reply::Int(1));
    assert_eq!(one.lock().len(), 1);
    let channels: Vec<Bytes> = all.lock().iter().map(|message| message.channel.clone()).collect();
    assert_eq!(channels, ["room:1", "room:2", "room:1"]);
}

#[test]
fn sharded_channels_are_a_separate_namespace() {
    let engine = Engine::new(MB).unwrap();
    let name = Bytes::from_static(b"c");
    let topics = [Topic::Channel(name.clone()), Topic::Pattern(Bytes::from_static(b"*")), Topic::Shard(name)];
    let [plain, all, sharded] = topics.map(|topic| {
        let (seen, listener) = collector();
        engine.subscribe(topic, listener);
        seen
    });
    assert_eq!(run(&engine, "PUBLISH c plain"), Reply::Int(2));
    assert_eq!(run(&engine, "SPUBLISH c sharded"), Reply::Int(1));
    let payloads = |seen: Arc<Mutex<Vec<Message>>>| -> Vec<Bytes> {
        seen.lock().iter().map(|message| message.payload.clone()).collect()
    };
    assert_eq!([plain, all, sharded].map(payloads), [vec!["plain"], vec!["plain"], vec!["sharded"]]);
}

#[test]
fn a_pattern_is_matched_until_its_last_listener_is_removed() {
    let engine = Engine::new(MB).unwrap();
    let ids = [(), (), ()].map(|()| engine.subscribe(Topic::Pattern(Bytes::from_static(b"*")), collector().1));
    for (left, id) in ids.into_iter().enumerate() {
        assert_eq!(run(&engine, "PUBLISH c x"), Reply::Int(3 - left as i64));
        engine.unsubscribe(id);
    }
    assert_eq!(run(&engine, "PUBLISH c x"), Reply::Int(0));
}

#[test]
fn a_listener_may_call_the_engine_and_messages_stay_in_order() {
    let engine = Engine::new(MB).unwrap();
    let (all, collect) = collector();
    let inner = engine.clone();
    let echo: MessageListener = Arc::new(move |delivery| {
        let message = message(delivery);
        if message.payload.len() < 3 {
            let longer = format!("{}x", String::from_utf8_lossy(&message.payload));
            run(&inner, &format!("PUBLISH c {longer}"));
        }
    });
    engine.subscribe(Topic::Channel(Bytes::from_static(b"c")), echo);
    engine.subscribe(Topic::Channel(Bytes::from_static(b"c")), collect);
    run(&engine, "PUBLISH c x");
    let seen: Vec<Bytes> = all.lock().iter().map(|message| message.payload.clone()).collect();
    assert_eq!(seen, ["x", "xx", "xxx"]);
}

#[test]
fn a_script_runs_for_many_items() {
    static SCRIPT: Script = Script::new(
        "test",
        "if ARGV[1] == 'bad' then return redis.error_reply('ERR bad') end return redis.call('INCRBY', KEYS[1], ARGV[1])",
        1,
        1,
    );
    let engine = Engine::new(MB).unwrap();
    run(&engine, "RPUSH list x");
    let args = ["a", "list", "a", "1", "1", "2"].map(|word| Bytes::from_static(word.as_bytes()));
    let items = engine.run_many(&SCRIPT, &args).unwrap().array().unwrap();
    assert_eq!(items[..2], [Reply::Int(1), Reply::Int(1)]);
    assert_eq!(items[2], Reply::Int(0));
    assert!(String::from_utf8_lossy(&items[3].clone().bulk().unwrap().unwrap()).starts_with("WRONGTYPE"));
    assert_eq!(items[4..], [Reply::Int(1), Reply::Int(3)]);
}

#[test]
fn a_built_in_script_may_only_access_declared_keys() {
    static DECLARED: Script = Script::new("declared", "redis.pcall('SET', KEYS[1] .. ARGV[1], 1) return 1", 1, 1);
    static UNDECLARED: Script =
        Script::new("undeclared", "redis.call('DEL', ARGV[1], KEYS[1]) return 1", 1, 1).undeclared_keys();
    let engine = Engine::new(MB).unwrap();
    let run = |script: &'static Script, args: [&'static str; 2]| {
        let request = Request::script(script, args.map(|arg| Bytes::from_static(arg.as_bytes())));
        engine.execute_blocking(&[request]).remove(0).map_err(|error| error.message().to_owned())
    };
    assert_eq!(run(&DECLARED, ["a", ""]), Ok(Reply::Int(1)));
    assert_eq!(run(&DECLARED, ["a", "b"]).unwrap_err(), "ERR declared accessed an undeclared key: SET ab");
    assert_eq!(run(&UNDECLARED, ["a", "ab"]), Ok(Reply::Int(1)));
    assert_eq!(run(&UNDECLARED, ["a", "b"]).unwrap_err(), "ERR undeclared accessed an undeclared key: DEL b");
}

#[test]
fn clones_share_one_store_across_threads() {
    let engine = Engine::new(MB).unwrap();
    let add = |engine: Engine| move || (0..500).for_each(|_| drop(run(&engine, "INCR n")));
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(add(engine.clone()))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(run(&engine, "GET n"), text("2000"));
}
