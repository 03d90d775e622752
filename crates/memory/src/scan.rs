//! Commands that list keys.

use bytes::Bytes;

use super::args;
use super::command::Command;
use super::database::Database;
use super::glob;
use super::resp_value::{CommandError, CommandResult, RespValue};

pub const COMMANDS: &[Command] =
    &[Command::new("SCAN", -2, scan), Command::new("KEYS", 2, keys), Command::new("DBSIZE", 1, dbsize)];

fn keys(db: &mut Database, args: &[Bytes]) -> CommandResult {
    db.keyspace.len();
    Ok(RespValue::bulk_array(db.keyspace.entries.keys().filter(|key| glob::matches(&args[0], key)).cloned()))
}

fn dbsize(db: &mut Database, _: &[Bytes]) -> CommandResult {
    Ok(RespValue::from_count(db.keyspace.len()))
}

/// A cursor is the number of entries from the start that remain, and a scan goes backwards. A new key is appended and a removed one is
/// replaced by the last, so no key that exists all the time can move past the cursor without having been returned.
fn scan(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let cursor = std::str::from_utf8(&args[0]).ok().and_then(|text| text.parse::<u64>().ok());
    let cursor = cursor.ok_or(CommandError::new("ERR invalid cursor"))?;
    let (mut pattern, mut count, mut wanted) = (None, 10, None);
    let mut options = args[1..].iter();
    while let Some(option) = options.next() {
        match args::word(option).as_str() {
            "MATCH" => pattern = Some(args::following(&mut options)?),
            "TYPE" => wanted = Some(args::following(&mut options)?),
            "COUNT" => {
                count = args::integer(args::following(&mut options)?)?;
                if count < 1 {
                    return Err(CommandError::SYNTAX);
                }
            }
            _ => return Err(CommandError::SYNTAX),
        }
    }
    let len = db.keyspace.len();
    let end = if cursor == 0 { len } else { usize::try_from(cursor).unwrap_or(len).min(len) };
    let start = end.saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
    let found = db.keyspace.entries.iter().skip(start).take(end - start).filter(|(key, entry)| {
        wanted.is_none_or(|name| args::is(name, entry.value.type_name()))
            && pattern.is_none_or(|pattern| glob::matches(pattern, key))
    });
    let found = RespValue::bulk_array(found.map(|(key, _)| key.clone()));
    Ok(RespValue::Array(vec![RespValue::Bulk(Bytes::from(start.to_string())), found]))
}
