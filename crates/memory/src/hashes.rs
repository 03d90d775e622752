//! Commands on hashes.

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::db::Db;
use super::hash::Hash;
use super::number;
use super::size::own;
use super::spec::Spec;

pub const COMMANDS: &[Spec] = &[
    Spec::new("HSET", -4, hset).adds(),
    Spec::new("HMSET", -4, hmset).adds(),
    Spec::new("HSETNX", 4, hsetnx).adds(),
    Spec::new("HGET", 3, hget),
    Spec::new("HMGET", -3, hmget),
    Spec::new("HGETALL", 2, |db, args| list(db, args, true, true)),
    Spec::new("HKEYS", 2, |db, args| list(db, args, true, false)),
    Spec::new("HVALS", 2, |db, args| list(db, args, false, true)),
    Spec::new("HDEL", -3, hdel).removes(),
    Spec::new("HEXISTS", 3, hexists),
    Spec::new("HLEN", 2, hlen),
    Spec::new("HSTRLEN", 3, hstrlen),
    Spec::new("HINCRBY", 4, hincrby).adds(),
];

fn hash<'a>(db: &'a mut Db, args: &[Bytes]) -> Result<Option<&'a Hash>, Fault> {
    db.space.get::<Hash>(&args[0])
}

fn set_all(db: &mut Db, args: &[Bytes], name: &str) -> Result<usize, Fault> {
    let (pairs, []) = args[1..].as_chunks::<2>() else { return Err(Fault::arity(name)) };
    let set = |hash: &mut Hash| pairs.iter().filter(|[field, value]| hash.set(field, own(value))).count();
    db.space.edit(&args[0], set)
}

fn hset(db: &mut Db, args: &[Bytes]) -> Outcome {
    set_all(db, args, "hset").map(Answer::count)
}

fn hmset(db: &mut Db, args: &[Bytes]) -> Outcome {
    set_all(db, args, "hmset").map(|_| Answer::OK)
}

fn hsetnx(db: &mut Db, args: &[Bytes]) -> Outcome {
    let set = |hash: &mut Hash| !hash.fields().contains_key(&args[1]) && hash.set(&args[1], own(&args[2]));
    db.space.edit(&args[0], set).map(Answer::from)
}

fn hget(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::maybe(hash(db, args)?.and_then(|hash| hash.fields().get(&args[1]).cloned())))
}

fn hmget(db: &mut Db, args: &[Bytes]) -> Outcome {
    let hash = hash(db, args)?;
    let get = |field| Answer::maybe(hash.and_then(|hash| hash.fields().get(field).cloned()));
    Ok(Answer::Array(args[1..].iter().map(get).collect()))
}

fn list(db: &mut Db, args: &[Bytes], names: bool, values: bool) -> Outcome {
    let Some(hash) = hash(db, args)? else { return Ok(Answer::Array(Vec::new())) };
    let both = hash.fields().iter().flat_map(|(name, value)| [names.then_some(name), values.then_some(value)]);
    Ok(Answer::bulks(both.flatten().cloned()))
}

fn hdel(db: &mut Db, args: &[Bytes]) -> Outcome {
    let remove = |hash: &mut Hash| args[1..].iter().filter(|field| hash.remove(field)).count();
    Ok(Answer::count(db.space.change(&args[0], remove)?.unwrap_or(0)))
}

fn hexists(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(hash(db, args)?.is_some_and(|hash| hash.fields().contains_key(&args[1])).into())
}

fn hlen(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::count(hash(db, args)?.map_or(0, |hash| hash.fields().len())))
}

fn hstrlen(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::count(hash(db, args)?.and_then(|hash| hash.fields().get(&args[1])).map_or(0, Bytes::len)))
}

fn hincrby(db: &mut Db, args: &[Bytes]) -> Outcome {
    let by = args::integer(&args[2])?;
    db.space.edit(&args[0], |hash: &mut Hash| {
        let old = match hash.fields().get(&args[1]) {
            Some(value) => number::integer(value).ok_or(Fault::new("ERR hash value is not an integer"))?,
            None => 0,
        };
        let new = old.checked_add(by).ok_or(Fault::OVERFLOW)?;
        hash.set(&args[1], Bytes::from(new.to_string()));
        Ok(Answer::Int(new))
    })?
}
