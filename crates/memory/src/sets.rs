//! Commands on sets.

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::db::Db;
use super::set::Set;
use super::spec::Spec;

pub const COMMANDS: &[Spec] = &[
    Spec::new("SADD", -3, sadd).adds(),
    Spec::new("SREM", -3, srem).removes(),
    Spec::new("SMEMBERS", 2, smembers),
    Spec::new("SISMEMBER", 3, sismember),
    Spec::new("SMISMEMBER", -3, smismember),
    Spec::new("SCARD", 2, scard),
    Spec::new("SPOP", -2, spop).removes(),
    Spec::new("SRANDMEMBER", -2, srandmember),
];

fn set<'a>(db: &'a mut Db, args: &[Bytes]) -> Result<Option<&'a Set>, Fault> {
    db.space.get::<Set>(&args[0])
}

fn sadd(db: &mut Db, args: &[Bytes]) -> Outcome {
    let add = |set: &mut Set| args[1..].iter().filter(|member| set.add(member)).count();
    db.space.edit(&args[0], add).map(Answer::count)
}

fn srem(db: &mut Db, args: &[Bytes]) -> Outcome {
    let remove = |set: &mut Set| args[1..].iter().filter(|member| set.remove(member)).count();
    Ok(Answer::count(db.space.change(&args[0], remove)?.unwrap_or(0)))
}

fn smembers(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::bulks(set(db, args)?.into_iter().flat_map(|set| set.members().iter().cloned())))
}

fn sismember(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(set(db, args)?.is_some_and(|set| set.members().contains(&args[1])).into())
}

fn smismember(db: &mut Db, args: &[Bytes]) -> Outcome {
    let set = set(db, args)?;
    let has = |member| set.is_some_and(|set| set.members().contains(member)).into();
    Ok(Answer::Array(args[1..].iter().map(has).collect()))
}

fn scard(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::count(set(db, args)?.map_or(0, |set| set.members().len())))
}

fn spop(db: &mut Db, args: &[Bytes]) -> Outcome {
    let count = match args {
        [_] => None,
        [_, count] => Some(args::count(count)?),
        _ => return Err(Fault::SYNTAX),
    };
    let mut seed = db.space.next_random();
    let mut random = || {
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        seed >> 32
    };
    let popped = db.space.change(&args[0], |set: &mut Set| match count {
        None => Answer::maybe(set.pop(random())),
        Some(count) => Answer::bulks((0..count.min(set.members().len())).filter_map(|_| set.pop(random()))),
    })?;
    Ok(popped.unwrap_or(if count.is_some() { Answer::Array(Vec::new()) } else { Answer::Nil }))
}

/// Members that may be named more than once in one answer, as a negative count asks for: a server would give its memory for it.
const MOST_REPEATED: u64 = 1 << 20;

/// Some members without taking them: so many different ones from a random place on; with a negative count, the same may come
/// again.
fn srandmember(db: &mut Db, args: &[Bytes]) -> Outcome {
    let count = match args {
        [_] => None,
        [_, count] => Some(args::integer(count)?),
        _ => return Err(Fault::SYNTAX),
    };
    if count.is_some_and(|count| count < 0 && count.unsigned_abs() > MOST_REPEATED) {
        return Err(Fault::new("ERR value is out of range"));
    }
    let seed = db.space.next_random();
    let members = set(db, args)?.map(Set::members).filter(|members| !members.is_empty());
    let Some(members) = members else { return Ok(count.map_or(Answer::Nil, |_| Answer::Array(Vec::new()))) };
    let from = (seed % members.len() as u64) as usize;
    let some = members.iter().cycle().skip(from).cloned();
    Ok(match count {
        None => Answer::maybe(members.get_index(from).cloned()),
        Some(count) if count < 0 => Answer::bulks(some.take(count.unsigned_abs() as usize)),
        Some(count) => Answer::bulks(some.take(members.len().min(count as usize))),
    })
}
