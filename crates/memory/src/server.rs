//! Commands on the server itself.

use bytes::Bytes;

use super::args;
use super::command::Command;
use super::database::Database;
use super::resp_value::{CommandError, CommandResult, RespValue};

pub const COMMANDS: &[Command] = &[
    Command::new("PING", -1, ping),
    Command::new("ECHO", 2, |_, args| Ok(RespValue::Bulk(args[0].clone()))),
    Command::new("TIME", 1, time),
    Command::new("SELECT", 2, select),
    Command::new("FLUSHALL", -1, flush).removes(),
    Command::new("FLUSHDB", -1, flush).removes(),
    Command::new("INFO", -1, info),
];

/// The version of Redis with which replies are compatible.
const COMPATIBLE_WITH: &str = "7.0.15";

fn ping(_: &mut Database, args: &[Bytes]) -> CommandResult {
    match args {
        [] => Ok(RespValue::Status(Bytes::from_static(b"PONG"))),
        [text] => Ok(RespValue::Bulk(text.clone())),
        _ => Err(CommandError::arity("ping")),
    }
}

fn time(db: &mut Database, _: &[Bytes]) -> CommandResult {
    let micros = db.keyspace.micros();
    Ok(RespValue::bulk_array([micros / 1_000_000, micros % 1_000_000].map(|part| Bytes::from(part.to_string()))))
}

fn select(_: &mut Database, args: &[Bytes]) -> CommandResult {
    if args::integer(&args[0])? == 0 {
        Ok(RespValue::OK)
    } else {
        Err(CommandError::new("ERR DB index is out of range"))
    }
}

fn flush(db: &mut Database, args: &[Bytes]) -> CommandResult {
    match args {
        [] => {}
        [how] if args::is(how, "SYNC") || args::is(how, "ASYNC") => {}
        _ => return Err(CommandError::SYNTAX),
    }
    db.keyspace.clear();
    Ok(RespValue::OK)
}

fn info(db: &mut Database, args: &[Bytes]) -> CommandResult {
    let wants = |name: &str| {
        let all = ["all", "default", "everything"];
        args.is_empty() || args.iter().any(|arg| args::is(arg, name) || all.iter().any(|all| args::is(arg, all)))
    };
    let keys = db.keyspace.len();
    let counters = &db.keyspace.counters;
    let mut text = String::new();
    let mut section = |name: &str, lines: &[(&str, String)]| {
        if wants(name) {
            let gap = if text.is_empty() { "" } else { "\r\n" };
            text += &format!("{gap}# {name}\r\n");
            text.extend(lines.iter().map(|(name, value)| format!("{name}:{value}\r\n")));
        }
    };
    section("Server", &[("redis_version", COMPATIBLE_WITH.into()), ("redis_mode", "embedded".into())]);
    section("Clients", &[("connected_clients", "1".into()), ("blocked_clients", "0".into())]);
    section(
        "Memory",
        &[
            ("used_memory", db.keyspace.used().to_string()),
            ("maxmemory", db.keyspace.max().to_string()),
            ("maxmemory_policy", "volatile-lru".into()),
        ],
    );
    section(
        "Stats",
        &[
            ("total_commands_processed", db.processed.to_string()),
            ("expired_keys", counters.expired.to_string()),
            ("evicted_keys", counters.evicted.to_string()),
            ("keyspace_hits", counters.hits.to_string()),
            ("keyspace_misses", counters.misses.to_string()),
        ],
    );
    section("Replication", &[("role", "master".into()), ("connected_slaves", "0".into())]);
    let db0 = ("db0", format!("keys={keys},expires={},avg_ttl=0", db.keyspace.expiring()));
    section("Keyspace", if keys == 0 { &[] } else { std::slice::from_ref(&db0) });
    Ok(RespValue::Bulk(Bytes::from(text)))
}
