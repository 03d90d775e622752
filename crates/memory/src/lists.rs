//! Commands on lists.

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::db::Db;
use super::list::{End, List};
use super::size::own;
use super::spec::Spec;

pub const COMMANDS: &[Spec] = &[
    Spec::new("LPUSH", -3, |db, args| push(db, args, End::Left)).adds(),
    Spec::new("RPUSH", -3, |db, args| push(db, args, End::Right)).adds(),
    Spec::new("LPUSHX", -3, |db, args| push_if(db, args, End::Left)).adds(),
    Spec::new("RPUSHX", -3, |db, args| push_if(db, args, End::Right)).adds(),
    Spec::new("LPOP", -2, |db, args| pop(db, args, End::Left, "lpop")).removes(),
    Spec::new("RPOP", -2, |db, args| pop(db, args, End::Right, "rpop")).removes(),
    Spec::new("LLEN", 2, llen),
    Spec::new("LRANGE", 4, lrange),
    Spec::new("LTRIM", 4, ltrim).removes(),
    Spec::new("LREM", 4, lrem).removes(),
    Spec::new("LINDEX", 3, lindex),
    Spec::new("LSET", 4, lset).adds(),
];

fn list<'a>(db: &'a mut Db, args: &[Bytes]) -> Result<Option<&'a List>, Fault> {
    db.space.get::<List>(&args[0])
}

fn push(db: &mut Db, args: &[Bytes], end: End) -> Outcome {
    db.space.edit(&args[0], |list: &mut List| {
        args[1..].iter().for_each(|item| list.push(own(item), end));
        Answer::count(list.items().len())
    })
}

fn push_if(db: &mut Db, args: &[Bytes], end: End) -> Outcome {
    if list(db, args)?.is_none() { Ok(Answer::Int(0)) } else { push(db, args, end) }
}

fn pop(db: &mut Db, args: &[Bytes], end: End, name: &str) -> Outcome {
    let count = match args {
        [_] => None,
        [_, count] => Some(args::count(count)?),
        _ => return Err(Fault::arity(name)),
    };
    let popped = db.space.change(&args[0], |list: &mut List| match count {
        None => Answer::maybe(list.pop(end)),
        Some(count) => Answer::bulks((0..count.min(list.items().len())).filter_map(|_| list.pop(end))),
    })?;
    Ok(popped.unwrap_or(Answer::Nil))
}

fn llen(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::count(list(db, args)?.map_or(0, |list| list.items().len())))
}

fn lrange(db: &mut Db, args: &[Bytes]) -> Outcome {
    let (start, stop) = (args::integer(&args[1])?, args::integer(&args[2])?);
    let Some(list) = list(db, args)? else { return Ok(Answer::Array(Vec::new())) };
    Ok(Answer::bulks(list.items().range(args::slice(start, stop, list.items().len())).cloned()))
}

fn ltrim(db: &mut Db, args: &[Bytes]) -> Outcome {
    let (start, stop) = (args::integer(&args[1])?, args::integer(&args[2])?);
    db.space.change(&args[0], |list: &mut List| {
        let kept = args::slice(start, stop, list.items().len());
        for _ in kept.end..list.items().len() {
            list.pop(End::Right);
        }
        for _ in 0..kept.start.min(list.items().len()) {
            list.pop(End::Left);
        }
    })?;
    Ok(Answer::OK)
}

fn lrem(db: &mut Db, args: &[Bytes]) -> Outcome {
    let count = args::integer(&args[1])?;
    let removed = db.space.change(&args[0], |list: &mut List| list.remove(&args[2], count))?;
    Ok(Answer::count(removed.unwrap_or(0)))
}

fn lindex(db: &mut Db, args: &[Bytes]) -> Outcome {
    let index = args::integer(&args[1]);
    let Some(list) = list(db, args)? else { return Ok(Answer::Nil) };
    Ok(Answer::maybe(list.place(index?).and_then(|i| list.items().get(i).cloned())))
}

fn lset(db: &mut Db, args: &[Bytes]) -> Outcome {
    let index = args::integer(&args[1]);
    let set = db.space.change(&args[0], |list: &mut List| {
        let set = list.place(index?).is_some_and(|place| list.set(place, own(&args[2])));
        if set { Ok(Answer::OK) } else { Err(Fault::new("ERR index out of range")) }
    })?;
    set.unwrap_or(Err(Fault::NO_SUCH_KEY))
}
