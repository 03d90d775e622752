//! Random commands in sequences, on few keys so that they meet. A sequence that ever failed is kept beside this file.

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};

use crate::pair::{Pair, words};
use crate::wire::Words;

/// How many sequences, each of 1 to `LENGTH` commands: 60,000 commands on average. `PROPTEST_CASES` overrides this.
const SEQUENCES: u32 = 1500;
const LENGTH: usize = 80;

/// Commands with holes: `$k` key, `$f` field or member, `$v` value, `$i` whole number, `$s` score, `$l` limit of scores,
/// `$o` option of ZADD, `$d` date. Dates are compared with dates only: two spans of one length end at different times.
const LINES: &str = "
GET $k|SET $k $v|SET $k $v NX|SET $k $v XX GET|SET $k $v EX 1000|SET $k $v KEEPTTL|SET $k $v PXAT 1|SETNX $k $v
GETSET $k $v|GETDEL $k|GETEX $k PERSIST|GETEX $k EX 2000|STRLEN $k|APPEND $k $v|GETRANGE $k $i $i|SETRANGE $k $i $v
INCR $k|DECR $k|INCRBY $k $i|DECRBY $k $i|MGET $k $k|MSET $k $v $k $v|MSETNX $k $v $k $v
DEL $k|UNLINK $k $k|EXISTS $k $k|TYPE $k|RENAME $k $k
EXPIRE $k 3000|EXPIRE $k 3000 NX|EXPIREAT $k $d GT|EXPIREAT $k $d LT|EXPIREAT $k $d XX|EXPIRETIME $k|PEXPIREAT $k 1|PERSIST $k|TTL $k|PTTL $k
HSET $k $f $v|HSET $k $f $v $f $v|HSETNX $k $f $v|HGET $k $f|HMGET $k $f $f|HGETALL $k|HKEYS $k|HVALS $k|HDEL $k $f
HDEL $k $f $f $f|HEXISTS $k $f|HLEN $k|HINCRBY $k $f $i
LPUSH $k $v|RPUSH $k $v $v|LPUSHX $k $v|RPUSHX $k $v|LPOP $k|RPOP $k|LPOP $k $i|RPOP $k $i|LLEN $k|LRANGE $k $i $i
LRANGE $k 0 -1|LTRIM $k $i $i|LTRIM $k 0 5|LREM $k $i $v|LINDEX $k $i|LSET $k $i $v
SADD $k $f|SADD $k $f $f $v|SREM $k $f|SREM $k $f $f $f|SMEMBERS $k|SISMEMBER $k $f|SMISMEMBER $k $f $f|SCARD $k|SPOP $k 100|SRANDMEMBER $k 100
ZADD $k $s $f|ZADD $k $s $f $s $f $s $f|ZADD $k $o $s $f|ZADD $k $o $o $s $f|ZINCRBY $k $s $f|ZREM $k $f|ZSCORE $k $f
ZMSCORE $k $f $f|ZCARD $k|ZRANK $k $f|ZREVRANK $k $f|ZPOPMIN $k|ZPOPMAX $k $i|ZRANGE $k 0 -1 WITHSCORES|ZRANGE $k $i $i
ZRANGE $k $i $i REV WITHSCORES|ZRANGE $k $l $l BYSCORE|ZRANGE $k $l $l BYSCORE REV LIMIT $i $i|ZREVRANGE $k $i $i
ZRANGEBYSCORE $k $l $l|ZRANGEBYSCORE $k $l $l WITHSCORES LIMIT $i $i|ZREVRANGEBYSCORE $k $l $l|ZCOUNT $k $l $l
ZREMRANGEBYSCORE $k $l $l|ZREMRANGEBYRANK $k $i $i
KEYS *|KEYS k[12]|SCAN 0 COUNT 100|SCAN 0 COUNT 100 TYPE hash|FLUSHALL|PUBLISH $k $v|SPUBLISH $k $v|ECHO $v
";

fn choices(hole: u8) -> &'static [&'static str] {
    match hole {
        b'k' => &["k1", "k2", "k3"],
        b'f' => &["a", "b", "c", "d", "1"],
        b'v' => &["a", "b", "10", "-3", "\"\"", "3.5", "9223372036854775807", "hello", "007"],
        b'i' => &["0", "1", "-1", "2", "-2", "5", "-100", "100", "x", "9223372036854775807", "-9223372036854775808"],
        b's' => &["0", "1", "-1", "2", "2.5", "0.1", "1e17", "inf", "-inf", "-0", "3", "x"],
        b'l' => &["-inf", "+inf", "0", "1", "2", "(1", "(2", "(2.5", "(inf", "(-inf", "x", "(0"],
        b'd' => &["99999999998", "99999999999", "99999999999999", "1"],
        b'o' => &["NX", "XX", "GT", "LT", "CH", "INCR"],
        _ => &["?"],
    }
}

/// Fills the holes of a line with the choices of these numbers.
fn filled(line: &str, chosen: &[u8]) -> Words {
    let mut chosen = chosen.iter().cycle();
    let fill = |word: &str| match word.as_bytes() {
        [b'$', hole] => {
            let all = choices(*hole);
            all[usize::from(*chosen.next().unwrap_or(&0)) % all.len()].to_owned()
        }
        _ => word.to_owned(),
    };
    words(&line.split(' ').map(fill).collect::<Vec<_>>().join(" "))
}

#[test]
fn random_commands_return_the_same() {
    let lines: Vec<&str> = LINES.split(['|', '\n']).filter(|line| !line.is_empty()).collect();
    let one = (0..lines.len(), proptest::array::uniform8(any::<u8>()));
    let sequence = proptest::collection::vec(one, 1..=LENGTH);
    let kept = FileFailurePersistence::Direct("tests/engines/random.regressions");
    let cases = Config::default().cases.max(SEQUENCES);
    let config = Config { cases, failure_persistence: Some(Box::new(kept)), ..Config::default() };
    let pair = std::cell::RefCell::new(Pair::start());
    let outcome = TestRunner::new(Config { source_file: Some(file!()), ..config }).run(&sequence, |sequence| {
        let commands = std::iter::once(words("FLUSHALL"));
        let commands: Vec<Words> =
            commands.chain(sequence.iter().map(|(line, chosen)| filled(lines[*line], chosen))).collect();
        match pair.borrow_mut().differ(&commands) {
            Some(difference) => Err(TestCaseError::fail(difference)),
            None => Ok(()),
        }
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
