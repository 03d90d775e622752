//! What works on keys of every type.

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::db::Db;
use super::spec::Spec;

pub const COMMANDS: &[Spec] = &[
    Spec::new("DEL", -2, del).all_keys().removes(),
    Spec::new("UNLINK", -2, del).all_keys().removes(),
    Spec::new("EXISTS", -2, exists).all_keys(),
    Spec::new("TOUCH", -2, exists).all_keys(),
    Spec::new("TYPE", 2, type_of),
    Spec::new("RENAME", 3, rename).all_keys().removes(),
];

fn del(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::count(args.iter().filter(|key| db.space.remove(key)).count()))
}

fn exists(db: &mut Db, args: &[Bytes]) -> Outcome {
    Ok(Answer::count(args.iter().filter(|key| db.space.contains(key)).count()))
}

fn type_of(db: &mut Db, args: &[Bytes]) -> Outcome {
    let name = db.space.value(&args[0]).map_or("none", |value| value.type_name());
    Ok(Answer::Status(Bytes::from_static(name.as_bytes())))
}

fn rename(db: &mut Db, args: &[Bytes]) -> Outcome {
    let (value, deadline) = db.space.take(&args[0]).ok_or(Fault::NO_SUCH_KEY)?;
    db.space.put(&args[1], value, deadline);
    Ok(Answer::OK)
}
