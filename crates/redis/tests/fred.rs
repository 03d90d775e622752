//! The driver fred on a server: its replies are those of the native driver, whatever is stored.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../core/tests/support/server.rs"]
mod server;

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_port::{EventEmitter, Reply, Request, Verb, error::Kind};
use cinnabar_redis::{
    Engine,
    settings::{Driver, Environment, Options, Settings},
};
use server::Server;
use tokio::time::Instant;

/// The words by which fred recognises messages, and some more.
const WORDS: [&str; 10] = [
    "message",
    "pmessage",
    "smessage",
    "subscribe",
    "psubscribe",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "pubsub",
    "invalidate",
];

fn engine(port: u16, driver: Driver) -> Arc<Engine> {
    let options = Options {
        url: Some(format!("redis://127.0.0.1:{port}")),
        driver: Some(driver),
        timeout: Some(Duration::from_secs(5)),
        ..Options::default()
    };
    let settings = Settings::resolve(options, &Environment(HashMap::new())).unwrap().settings;
    Arc::new(Engine::new(&settings, Arc::new(EventEmitter::default())).unwrap())
}

/// Any command, as a caller sends it.
fn command<W: AsRef<[u8]>>(words: &[W]) -> Request {
    let words = words.iter().map(AsRef::as_ref);
    let mut request = Request::command("GET", []);
    request.args = words.clone().skip(1).map(Bytes::copy_from_slice).collect();
    request.verb = Verb::Custom(words.take(1).map(String::from_utf8_lossy).collect());
    request
}

/// A reply, or kind and text of the error.
type Ended = Result<Reply, (Kind, String)>;

async fn run_all<W: AsRef<[u8]>>(engine: &Engine, round: &[&[W]]) -> Vec<Ended> {
    let round = round.iter().map(|words| command(words)).collect();
    let replies = engine.execute(round, Instant::now() + Duration::from_secs(5)).await;
    replies.into_iter().map(|reply| reply.map_err(|error| (error.kind, error.message().to_owned()))).collect()
}

async fn run<W: AsRef<[u8]>>(engine: &Engine, words: &[W]) -> Ended {
    run_all(engine, &[words]).await.remove(0)
}

