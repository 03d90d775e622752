//! The commands of the raw client.

use std::{collections::HashMap, sync::LazyLock};

use cinnabar_port::key_positions::{self, KeyPositions};

use super::Shape;

/// A command the raw client has.
pub struct Command {
    /// Its upper-case name.
    pub name: &'static str,
    /// The positions of its keys.
    pub keys: KeyPositions,
    /// The shape of its result.
    pub shape: Shape,
    /// Whether it only reads, and so is idempotent.
    pub reads: bool,
    /// Whether a result can show that nothing was found or changed. A sum, a ttl or a status cannot.
    pub has_empty_result: bool,
}

/// Finds a command by its upper-case name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.get(name)
}

/// Returns the names of all commands.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.keys().copied()
}

macro_rules! commands {
    ($($name:literal $shape:ident $access:ident $empty:ident;)*) => {
        HashMap::from([$(($name, Command {
            name: $name,
            keys: key_positions::find($name).unwrap_or(KeyPositions::None),
            shape: Shape::$shape,
            reads: commands!($access),
            has_empty_result: commands!($empty),
        }),)*])
    };
    (reads) => { true };
    (writes) => { false };
    (nullable) => { true };
    (strict) => { false };
}

static COMMANDS: LazyLock<HashMap<&str, Command>> = LazyLock::new(|| {
    commands! {
        "GET" Text reads nullable;
        "SET" Text writes nullable;
        "MGET" Values reads nullable;
        "MSET" Status writes strict;
        "INCR" Number writes strict;
        "INCRBY" Number writes strict;
        "DECR" Number writes strict;
        "DECRBY" Number writes strict;
        "DEL" Number writes nullable;
        "UNLINK" Number writes nullable;
        "EXISTS" Number reads nullable;
        "EXPIRE" Flag writes nullable;
        "PEXPIRE" Flag writes nullable;
        "PERSIST" Flag writes nullable;
        "TTL" Number reads strict;
        "PTTL" Number reads strict;
        "TYPE" Status reads strict;
        "HSET" Number writes nullable;
        "HGET" Text reads nullable;
        "HGETALL" Record reads nullable;
        "HDEL" Number writes nullable;
        "HEXISTS" Flag reads nullable;
        "HKEYS" Texts reads nullable;
        "HVALS" Texts reads nullable;
        "HLEN" Number reads nullable;
        "HMGET" Fields reads nullable;
        "HINCRBY" Number writes strict;
        "LPUSH" Number writes nullable;
        "RPUSH" Number writes nullable;
        "LRANGE" Texts reads nullable;
        "LTRIM" Status writes strict;
        "LLEN" Number reads nullable;
        "LPOP" Popped writes nullable;
        "RPOP" Popped writes nullable;
        "SADD" Number writes nullable;
        "SREM" Number writes nullable;
        "SMEMBERS" Texts reads nullable;
        "SISMEMBER" Flag reads nullable;
        "SCARD" Number reads nullable;
        "ZADD" Number writes nullable;
        "ZRANGE" Texts reads nullable;
        "ZREVRANGE" Texts reads nullable;
        "ZRANGEBYSCORE" Texts reads nullable;
        "ZSCORE" Score reads nullable;
        "ZREM" Number writes nullable;
        "ZCARD" Number reads nullable;
        "ZINCRBY" Sum writes strict;
        "PUBLISH" Number writes nullable;
        "EVAL" Plain writes strict;
        "INFO" Status reads strict;
        "DBSIZE" Number reads nullable;
        "SCAN" Scanned reads strict;
        "PING" Status reads strict;
        "FLUSHALL" Status writes strict;
        "FLUSHDB" Status writes strict;
    }
});
