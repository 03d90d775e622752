//! Every command of the raw client.

use super::Shape;
use crate::store::{Args, Keys};

/// A command the raw client has.
pub struct Command {
    /// In capitals.
    pub name: &'static str,
    /// Where its keys are.
    pub place: Place,
    /// What it answers.
    pub shape: Shape,
    /// Whether it only reads, so that sending it twice does no harm.
    pub reads: bool,
    /// Whether its reply has a value that says that nothing is there or was changed. A sum, a ttl or a status has none.
    pub skips: bool,
}

/// Where a command's keys are among its arguments.
#[derive(Clone, Copy)]
pub enum Place {
    /// None.
    None,
    /// The first argument.
    First,
    /// All of them.
    All,
    /// Every other one.
    Pairs,
    /// As many as the second argument says, from the third.
    Counted,
}

impl Place {
    /// The keys among these arguments.
    pub fn keys(self, args: &Args) -> Keys {
        let at = |first, count: usize, step| Keys::At { first, count: count.min(usize::from(u16::MAX)) as u16, step };
        match self {
            Self::None => at(0, 0, 1),
            Self::First => at(0, 1, 1),
            Self::All => at(0, args.len(), 1),
            Self::Pairs => at(0, args.len().div_ceil(2), 2),
            Self::Counted => {
                let count = args.get(1).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
                count.map_or(Keys::Unknown, |count| at(2, count, 1))
            }
        }
    }
}

/// The command of this name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The names of all commands.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name)
}

macro_rules! commands {
    ($($name:literal $place:ident $shape:ident $access:ident $away:ident;)*) => {
        &[$(Command {
            name: $name,
            place: Place::$place,
            shape: Shape::$shape,
            reads: commands!($access),
            skips: commands!($away),
        },)*]
    };
    (reads) => { true };
    (writes) => { false };
    (skips) => { true };
    (rejects) => { false };
}

static COMMANDS: &[Command] = commands! {
    "GET" First Text reads skips;
    "SET" First Text writes skips;
    "MGET" All Texts reads skips;
    "MSET" Pairs Text writes rejects;
    "INCR" First Number writes rejects;
    "INCRBY" First Number writes rejects;
    "DECR" First Number writes rejects;
    "DECRBY" First Number writes rejects;
    "DEL" All Number writes skips;
    "UNLINK" All Number writes skips;
    "EXISTS" All Number reads skips;
    "EXPIRE" First Flag writes skips;
    "PEXPIRE" First Flag writes skips;
    "PERSIST" First Flag writes skips;
    "TTL" First Number reads rejects;
    "PTTL" First Number reads rejects;
    "TYPE" First Text reads rejects;
    "HSET" First Number writes skips;
    "HGET" First Text reads skips;
    "HGETALL" First Record reads skips;
    "HDEL" First Number writes skips;
    "HEXISTS" First Flag reads skips;
    "HKEYS" First Texts reads skips;
    "HVALS" First Texts reads skips;
    "HLEN" First Number reads skips;
    "HMGET" First Texts reads skips;
    "HINCRBY" First Number writes rejects;
    "LPUSH" First Number writes skips;
    "RPUSH" First Number writes skips;
    "LRANGE" First Texts reads skips;
    "LTRIM" First Text writes rejects;
    "LLEN" First Number reads skips;
    "LPOP" First Popped writes skips;
    "RPOP" First Popped writes skips;
    "SADD" First Number writes skips;
    "SREM" First Number writes skips;
    "SMEMBERS" First Texts reads skips;
    "SISMEMBER" First Flag reads skips;
    "SCARD" First Number reads skips;
    "ZADD" First Number writes skips;
    "ZRANGE" First Texts reads skips;
    "ZREVRANGE" First Texts reads skips;
    "ZRANGEBYSCORE" First Texts reads skips;
    "ZSCORE" First Score reads skips;
    "ZREM" First Number writes skips;
    "ZCARD" First Number reads skips;
    "ZINCRBY" First Score writes rejects;
    "PUBLISH" None Number writes skips;
    "EVAL" Counted Plain writes rejects;
    "INFO" None Text reads rejects;
    "DBSIZE" None Number reads skips;
    "SCAN" None Scanned reads rejects;
    "PING" None Text reads rejects;
    "FLUSHALL" None Text writes rejects;
    "FLUSHDB" None Text writes rejects;
};
