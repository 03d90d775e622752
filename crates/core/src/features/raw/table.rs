//! The commands of the raw client. `lib/raw/commands.js` makes a method of each row; `types/commands.d.ts` declares it.

use std::{collections::HashMap, sync::LazyLock};

use cinnabar_port::key_positions::{self, KeyPositions};

use super::Shape;

/// A command the raw client has.
pub struct Command {
    /// The name of its method in JavaScript.
    pub method: &'static str,
    /// Its upper-case name.
    pub name: &'static str,
    /// Its parameters, as `lib/raw/arguments.js` reads them; `*` if `lib/raw/commands.js` has a function for it.
    pub parameters: &'static str,
    /// The positions of its keys.
    pub keys: KeyPositions,
    /// The shape of its result.
    pub shape: Shape,
    /// Whether it only reads, and so is idempotent.
    pub reads: bool,
    /// Whether a result can show that nothing was found or changed. A sum, a ttl or a status cannot.
    pub has_empty_result: bool,
    /// Whether it also has a method that returns `Buffer`s instead of strings.
    pub bytes: bool,
}

/// Finds a command by its upper-case name.
pub fn find(name: &str) -> Option<&'static Command> {
    BY_NAME.get(name).copied()
}

/// Returns all commands, in the order of the table.
pub fn all() -> &'static [Command] {
    &COMMANDS
}

macro_rules! commands {
    ($($method:literal $name:literal $parameters:literal $shape:ident $access:ident $empty:ident $($bytes:ident)?;)*) => {
        vec![$(Command {
            method: $method,
            name: $name,
            parameters: $parameters,
            keys: key_positions::find($name).unwrap_or(KeyPositions::None),
            shape: Shape::$shape,
            reads: commands!($access),
            has_empty_result: commands!($empty),
            bytes: false $(|| commands!($bytes))?,
        }),*]
    };
    (reads) => { true };
    (writes) => { false };
    (nullable) => { true };
    (strict) => { false };
    (bytes) => { true };
}

static BY_NAME: LazyLock<HashMap<&str, &Command>> =
    LazyLock::new(|| COMMANDS.iter().map(|command| (command.name, command)).collect());

static COMMANDS: LazyLock<Vec<Command>> = LazyLock::new(|| {
    commands! {
        "get" "GET" "key" Text reads nullable bytes;
        "set" "SET" "*" Text writes nullable;
        "mGet" "MGET" "...key" Values reads nullable bytes;
        "mSet" "MSET" "*" Status writes strict;
        "incr" "INCR" "key" Number writes strict;
        "incrBy" "INCRBY" "key increment" Number writes strict;
        "decr" "DECR" "key" Number writes strict;
        "decrBy" "DECRBY" "key decrement" Number writes strict;
        "del" "DEL" "...key" Number writes nullable;
        "unlink" "UNLINK" "...key" Number writes nullable;
        "exists" "EXISTS" "...key" Number reads nullable;
        "expire" "EXPIRE" "key seconds only?" Flag writes nullable;
        "pExpire" "PEXPIRE" "key ms only?" Flag writes nullable;
        "persist" "PERSIST" "key" Flag writes nullable;
        "ttl" "TTL" "key" Number reads strict;
        "pTTL" "PTTL" "key" Number reads strict;
        "type" "TYPE" "key" Status reads strict;
        "hSet" "HSET" "*" Number writes nullable;
        "hGet" "HGET" "key field" Text reads nullable bytes;
        "hGetAll" "HGETALL" "key" Record reads nullable bytes;
        "hDel" "HDEL" "key ...field" Number writes nullable;
        "hExists" "HEXISTS" "key field" Flag reads nullable;
        "hKeys" "HKEYS" "key" Texts reads nullable bytes;
        "hVals" "HVALS" "key" Texts reads nullable bytes;
        "hLen" "HLEN" "key" Number reads nullable;
        "hMGet" "HMGET" "key ...field" Fields reads nullable bytes;
        "hIncrBy" "HINCRBY" "key field increment" Number writes strict;
        "lPush" "LPUSH" "key ...element+" Number writes nullable;
        "rPush" "RPUSH" "key ...element+" Number writes nullable;
        "lRange" "LRANGE" "key start stop" Texts reads nullable bytes;
        "lTrim" "LTRIM" "key start stop" Status writes strict;
        "lLen" "LLEN" "key" Number reads nullable;
        "lPop" "LPOP" "key count?" Popped writes nullable bytes;
        "rPop" "RPOP" "key count?" Popped writes nullable bytes;
        "sAdd" "SADD" "key ...member" Number writes nullable;
        "sRem" "SREM" "key ...member" Number writes nullable;
        "sMembers" "SMEMBERS" "key" Texts reads nullable bytes;
        "sIsMember" "SISMEMBER" "key member" Flag reads nullable;
        "sCard" "SCARD" "key" Number reads nullable;
        "zAdd" "ZADD" "*" Number writes nullable;
        "zRange" "ZRANGE" "*" Texts reads nullable bytes;
        "zRevRange" "ZREVRANGE" "key start stop" Texts reads nullable bytes;
        "zRangeByScore" "ZRANGEBYSCORE" "*" Texts reads nullable bytes;
        "zScore" "ZSCORE" "key member" Score reads nullable;
        "zRem" "ZREM" "key ...member" Number writes nullable;
        "zCard" "ZCARD" "key" Number reads nullable;
        "zIncrBy" "ZINCRBY" "key increment:score member" Sum writes strict;
        "publish" "PUBLISH" "channel message" Number writes nullable;
        "eval" "EVAL" "*" Plain writes strict bytes;
        "info" "INFO" "section?" Status reads strict;
        "dbSize" "DBSIZE" "" Number reads nullable;
        "scan" "SCAN" "*" Scanned reads strict;
        "ping" "PING" "message?" Status reads strict;
        "flushAll" "FLUSHALL" "mode?" Status writes strict;
        "flushDb" "FLUSHDB" "mode?" Status writes strict;
    }
});