/// Commands whose replies are arrays of what is stored, by the number of elements.
fn reads(count: usize) -> Vec<Vec<String>> {
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let last = (count - 1).to_string();
    let mut reads = vec![
        list(&["LRANGE", "list", "0", &last]),
        list(&["ZRANGE", "zset", "0", &last]),
        list(&["ZREVRANGE", "zset", "0", &last]),
        list(&["SORT", "list", "ALPHA", "LIMIT", "0", &count.to_string()]),
        list(&["EVAL", "return redis.call('LRANGE', KEYS[1], 0, ARGV[1])", "1", "list", &last]),
    ];
    let keys: Vec<_> = (0..count).map(|at| format!("key{at}")).collect();
    reads.push([vec!["MGET".to_owned()], keys.clone()].concat());
    reads.push([vec!["HMGET".to_owned(), "hash".to_owned()], keys].concat());
    reads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn stored_words_never_lead_to_the_reply_of_another_call() {
    let server = Server::start();
    let (native, fred) = (engine(server.port, Driver::Native), engine(server.port, Driver::Fred));
    run(&native, &["SET", "victim", "theirs"]).await.unwrap();
    for word in WORDS {
        run(&native, &["DEL", "list", "zset", "hash", "small"]).await.unwrap();
        run(&native, &["HSET", "small", word, "x", "y", "z"]).await.unwrap();
        for at in 0..7 {
            let (key, value) = (format!("key{at}"), if at == 0 { word.to_owned() } else { format!("~{at}") });
            run(&native, &["SET", &key, &value]).await.unwrap();
            run(&native, &["HSET", "hash", &key, &value]).await.unwrap();
            run(&native, &["RPUSH", "list", &value]).await.unwrap();
            run(&native, &["ZADD", "zset", &at.to_string(), &value]).await.unwrap();
        }
        let mut all: Vec<Vec<String>> = (1..=7).flat_map(reads).collect();
        all.push(vec!["HGETALL".into(), "small".into()]);
        all.push(vec!["HKEYS".into(), "small".into()]);
        for read in all {
            let words: Vec<&str> = read.iter().map(String::as_str).collect();
            let expected = run(&native, &words).await;
            let (reply, victim) = tokio::join!(run(&fred, &words), run(&fred, &["GET", "victim"]));
            assert_eq!(reply, expected, "{words:?} with {word}");
            assert_eq!(victim, Ok(Reply::text("theirs")), "{words:?} with {word}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_cannot_be_kept_from_such_a_reply_is_unsupported_and_nothing_is_sent() {
    let server = Server::start();
    let fred = engine(server.port, Driver::Fred);
    for words in [
        &["FCALL", "function", "0"][..],
        &["EVALSHA", "0123456789012345678901234567890123456789", "0"],
        &["ACL", "USERS"],
        &["NO.SUCH", "command"],
        &["BZPOPMIN", "message", "0.01"],
        &["GET key"],
    ] {
        let (kind, text) = run(&fred, words).await.unwrap_err();
        assert_eq!(kind, Kind::Unsupported, "{words:?}: {text}");
        assert!(text.contains("fred"), "{text}");
    }
    // Others of the same round are executed.
    let replies = run_all(&fred, &[&["SET", "a", "1"], &["FCALL", "f", "0"], &["INCR", "a"]]).await;
    assert_eq!(replies[0], Ok(Reply::text("OK")));
    assert_eq!(replies[1].as_ref().unwrap_err().0, Kind::Unsupported);
    assert_eq!(replies[2], Ok(Reply::Int(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn errors_are_those_of_the_server() {
    let server = Server::start();
    let (native, fred) = (engine(server.port, Driver::Native), engine(server.port, Driver::Fred));
    run(&native, &["SET", "text", "x"]).await.unwrap();
    for words in [
        &["LRANGE", "text", "0", "-1"][..],
        &["INCR", "text"],
        &["HGETALL", "text"],
        &["EVAL", "return redis.error_reply('MINE of the script')", "0"],
        &["EVAL", "return {err = 'MINE of the script'}", "0"],
        &["EVAL", "return {1, redis.pcall('INCR', KEYS[1])}", "1", "text"],
        &["EVAL", "return", "0"],
        &["EVAL", "return 'a', 'b'", "0"],
        &["EVAL", "return {false, 1.9, true, {'message', 'b', 'c'}}", "0"],
        &["SET", "text"],
    ] {
        assert_eq!(run(&fred, words).await, run(&native, words).await, "{words:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bytes_that_are_not_utf8_arrive_as_they_are() {
    let server = Server::start();
    let (native, fred) = (engine(server.port, Driver::Native), engine(server.port, Driver::Fred));
    for words in [
        &[&b"EVAL"[..], b"return '\xff\xfe\0'", b"0"][..],
        &[b"EVAL", b"return {ARGV[1], #ARGV[1], KEYS[1]}", b"1", b"k\xff", b"\xff\r\n\0"],
        &[b"SET", b"\xff", b"\xff\r\n\0"],
        &[b"SORT", b"\xfe", b"BY", b"nosort", b"GET", b"\xff"],
        &[b"MGET", b"\xff", b"\xfe", b"\xfd"],
    ] {
        assert_eq!(run(&fred, words).await, run(&native, words).await, "{words:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lists_have_any_length_and_are_read_from_any_number_of_keys() {
    let server = Server::start();
    let (native, fred) = (engine(server.port, Driver::Native), engine(server.port, Driver::Fred));
    let words = |name: &str, words: &[String]| [&[name.to_owned()], words].concat();
    for count in [1, 99, 100, 101, 7_899, 7_900, 8_000, 20_000] {
        let keys: Vec<_> = (0..count).map(|at| format!("key{at}")).collect();
        run(&native, &["DEL", "set"]).await.unwrap();
        run(&native, &words("SADD", &words("set", &keys))).await.unwrap();
        run(&native, &["SADD", &keys[0], "message"]).await.unwrap();
        run(&native, &["SADD", &keys[count - 1], "b", "c"]).await.unwrap();
        for read in [words("SUNION", &keys), words("SDIFF", &keys), words("SMEMBERS", &["set".into()])] {
            assert_eq!(sorted(run(&fred, &read).await), sorted(run(&native, &read).await), "{} of {count}", read[0]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lists_are_read_by_eval_and_need_its_permission() {
    let server = Server::start();
    let (native, fred) = (engine(server.port, Driver::Native), engine(server.port, Driver::Fred));
    run(&fred, &["RPUSH", "list", "a"]).await.unwrap();
    run(&native, &["ACL", "SETUSER", "default", "-eval"]).await.unwrap();
    let read = &["LRANGE", "list", "0", "-1"];
    assert_eq!(run(&native, read).await, Ok(Reply::Array(vec![Reply::text("a")])));
    let (kind, text) = run(&fred, read).await.unwrap_err();
    assert!(kind == Kind::Auth && text.contains("NOPERM") && text.contains("eval"), "{kind:?}: {text}");
    assert_eq!(run(&fred, &["LLEN", "list"]).await, Ok(Reply::Int(1)));
}

/// fred drops such an error, and gives the reply behind it to its caller.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_error_that_is_not_utf8_never_leads_to_the_reply_of_another_call() {
    let server = Server::start();
    let fred = engine(server.port, Driver::Fred);
    run(&fred, &["SET", "victim", "theirs"]).await.unwrap();
    let raises: &[&[u8]] = &[b"EVAL", b"return redis.error_reply(ARGV[1])", b"0", b"MINE \xff"];
    let makes: &[&[u8]] = &[b"EVAL", br"error('MINE \255')", b"0"];
    let quotes: &[&[u8]] = &[b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", b"key\xff", b">"];
    let long = format!("a{}", "я".repeat(99));
    let in_two: &[&[u8]] = &[b"CONFIG", b"SET", long.as_bytes(), b"1"];
    for mine in [raises, makes, quotes, in_two] {
        for _ in 0..3 {
            let victim: &[&[u8]] = &[b"GET", b"victim"];
            let replies = run_all(&fred, &[victim, mine, victim, victim]).await;
            for (at, reply) in replies.into_iter().enumerate() {
                match reply {
                    Ok(value) => assert!(at != 1 && value == Reply::text("theirs"), "{mine:?}: {at} got {value:?}"),
                    Err((kind, text)) => assert_ne!(kind, Kind::Timeout, "{mine:?}: {at}: {text}"),
                }
            }
        }
    }
}

/// The elements of an array, in an order of their own.
fn sorted(reply: Ended) -> Vec<String> {
    let Ok(Reply::Array(items)) = reply else { panic!("{reply:?}") };
    let mut items: Vec<_> = items.iter().map(|item| format!("{item:?}")).collect();
    items.sort_unstable();
    items
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_that_is_lost_is_replaced_and_its_writes_may_be_applied() {
    let server = Server::start();
    let (native, fred) = (engine(server.port, Driver::Native), engine(server.port, Driver::Fred));
    run(&fred, &["SET", "a", "1"]).await.unwrap();
    let busy = {
        let fred = fred.clone();
        tokio::spawn(async move { run(&fred, &["EVAL", "while true do end", "0"]).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    let lost = {
        let fred = fred.clone();
        tokio::spawn(async move { run(&fred, &["INCR", "a"]).await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(server);
    assert_eq!(busy.await.unwrap().unwrap_err().0, Kind::MaybeApplied);
    assert_eq!(lost.await.unwrap().unwrap_err().0, Kind::MaybeApplied);
    let (kind, text) = run(&fred, &["GET", "a"]).await.unwrap_err();
    assert_eq!(kind, Kind::Unavailable, "{text}");
    drop(native);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_password_is_needed_and_checked() {
    let server = Server::with(&["--requirepass", "hush"]);
    let at = |auth: &str| {
        let options = Options {
            url: Some(format!("redis://{auth}127.0.0.1:{}/3", server.port)),
            driver: Some(Driver::Fred),
            ..Options::default()
        };
        let settings = Settings::resolve(options, &Environment(HashMap::new())).unwrap().settings;
        Engine::new(&settings, Arc::new(EventEmitter::default())).unwrap()
    };
    assert_eq!(run(&at(":hush@"), &["SET", "a", "1"]).await, Ok(Reply::text("OK")));
    for auth in ["", ":wrong@", "user:hush@"] {
        let (kind, text) = run(&at(auth), &["SET", "a", "1"]).await.unwrap_err();
        assert_eq!(kind, Kind::Auth, "{auth}: {text}");
        assert!(!text.contains("hush"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_failed_connection_is_explained_as_by_the_native_driver() {
    let server = Server::with(&["--requirepass", "hush", "--databases", "2"]);
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in [
        format!("redis://127.0.0.1:{unused}"),
        format!("rediss://:hush@127.0.0.1:{}", server.port),
        format!("redis://127.0.0.1:{}", server.port),
        format!("redis://user:hush@127.0.0.1:{}", server.port),
        format!("redis://:hush@127.0.0.1:{}/2", server.port),
        "redis://no-such-host.invalid".to_owned(),
        "unix:/no/such/socket".to_owned(),
    ] {
        let ended = async |driver| {
            let options = Options { url: Some(url.clone()), driver: Some(driver), ..Options::default() };
            let settings = Settings::resolve(options, &Environment(HashMap::new())).unwrap().settings;
            run(&Engine::new(&settings, Arc::new(EventEmitter::default())).unwrap(), &["GET", "a"]).await.unwrap_err()
        };
        assert_eq!(ended(Driver::Fred).await, ended(Driver::Native).await, "{url}");
    }
}
