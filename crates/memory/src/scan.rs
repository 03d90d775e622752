//! Finding keys.

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::db::Db;
use super::glob;
use super::spec::Spec;

pub const COMMANDS: &[Spec] = &[
    Spec::new("SCAN", -2, scan).keyless(),
    Spec::new("KEYS", 2, keys).keyless(),
    Spec::new("DBSIZE", 1, dbsize).keyless(),
];

fn keys(db: &mut Db, args: &[Bytes]) -> Outcome {
    db.space.len();
    Ok(Answer::bulks(db.space.entries.keys().filter(|key| glob::matches(&args[0], key)).cloned()))
}

fn dbsize(db: &mut Db, _: &[Bytes]) -> Outcome {
    Ok(Answer::count(db.space.len()))
}

/// A cursor says how many places from the start are still to be looked at, and a scan goes backwards. A new key comes
/// last and a removed one is replaced by the last, so nothing that is there all along moves past the cursor unseen.
fn scan(db: &mut Db, args: &[Bytes]) -> Outcome {
    let cursor = std::str::from_utf8(&args[0]).ok().and_then(|text| text.parse::<u64>().ok());
    let cursor = cursor.ok_or(Fault::new("ERR invalid cursor"))?;
    let (mut pattern, mut count, mut wanted) = (None, 10, None);
    let mut options = args[1..].iter();
    while let Some(option) = options.next() {
        match args::word(option).as_str() {
            "MATCH" => pattern = Some(args::following(&mut options)?),
            "TYPE" => wanted = Some(args::following(&mut options)?),
            "COUNT" => {
                count = args::integer(args::following(&mut options)?)?;
                if count < 1 {
                    return Err(Fault::SYNTAX);
                }
            }
            _ => return Err(Fault::SYNTAX),
        }
    }
    let len = db.space.len();
    let end = if cursor == 0 { len } else { usize::try_from(cursor).unwrap_or(len).min(len) };
    let start = end.saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
    let found = db.space.entries.iter().skip(start).take(end - start).filter(|(key, entry)| {
        wanted.is_none_or(|name| args::is(name, entry.value.type_name()))
            && pattern.is_none_or(|pattern| glob::matches(pattern, key))
    });
    let found = Answer::bulks(found.map(|(key, _)| key.clone()));
    Ok(Answer::Array(vec![Answer::Bulk(Bytes::from(start.to_string())), found]))
}
