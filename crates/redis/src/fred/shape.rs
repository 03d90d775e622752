//! What keeps a reply from being one that fred takes for a message.
//!
//! fred looks for messages by content on every connection: an array of three to five elements is dropped as one if its first
//! element is `message`, `subscribe` or the like, even if a caller has stored that, and from then on each reply goes to the wrong
//! caller. So no command is sent whose reply may be such an array.

use std::{collections::HashMap, sync::LazyLock};

use bytes::Bytes;
use cinnabar_port::{
    Keys, Request, Verb,
    error::{Error, Kind, Result},
    key_positions,
};

/// How a command is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As it is: its reply is never such an array.
    Plain,
    /// With its last argument repeated until there are `LONG` elements: its reply has one element for each argument but so many.
    Padded { others: usize },
    /// By a script, whose reply begins with a number.
    Wrapped,
    /// It is a script.
    Script,
    /// It is the name of a script that was sent before.
    Named,
    /// Not at all.
    Unknown,
}

/// An array of this length is no message.
pub const LONG: usize = 6;
/// The lengths that fred looks at.
const SHORT: std::ops::RangeInclusive<usize> = 3..=5;

/// The words by which fred recognises messages.
const WORDS: [&[u8]; 9] = [
    b"message",
    b"pmessage",
    b"smessage",
    b"subscribe",
    b"psubscribe",
    b"unsubscribe",
    b"punsubscribe",
    b"sunsubscribe",
    b"pubsub",
];

/// How the command of this upper-case name is sent with these arguments.
pub fn of(name: &str, args: &[Bytes]) -> Shape {
    let padded = |others: usize| match args.len().checked_sub(others) {
        Some(count) if SHORT.contains(&count) => Shape::Padded { others },
        _ => Shape::Plain,
    };
    match name {
        "MGET" => padded(0),
        "HMGET" => padded(1),
        "EVAL" | "EVAL_RO" => Shape::Script,
        "EVALSHA" => Shape::Named,
        // Without a count, the reply is one element.
        "LPOP" | "RPOP" | "SPOP" | "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" if args.len() < 2 => Shape::Plain,
        // The first element is the key.
        "BZPOPMIN" | "BZPOPMAX" if !args.iter().any(|key| WORDS.contains(&&key[..])) => Shape::Plain,
        _ if CONTAINERS.contains_key(name) => {
            let subcommand = args.first().map(|word| String::from_utf8_lossy(word).to_ascii_uppercase());
            let is_plain = subcommand.is_some_and(|word| CONTAINERS[name].split(' ').any(|known| known == word));
            if is_plain { Shape::Plain } else { Shape::Unknown }
        }
        _ => SHAPES.get(name).copied().unwrap_or(Shape::Unknown),
    }
}

/// Refuses a request that cannot be kept from a reply that fred takes for a message.
///
/// # Errors
/// `E_UNSUPPORTED` with the reason.
pub fn check(request: &Request) -> Result<()> {
    let (name, named) = match &request.verb {
        Verb::Command(name) => (*name, false),
        Verb::Custom(name) => (&name[..], true),
        Verb::Dedicated(command) => (&command.name[..], true),
        Verb::Transaction(transaction) => {
            return transaction.requests.iter().chain(&transaction.followed_by).try_for_each(check);
        }
        // They are wrapped.
        Verb::Script(_) | Verb::Many(_) => return Ok(()),
    };
    let upper = name.to_ascii_uppercase();
    let shape = of(&upper, &request.args);
    let why = match shape {
        Shape::Unknown => "its reply may be an array that fred takes for a message and drops",
        // The script may have been loaded by anyone, and was not wrapped then.
        Shape::Named if named => "its reply may be an array that fred takes for a message and drops; use EVAL",
        Shape::Wrapped if keys(&upper, &request.args).is_none() => "its keys are not known, so no script can run it",
        _ => return Ok(()),
    };
    let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    Err(Error::new(
        Kind::Unsupported,
        format!("{name} cannot be used with driver: 'fred': {why}; the native driver can"),
    ))
}

/// The keys of a command, for the script that runs it; where they are among other arguments, one of them.
pub fn keys(name: &str, args: &[Bytes]) -> Option<Vec<Bytes>> {
    let positions = key_positions::find(name)?;
    match positions.keys(args) {
        Keys::At { first, count, step: 1 } => {
            Some(args.iter().skip(first as usize).take(count as usize).cloned().collect())
        }
        _ => positions.guess(args).map(|key| vec![key.clone()]),
    }
}

