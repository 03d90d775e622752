//! Transactions.

use bytes::Bytes;
use cinnabar_port::{Args, Keys, Reply, Request, Transaction, Verb};

use crate::pair::{How, Pair, request, same, words};
use crate::wire::{Outcome, Words};

/// Before them `s` is a string, `h` a hash, `l` a list and `z` a sorted set.
const LINES: &[&str] = &[
    "GET s",
    "GET s | SET s new | GET s",
    "GET missing | LPOP missing | HGETALL missing",
    "INCR n | INCRBY n 5 | DECR n",
    "SET n 9007199254740993 | INCR n | INCRBY n 9007199254740993",
    "STRLEN s | HGETALL h | LRANGE l 0 -1 | ZRANGE z 0 -1 WITHSCORES",
    "TYPE s | TYPE h | TYPE l | TYPE missing",
    "HMGET h a missing b | HSET h a 9 c 3",
    "ZADD z 2.5 c | ZSCORE z c",
    "SET s 1 EX 1000 | TTL s | SET s 2 NX",
    "EXPIRE s 1000 | PERSIST s",
    "PEXPIREAT s 1 | GET s",
    "DEL s h | MGET s h",
    // A command that fails does not undo the others.
    "SET s half | GET h | APPEND s done",
    "INCR s | GET s",
    "SET s x EX 0 | GET s",
    // A command that is rejected when queued discards the transaction.
    "SET s new | GET | GET s",
    "PUBLISH channel message | ECHO word",
    "EVAL 'return {1, {2, false, 3}}' 0 | SCRIPT FLUSH | EVALSHA 0000000000000000000000000000000000000000 0",
    "EVAL 'return redis.call(\"INCR\", KEYS[1])' 1 n | EVAL 'return redis.error_reply(\"MY words\")' 0 | GET n",
    "SET s '' | GET s",
    "SET s 'two words' | GET s",
    "SET s '\\0\\n' | GET s",
];

#[test]
fn transactions_return_the_same() {
    let mut pair = Pair::start();
    for commands in LINES {
        compare(&mut pair, &commands.split(" | ").map(words).collect::<Vec<_>>());
    }
}

#[test]
fn long_transactions_return_the_same() {
    let mut pair = Pair::start();
    let push = [words("RPUSH many"), vec![b"x".to_vec(); 8_500]].concat();
    compare(&mut pair, &[words("SET s first"), push, words("LLEN many")]);
    compare(&mut pair, &vec![words("INCR n"); 5_000]);
}

fn compare(pair: &mut Pair, commands: &[Words]) {
    pair.check(&["SET s hello", "HSET h a 1 b 2", "RPUSH l x y z", "ZADD z 1 a 2 b"]);
    let theirs = on_server(pair, commands);
    let ours =
        pair.engine.execute_blocking(&[transaction(commands)]).remove(0).map_err(|error| error.message().to_owned());
    let shown: Vec<_> =
        commands.iter().take(12).map(|words| String::from_utf8_lossy(&words.join(&b' ')).into_owned()).collect();
    let (ours, theirs) = (short(ours), short(theirs));
    assert!(same(&ours, &theirs, How::Exactly), "{shown:?}\n  embedded: {ours:?}\n  server:   {theirs:?}");
    let after = ["GET s", "TTL s", "HGETALL h", "LLEN many", "GET n", "KEYS *"].map(words);
    assert_eq!(pair.differ(&after), None, "after {shown:?}");
}

/// Returns the reply of `EXEC`, or the error of a rejected command.
fn on_server(pair: &mut Pair, commands: &[Words]) -> Outcome {
    let all: Vec<_> = [words("MULTI")].into_iter().chain(commands.iter().cloned()).chain([words("EXEC")]).collect();
    let mut replies = pair.wire.exchange(&all);
    let done = replies.pop().expect("a reply to EXEC");
    done.map_err(|_| replies.into_iter().find_map(Result::err).expect("a reason"))
}

fn transaction(commands: &[Words]) -> Request {
    let requests = commands.iter().map(request).collect();
    let mut whole = Request::with_keys("MULTI", Args::new(), 0);
    whole.keys = Keys::Unknown;
    whole.verb = Verb::Transaction(Box::new(Transaction { requests, dedicated: false, followed_by: None }));
    whole
}

/// Removes the script that an error arose in, which versions describe differently.
fn short(outcome: Outcome) -> Outcome {
    let cut = |text: &str| text.split(" script: ").next().unwrap_or_default().to_owned();
    match outcome {
        Ok(Reply::Array(items)) => Ok(Reply::Array(
            items
                .into_iter()
                .map(|item| match item {
                    Reply::Error(text) => Reply::Error(Bytes::from(cut(&String::from_utf8_lossy(&text)))),
                    item => item,
                })
                .collect(),
        )),
        Ok(reply) => Ok(reply),
        Err(text) => Err(cut(&text)),
    }
}
