//! Lists.

use std::collections::VecDeque;

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::db::Db;
use super::table::Spec;
use super::value::own;

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

/// Estimated cost of an element beyond its bytes.
const PER_ITEM: usize = 64;

/// A list.
#[derive(Default)]
pub struct List {
    items: VecDeque<Bytes>,
    size: usize,
}

#[derive(Clone, Copy)]
enum End {
    Left,
    Right,
}

impl List {
    pub fn items(&self) -> &VecDeque<Bytes> {
        &self.items
    }

    pub fn size(&self) -> usize {
        self.size
    }

    fn push(&mut self, item: Bytes, end: End) {
        self.size += item.len() + PER_ITEM;
        match end {
            End::Left => self.items.push_front(item),
            End::Right => self.items.push_back(item),
        }
    }

    fn pop(&mut self, end: End) -> Option<Bytes> {
        let item = match end {
            End::Left => self.items.pop_front(),
            End::Right => self.items.pop_back(),
        }?;
        self.size -= item.len() + PER_ITEM;
        Some(item)
    }

    fn measure(&mut self) {
        self.size = self.items.iter().map(|item| item.len() + PER_ITEM).sum();
    }

    /// Where an index is, negative ones counted from the end.
    fn place(&self, index: i64) -> Option<usize> {
        let index = if index < 0 { index.checked_add(self.items.len() as i64)? } else { index };
        usize::try_from(index).ok().filter(|i| *i < self.items.len())
    }
}

fn list<'a>(db: &'a mut Db, args: &[Bytes]) -> Result<Option<&'a List>, Fault> {
    db.space.get::<List>(&args[0])
}

fn push(db: &mut Db, args: &[Bytes], end: End) -> Outcome {
    db.space.edit(&args[0], |list: &mut List| {
        args[1..].iter().for_each(|item| list.push(own(item), end));
        Answer::count(list.items.len())
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
        Some(count) => Answer::bulks((0..count.min(list.items.len())).filter_map(|_| list.pop(end))),
    })?;
    Ok(popped.unwrap_or(Answer::Nil))
}

fn llen(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::count(list(db, args)?.map_or(0, |list| list.items.len())))
}

fn lrange(db: &mut Db, args: &[Bytes]) -> Outcome {
    let (start, stop) = (args::integer(&args[1])?, args::integer(&args[2])?);
    let Some(list) = list(db, args)? else { return Ok(Answer::Array(Vec::new())) };
    Ok(Answer::bulks(list.items.range(args::slice(start, stop, list.items.len())).cloned()))
}

fn ltrim(db: &mut Db, args: &[Bytes]) -> Outcome {
    let (start, stop) = (args::integer(&args[1])?, args::integer(&args[2])?);
    db.space.change(&args[0], |list: &mut List| {
        let kept = args::slice(start, stop, list.items.len());
        for _ in kept.end..list.items.len() {
            list.pop(End::Right);
        }
        for _ in 0..kept.start.min(list.items.len()) {
            list.pop(End::Left);
        }
    })?;
    Ok(Answer::OK)
}

fn lrem(db: &mut Db, args: &[Bytes]) -> Outcome {
    let count = args::integer(&args[1])?;
    let removed = db.space.change(&args[0], |list: &mut List| {
        let before = list.items.len();
        let mut left = if count == 0 { u64::MAX } else { count.unsigned_abs() };
        let mut keep = |item: &Bytes| {
            let goes = left > 0 && *item == args[2];
            left -= u64::from(goes);
            !goes
        };
        if count < 0 {
            let mut kept: VecDeque<Bytes> = VecDeque::with_capacity(before);
            list.items.drain(..).rev().filter(|item| keep(item)).for_each(|item| kept.push_front(item));
            list.items = kept;
        } else {
            list.items.retain(|item| keep(item));
        }
        list.measure();
        before - list.items.len()
    })?;
    Ok(Answer::count(removed.unwrap_or(0)))
}

fn lindex(db: &mut Db, args: &[Bytes]) -> Outcome {
    let index = args::integer(&args[1]);
    let Some(list) = list(db, args)? else { return Ok(Answer::Nil) };
    Ok(Answer::maybe(list.place(index?).and_then(|i| list.items.get(i).cloned())))
}

fn lset(db: &mut Db, args: &[Bytes]) -> Outcome {
    let index = args::integer(&args[1]);
    let set = db.space.change(&args[0], |list: &mut List| {
        let out_of_range = Fault::new("ERR index out of range");
        let place = list.place(index?).ok_or(out_of_range.clone())?;
        let item = list.items.get_mut(place).ok_or(out_of_range)?;
        list.size = list.size + args[2].len() - item.len();
        *item = own(&args[2]);
        Ok(Answer::OK)
    })?;
    set.unwrap_or(Err(Fault::NO_SUCH_KEY))
}
