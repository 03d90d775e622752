//! Where the keys of each command are among its arguments: the one table for raw commands, their order and their slots.

use std::{collections::HashMap, sync::LazyLock};

use bytes::Bytes;

use super::Keys;

/// Where the keys of a command are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nowhere.
    None,
    /// It is about all keys.
    Everything,
    /// The first argument.
    First,
    /// The first two.
    Two,
    /// The second one, after a subcommand.
    Second,
    /// All arguments.
    All,
    /// All but the last.
    ButLast,
    /// All but the first.
    ButFirst,
    /// Every other one.
    Pairs,
    /// Behind the argument at this index, which is their number.
    Counted(usize),
    /// The first half of what is behind `STREAMS`.
    Streams,
    /// In several places, or among others. The first one is at this index.
    Several(usize),
}

impl Place {
    /// The keys among these arguments. Unknown as well where the number of keys is not readable.
    pub fn keys(self, args: &[Bytes]) -> Keys {
        let at = |first: usize, count: usize, step| {
            let most = args.len().saturating_sub(first).div_ceil(usize::from(step));
            let count = count.min(most).min(usize::from(u16::MAX)) as u16;
            Keys::At { first: first as u16, count, step }
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
            Self::Counted(place) => {
                let count = args.get(place).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
                count.map_or(Keys::Unknown, |count| at(place + 1, count, 1))
            }
            Self::Streams => {
                let streams = args.iter().position(|word| word.eq_ignore_ascii_case(b"STREAMS"));
                streams.map_or(Keys::Unknown, |place| at(place + 1, (all - place - 1) / 2, 1))
            }
            Self::Everything | Self::Several(_) => Keys::Unknown,
        }
    }

    /// A guess at one of the keys, where they are unknown.
    pub fn guess(self, args: &[Bytes]) -> Option<&Bytes> {
        match self {
            Self::None | Self::Everything => None,
            Self::Counted(place) => args.get(place + 1).filter(|_| args[place][..] != b"0"[..]),
            Self::Several(first) => args.get(first),
            _ => args.first(),
        }
    }
}

/// Where the keys of the command of this upper-case name are; `None` if it is not known.
pub fn find(name: &str) -> Option<Place> {
    BY_NAME.get(name).copied()
}

/// The names of all known commands.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}

static BY_NAME: LazyLock<HashMap<&str, Place>> = LazyLock::new(|| {
    PLACES.iter().flat_map(|(place, names)| names.split_ascii_whitespace().map(|name| (name, *place))).collect()
});

/// Redis 6.2 to 8.4 and Valkey up to 9.0.
const PLACES: [(Place, &str); 15] = [
    (
        Place::None,
        "
        ACL BGREWRITEAOF BGSAVE CLIENT CLUSTER COMMAND COMMANDLOG CONFIG DBSIZE DEBUG ECHO FAILOVER FUNCTION INFO KEYS LASTSAVE
        LATENCY LOLWUT MODULE PING PUBLISH PUBSUB RANDOMKEY REPLICAOF ROLE SAVE SCAN SCRIPT SHUTDOWN SLAVEOF SLOWLOG TIME
        ",
    ),
    (Place::Everything, "FLUSHALL FLUSHDB SWAPDB"),
    (
        Place::First,
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
        Place::Two,
        "BLMOVE BRPOPLPUSH COPY GEOSEARCHSTORE LCS LMOVE RENAME RENAMENX RPOPLPUSH SMOVE ZRANGESTORE",
    ),
    (Place::Second, "MEMORY OBJECT XGROUP XINFO"),
    (
        Place::All,
        "
        DEL EXISTS MGET PFCOUNT PFMERGE SDIFF SDIFFSTORE SINTER SINTERSTORE SUNION SUNIONSTORE TOUCH UNLINK
        ",
    ),
    (Place::ButLast, "BLPOP BRPOP BZPOPMAX BZPOPMIN"),
    (Place::ButFirst, "BITOP"),
    (Place::Pairs, "MSET MSETNX"),
    (Place::Counted(0), "LMPOP SINTERCARD ZDIFF ZINTER ZINTERCARD ZMPOP ZUNION"),
    (Place::Counted(1), "BLMPOP BZMPOP EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO"),
    (Place::Streams, "XREAD XREADGROUP"),
    (Place::Several(0), "GEORADIUS GEORADIUSBYMEMBER SORT SORT_RO ZDIFFSTORE ZINTERSTORE ZUNIONSTORE"),
    (Place::Several(1), "MSETEX"),
    (Place::Several(2), "MIGRATE"),
];
