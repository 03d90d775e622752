//! The positions of the keys among the arguments of each command: one table for raw commands, for the order of calls and for slots.

use std::{collections::HashMap, sync::LazyLock};

use bytes::Bytes;

use super::Keys;

/// Which arguments of a command are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPositions {
    /// No argument.
    None,
    /// No argument, and the command affects all keys.
    WholeKeyspace,
    /// The first argument.
    First,
    /// The first two arguments.
    Two,
    /// The second argument, after a subcommand.
    Second,
    /// All arguments.
    All,
    /// All arguments but the last.
    ButLast,
    /// All arguments but the first.
    ButFirst,
    /// Every other argument: key, value, key, value…
    Pairs,
    /// Those after the argument at this index, which is their number.
    Counted(usize),
    /// The first half of the arguments after `STREAMS`.
    Streams,
    /// Several, at positions that depend on the other arguments. The first one is at this index.
    Irregular(usize),
}

impl KeyPositions {
    /// Returns the keys among these arguments; unknown as well if the number of keys cannot be read.
    pub fn keys(self, args: &[Bytes]) -> Keys {
        let at = |first: usize, count: usize, step| {
            Keys::at(first, count.min(args.len().saturating_sub(first).div_ceil(usize::from(step))), step)
        };
        let all = args.len();
        match self {
            Self::None => at(0, 0, 1),
            Self::First => at(0, 1, 1),
            Self::Two => at(0, 2, 1),
            Self::Second => at(1, 1, 1),
            Self::All => at(0, all, 1),
            Self::ButLast => at(0, all.saturating_sub(1), 1),
            Self::ButFirst => at(1, all, 1),
            Self::Pairs => at(0, all, 2),
            Self::Counted(at_count) => {
                let count = args.get(at_count).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
                count.map_or(Keys::Unknown, |count| at(at_count + 1, count, 1))
            }
            Self::Streams => {
                let streams = args.iter().position(|word| word.eq_ignore_ascii_case(b"STREAMS"));
                streams.map_or(Keys::Unknown, |index| at(index + 1, (all - index - 1) / 2, 1))
            }
            Self::WholeKeyspace | Self::Irregular(_) => Keys::Unknown,
        }
    }

    /// Returns the argument that is most likely a key, for commands whose keys are unknown.
    pub fn guess(self, args: &[Bytes]) -> Option<&Bytes> {
        match self {
            Self::None | Self::WholeKeyspace => None,
            Self::Counted(at_count) => args.get(at_count + 1).filter(|_| args[at_count][..] != b"0"[..]),
            Self::Irregular(first) => args.get(first),
            _ => args.first(),
        }
    }
}

/// Returns the key positions of the command with this upper-case name; `None` if it is not in the table.
pub fn find(name: &str) -> Option<KeyPositions> {
    BY_NAME.get(name).copied()
}

/// Returns the names of all commands in the table.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}

static BY_NAME: LazyLock<HashMap<&str, KeyPositions>> = LazyLock::new(|| {
    TABLE.iter().flat_map(|(keys, names)| names.split_ascii_whitespace().map(|name| (name, *keys))).collect()
});

/// The commands of Redis 6.2 to 8.4 and Valkey up to 9.0.
const TABLE: [(KeyPositions, &str); 15] = [
    (
        KeyPositions::None,
        "
        ACL BGREWRITEAOF BGSAVE CLIENT CLUSTER COMMAND COMMANDLOG CONFIG DBSIZE DEBUG ECHO FAILOVER FUNCTION INFO KEYS LASTSAVE
        LATENCY LOLWUT MODULE PING PUBLISH PUBSUB RANDOMKEY REPLICAOF ROLE SAVE SCAN SCRIPT SHUTDOWN SLAVEOF SLOWLOG TIME
        ",
    ),
    (KeyPositions::WholeKeyspace, "FLUSHALL FLUSHDB SWAPDB"),
    (
        KeyPositions::First,
        "
        APPEND BITCOUNT BITFIELD BITFIELD_RO BITPOS DECR DECRBY DELEX DELIFEQ DIGEST DUMP EXPIRE EXPIREAT EXPIRETIME GEOADD
        GEODIST GEOHASH GEOPOS GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL HEXISTS
        HEXPIRE HEXPIREAT HEXPIRETIME HGET HGETALL HGETDEL HGETEX HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HPERSIST HPEXPIRE
        HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSET HSETEX HSETNX HSTRLEN HTTL HVALS INCR INCRBY INCRBYFLOAT LINDEX
        LINSERT LLEN LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM MOVE PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PFADD PSETEX PTTL
        RESTORE RPOP RPUSH RPUSHX SADD SCARD SET SETBIT SETEX SETNX SETRANGE SISMEMBER SMEMBERS SMISMEMBER SPOP SPUBLISH
        SRANDMEMBER SREM SSCAN STRLEN SUBSTR TTL TYPE VADD VCARD VDIM VEMB VGETATTR VINFO VISMEMBER VLINKS VRANDMEMBER VRANGE
        VREM VSETATTR VSIM XACK XACKDEL XADD XAUTOCLAIM XCFGSET XCLAIM XDEL XDELEX XLEN XPENDING XRANGE XREVRANGE XSETID XTRIM
        ZADD ZCARD ZCOUNT ZINCRBY ZLEXCOUNT ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREM
        ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE
        ",
    ),
    (
        KeyPositions::Two,
        "BLMOVE BRPOPLPUSH COPY GEOSEARCHSTORE LCS LMOVE RENAME RENAMENX RPOPLPUSH SMOVE ZRANGESTORE",
    ),
    (KeyPositions::Second, "MEMORY OBJECT XGROUP XINFO"),
    (
        KeyPositions::All,
        "
        DEL EXISTS MGET PFCOUNT PFMERGE SDIFF SDIFFSTORE SINTER SINTERSTORE SUNION SUNIONSTORE TOUCH UNLINK
        ",
    ),
    (KeyPositions::ButLast, "BLPOP BRPOP BZPOPMAX BZPOPMIN"),
    (KeyPositions::ButFirst, "BITOP"),
    (KeyPositions::Pairs, "MSET MSETNX"),
    (KeyPositions::Counted(0), "LMPOP SINTERCARD ZDIFF ZINTER ZINTERCARD ZMPOP ZUNION"),
    (KeyPositions::Counted(1), "BLMPOP BZMPOP EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO"),
    (KeyPositions::Streams, "XREAD XREADGROUP"),
    (KeyPositions::Irregular(0), "GEORADIUS GEORADIUSBYMEMBER SORT SORT_RO ZDIFFSTORE ZINTERSTORE ZUNIONSTORE"),
    (KeyPositions::Irregular(1), "MSETEX"),
    (KeyPositions::Irregular(2), "MIGRATE"),
];
