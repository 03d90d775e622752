//! Strings, beyond `SET` and its variants.

use bytes::{Bytes, BytesMut};

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::db::Db;
use super::number;
use super::size::{NEW_KEY, own};
use super::spec::Spec;
use super::value::{Text, Value};

pub const COMMANDS: &[Spec] = &[
    Spec::new("GET", 2, get),
    Spec::new("MGET", -2, mget).all_keys(),
    Spec::new("MSET", -3, mset).pairs().replaces(),
    Spec::new("MSETNX", -3, msetnx).pairs().adds(),
    Spec::new("GETDEL", 2, getdel).removes(),
    Spec::new("STRLEN", 2, strlen),
    Spec::new("APPEND", 3, append).adds(),
    Spec::new("GETRANGE", 4, getrange),
    Spec::new("SETRANGE", 4, setrange).adds(),
    Spec::new("INCR", 2, |db, args| add(db, args, 1)).adds(),
    Spec::new("DECR", 2, |db, args| add(db, args, -1)).adds(),
    Spec::new("INCRBY", 3, incrby).adds(),
    Spec::new("DECRBY", 3, decrby).adds(),
];

/// As `proto-max-bulk-len` bounds strings on a server.
const LONGEST: usize = 512 * 1024 * 1024;

/// A key's string.
pub fn text(db: &mut Db, key: &[u8]) -> Result<Option<Bytes>, Fault> {
    Ok(db.space.get::<Text>(key)?.map(|text| text.0.clone()))
}

fn get(db: &mut Db, args: &[Bytes]) -> Outcome {
    text(db, &args[0]).map(Answer::maybe)
}

fn mget(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::Array(args.iter().map(|key| Answer::maybe(text(db, key).ok().flatten())).collect()))
}

fn mset(db: &mut Db, args: &[Bytes]) -> Outcome {
    set_all(db, args, "mset")?;
    Ok(Answer::OK)
}

fn msetnx(db: &mut Db, args: &[Bytes]) -> Outcome {
    if args.len().is_multiple_of(2) && args.iter().step_by(2).any(|key| db.space.contains(key)) {
        return Ok(false.into());
    }
    set_all(db, args, "msetnx")?;
    Ok(true.into())
}

fn set_all(db: &mut Db, args: &[Bytes], name: &str) -> Result<(), Fault> {
    let (pairs, []) = args.as_chunks::<2>() else { return Err(Fault::arity(name)) };
    for [key, value] in pairs {
        db.space.put(key, Value::Text(Text(own(value))), None);
    }
    Ok(())
}

fn getdel(db: &mut Db, args: &[Bytes]) -> Outcome {
    let found = text(db, &args[0])?;
    db.space.remove(&args[0]);
    Ok(Answer::maybe(found))
}

fn strlen(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::count(text(db, &args[0])?.map_or(0, |text| text.len())))
}

fn append(db: &mut Db, args: &[Bytes]) -> Outcome {
    if text(db, &args[0])?.map_or(0, |text| text.len()) + args[1].len() > LONGEST {
        return Err(Fault::TOO_LONG);
    }
    db.space.edit(&args[0], |text: &mut Text| {
        // In place when no reply still holds the old bytes.
        let mut longer = std::mem::take(&mut text.0).try_into_mut().unwrap_or_else(|old| BytesMut::from(&old[..]));
        longer.extend_from_slice(&args[1]);
        text.0 = longer.freeze();
        Answer::count(text.0.len())
    })
}

fn getrange(db: &mut Db, args: &[Bytes]) -> Outcome {
    let (start, end) = (args::integer(&args[1])?, args::integer(&args[2])?);
    let text = text(db, &args[0])?.unwrap_or_default();
    if start < 0 && end < 0 && start > end {
        return Ok(Answer::Bulk(Bytes::new()));
    }
    // Unlike a list's, an end before the first byte still names the first byte.
    let end = if end < 0 { end.saturating_add(text.len() as i64).max(0) } else { end };
    Ok(Answer::Bulk(text.slice(args::slice(start, end, text.len()))))
}

fn setrange(db: &mut Db, args: &[Bytes]) -> Outcome {
    let offset = args::integer(&args[1])?;
    let patch = &args[2];
    let Ok(offset) = usize::try_from(offset) else { return Err(Fault::new("ERR offset is out of range")) };
    let old = text(db, &args[0])?.unwrap_or_default();
    if patch.is_empty() {
        return Ok(Answer::count(old.len()));
    }
    let end = offset.saturating_add(patch.len());
    if end > LONGEST {
        return Err(Fault::TOO_LONG);
    }
    let own_size = db.space.touch(&args[0]);
    db.space.make_room(end.saturating_sub(old.len()) + NEW_KEY, own_size, 0)?;
    let mut bytes = BytesMut::from(&old[..]);
    bytes.resize(bytes.len().max(end), 0);
    bytes[offset..end].copy_from_slice(patch);
    let len = bytes.len();
    db.space.put_keeping_deadline(&args[0], Value::Text(Text(bytes.freeze())));
    Ok(Answer::count(len))
}

fn incrby(db: &mut Db, args: &[Bytes]) -> Outcome {
    let by = args::integer(&args[1])?;
    add(db, args, by)
}

fn decrby(db: &mut Db, args: &[Bytes]) -> Outcome {
    let by = args::integer(&args[1])?;
    let by = by.checked_neg().ok_or(Fault::new("ERR decrement would overflow"))?;
    add(db, args, by)
}

fn add(db: &mut Db, args: &[Bytes], by: i64) -> Outcome {
    let old = match text(db, &args[0])? {
        Some(text) => number::integer(&text).ok_or(Fault::NOT_INTEGER)?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or(Fault::OVERFLOW)?;
    db.space.put_keeping_deadline(&args[0], Value::Text(Text(Bytes::from(new.to_string()))));
    Ok(Answer::Int(new))
}