static SHAPES: LazyLock<HashMap<&str, Shape>> = LazyLock::new(|| {
    let plain = PLAIN.split_ascii_whitespace().map(|name| (name, Shape::Plain));
    plain.chain(LISTS.split_ascii_whitespace().map(|name| (name, Shape::Wrapped))).collect()
});

static CONTAINERS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| PLAIN_SUBCOMMANDS.into_iter().collect());

/// Reply with a number, a status, a string, two elements, arrays of arrays, or an array that begins with a number, an id or a
/// word of the server's own.
const PLAIN: &str = "
    APPEND ASKING BGREWRITEAOF BGSAVE BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH
    BZMPOP COPY DBSIZE DECR DECRBY DEL DELEX DELIFEQ DIGEST DUMP ECHO EXISTS EXPIRE EXPIREAT EXPIRETIME FAILOVER
    FLUSHALL FLUSHDB GEOADD GEODIST GEOHASH GEOPOS GEOSEARCHSTORE GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL
    HEXISTS HEXPIRE HEXPIREAT HEXPIRETIME HGET HINCRBY HINCRBYFLOAT HLEN HMSET HPERSIST HPEXPIRE HPEXPIREAT
    HPEXPIRETIME HPTTL HSCAN HSET HSETEX HSETNX HSTRLEN HTTL INCR INCRBY INCRBYFLOAT INFO LASTSAVE LCS LINDEX LINSERT
    LLEN LMOVE LMPOP LOLWUT LPOS LPUSH LPUSHX LREM LSET LTRIM MIGRATE MOVE MSET MSETEX MSETNX PERSIST PEXPIRE
    PEXPIREAT PEXPIRETIME PFADD PFCOUNT PFMERGE PING PSETEX PTTL PUBLISH RANDOMKEY RENAME RENAMENX REPLICAOF RESTORE
    ROLE RPOPLPUSH RPUSH RPUSHX SADD SAVE SCAN SCARD SDIFFSTORE SET SETBIT SETEX SETNX SETRANGE SINTERCARD
    SINTERSTORE SISMEMBER SLAVEOF SMISMEMBER SMOVE SPUBLISH SREM SSCAN STRLEN SUBSTR SUNIONSTORE SWAPDB TIME TOUCH
    TTL TYPE UNLINK WAIT WAITAOF XACK XACKDEL XADD XAUTOCLAIM XCFGSET XCLAIM XDEL XDELEX XLEN XPENDING XRANGE XREAD XREADGROUP
    XREVRANGE XSETID XTRIM ZADD ZCARD ZCOUNT ZDIFFSTORE ZINCRBY ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE
    ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNIONSTORE
";

/// Reply with a list of what callers have stored.
const LISTS: &str = "
    GEORADIUS GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH HGETALL HGETDEL HGETEX HKEYS HRANDFIELD
    HVALS KEYS LPOP LRANGE RPOP SDIFF SINTER SMEMBERS SORT SORT_RO SPOP SRANDMEMBER SUNION ZDIFF ZINTER ZPOPMAX
    ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZUNION
";

/// The subcommands of the same kind.
const PLAIN_SUBCOMMANDS: [(&str, &str); 13] = [
    ("ACL", "CAT DELUSER DRYRUN GENPASS GETUSER LOAD LOG SAVE SETUSER WHOAMI"),
    ("CLIENT", "GETNAME GETREDIR ID INFO KILL LIST PAUSE TRACKINGINFO UNBLOCK UNPAUSE"),
    (
        "CLUSTER",
        "ADDSLOTS ADDSLOTSRANGE BUMPEPOCH COUNT-FAILURE-REPORTS COUNTKEYSINSLOT DELSLOTS DELSLOTSRANGE FAILOVER FLUSHSLOTS \
         FORGET INFO KEYSLOT LINKS MEET MYID MYSHARDID NODES REPLICATE RESET SAVECONFIG SET-CONFIG-EPOCH SETSLOT SHARDS SLOTS",
    ),
    ("COMMAND", "COUNT INFO"),
    ("CONFIG", "GET RESETSTAT REWRITE SET"),
    ("FUNCTION", "DELETE DUMP FLUSH KILL LIST LOAD RESTORE STATS"),
    ("LATENCY", "DOCTOR GRAPH HISTORY LATEST RESET"),
    ("MEMORY", "DOCTOR MALLOC-STATS PURGE STATS USAGE"),
    ("OBJECT", "ENCODING FREQ IDLETIME REFCOUNT"),
    ("SCRIPT", "EXISTS FLUSH KILL LOAD"),
    ("SLOWLOG", "GET LEN RESET"),
    ("XGROUP", "CREATE CREATECONSUMER DELCONSUMER DESTROY SETID"),
    ("XINFO", "CONSUMERS GROUPS STREAM"),
];
