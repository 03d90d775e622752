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
    ($($name:literal $place:ident $shape:ident $access:ident;)*) => {
        &[$(Command { name: $name, place: Place::$place, shape: Shape::$shape, reads: commands!($access) },)*]
    };
    (reads) => { true };
    (writes) => { false };
}

static COMMANDS: &[Command] = commands! {
    "GET" First Text reads;
    "SET" First Text writes;
    "MGET" All Texts reads;
    "MSET" Pairs Text writes;
    "INCR" First Number writes;
    "INCRBY" First Number writes;
    "DECR" First Number writes;
    "DECRBY" First Number writes;
    "DEL" All Number writes;
    "UNLINK" All Number writes;
    "EXISTS" All Number reads;
    "EXPIRE" First Flag writes;
    "PEXPIRE" First Flag writes;
    "PERSIST" First Flag writes;
    "TTL" First Number reads;
    "PTTL" First Number reads;
    "TYPE" First Text reads;
    "HSET" First Number writes;
    "HGET" First Text reads;
    "HGETALL" First Record reads;
    "HDEL" First Number writes;
    "HEXISTS" First Flag reads;
    "HKEYS" First Texts reads;
    "HVALS" First Texts reads;
    "HLEN" First Number reads;
    "HMGET" First Texts reads;
    "HINCRBY" First Number writes;
    "LPUSH" First Number writes;
    "RPUSH" First Number writes;
    "LRANGE" First Texts reads;
    "LTRIM" First Text writes;
    "LLEN" First Number reads;
    "LPOP" First Popped writes;
    "RPOP" First Popped writes;
    "SADD" First Number writes;
    "SREM" First Number writes;
    "SMEMBERS" First Texts reads;
    "SISMEMBER" First Flag reads;
    "SCARD" First Number reads;
    "ZADD" First Number writes;
    "ZRANGE" First Texts reads;
    "ZREVRANGE" First Texts reads;
    "ZRANGEBYSCORE" First Texts reads;
    "ZSCORE" First Score reads;
    "ZREM" First Number writes;
    "ZCARD" First Number reads;
    "ZINCRBY" First Score writes;
    "PUBLISH" None Number writes;
    "EVAL" Counted Plain writes;
    "INFO" None Text reads;
    "DBSIZE" None Number reads;
    "SCAN" None Scanned reads;
    "PING" None Text reads;
    "FLUSHALL" None Text writes;
    "FLUSHDB" None Text writes;
};
