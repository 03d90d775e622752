//! Every command of the raw client.

use std::{collections::HashMap, sync::LazyLock};

use cinnabar_port::key_positions::{self, KeyPositions};

use super::Shape;

/// A command the raw client has.
pub struct Command {
    /// In capitals.
    pub name: &'static str,
    /// Where its keys are.
    pub place: KeyPositions,
    /// What it answers.
    pub shape: Shape,
    /// Whether it only reads, so that sending it twice does no harm.
    pub reads: bool,
    /// Whether its reply has a value that says that nothing is there or was changed. A sum, a ttl or a status has none.
    pub skips: bool,
}

/// The command of this name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.get(name)
}

/// The names of all commands.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.keys().copied()
}

macro_rules! commands {
    ($($name:literal $shape:ident $access:ident $away:ident;)*) => {
        HashMap::from([$(($name, Command {
            name: $name,
            place: key_positions::find($name).unwrap_or(KeyPositions::None),
            shape: Shape::$shape,
            reads: commands!($access),
            skips: commands!($away),
        }),)*])
    };
    (reads) => { true };
    (writes) => { false };
    (skips) => { true };
    (rejects) => { false };
}

static COMMANDS: LazyLock<HashMap<&str, Command>> = LazyLock::new(|| {
    commands! {
        "GET" Text reads skips;
        "SET" Text writes skips;
        "MGET" Values reads skips;
        "MSET" Status writes rejects;
        "INCR" Number writes rejects;
        "INCRBY" Number writes rejects;
        "DECR" Number writes rejects;
        "DECRBY" Number writes rejects;
        "DEL" Number writes skips;
        "UNLINK" Number writes skips;
        "EXISTS" Number reads skips;
        "EXPIRE" Flag writes skips;
        "PEXPIRE" Flag writes skips;
        "PERSIST" Flag writes skips;
        "TTL" Number reads rejects;
        "PTTL" Number reads rejects;
        "TYPE" Status reads rejects;
        "HSET" Number writes skips;
        "HGET" Text reads skips;
        "HGETALL" Record reads skips;
        "HDEL" Number writes skips;
        "HEXISTS" Flag reads skips;
        "HKEYS" Texts reads skips;
        "HVALS" Texts reads skips;
        "HLEN" Number reads skips;
        "HMGET" Fields reads skips;
        "HINCRBY" Number writes rejects;
        "LPUSH" Number writes skips;
        "RPUSH" Number writes skips;
        "LRANGE" Texts reads skips;
        "LTRIM" Status writes rejects;
        "LLEN" Number reads skips;
        "LPOP" Popped writes skips;
        "RPOP" Popped writes skips;
        "SADD" Number writes skips;
        "SREM" Number writes skips;
        "SMEMBERS" Texts reads skips;
        "SISMEMBER" Flag reads skips;
        "SCARD" Number reads skips;
        "ZADD" Number writes skips;
        "ZRANGE" Texts reads skips;
        "ZREVRANGE" Texts reads skips;
        "ZRANGEBYSCORE" Texts reads skips;
        "ZSCORE" Score reads skips;
        "ZREM" Number writes skips;
        "ZCARD" Number reads skips;
        "ZINCRBY" Sum writes rejects;
        "PUBLISH" Number writes skips;
        "EVAL" Plain writes rejects;
        "INFO" Status reads rejects;
        "DBSIZE" Number reads skips;
        "SCAN" Scanned reads rejects;
        "PING" Status reads rejects;
        "FLUSHALL" Status writes rejects;
        "FLUSHDB" Status writes rejects;
    }
});
