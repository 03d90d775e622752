//! What is asked of the server itself.

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::db::Db;
use super::spec::Spec;

pub const COMMANDS: &[Spec] = &[
    Spec::new("PING", -1, ping).keyless(),
    Spec::new("ECHO", 2, |_, args| Ok(Answer::Bulk(args[0].clone()))).keyless(),
    Spec::new("TIME", 1, time).keyless(),
    Spec::new("SELECT", 2, select).keyless(),
    Spec::new("FLUSHALL", -1, flush).keyless().removes(),
    Spec::new("FLUSHDB", -1, flush).keyless().removes(),
    Spec::new("INFO", -1, info).keyless(),
];

/// The server whose replies these are.
const LIKE: &str = "7.0.15";

fn ping(_: &mut Db, args: &[Bytes]) -> Outcome {
    match args {
        [] => Ok(Answer::Status(Bytes::from_static(b"PONG"))),
        [text] => Ok(Answer::Bulk(text.clone())),
        _ => Err(Fault::arity("ping")),
    }
}

fn time(db: &mut Db, _: &[Bytes]) -> Outcome {
    let micros = db.space.micros();
    Ok(Answer::bulks([micros / 1_000_000, micros % 1_000_000].map(|part| Bytes::from(part.to_string()))))
}

fn select(_: &mut Db, args: &[Bytes]) -> Outcome {
    if args::integer(&args[0])? == 0 { Ok(Answer::OK) } else { Err(Fault::new("ERR DB index is out of range")) }
}

fn flush(db: &mut Db, args: &[Bytes]) -> Outcome {
    match args {
        [] => {}
        [how] if args::is(how, "SYNC") || args::is(how, "ASYNC") => {}
        _ => return Err(Fault::SYNTAX),
    }
    db.space.clear();
    Ok(Answer::OK)
}

fn info(db: &mut Db, args: &[Bytes]) -> Outcome {
    let wants = |name: &str| {
        let all = ["all", "default", "everything"];
        args.is_empty() || args.iter().any(|arg| args::is(arg, name) || all.iter().any(|all| args::is(arg, all)))
    };
    let keys = db.space.len();
    let counters = &db.space.counters;
    let mut text = String::new();
    let mut section = |name: &str, lines: &[(&str, String)]| {
        if wants(name) {
            let gap = if text.is_empty() { "" } else { "\r\n" };
            text += &format!("{gap}# {name}\r\n");
            text.extend(lines.iter().map(|(name, value)| format!("{name}:{value}\r\n")));
        }
    };
    section("Server", &[("redis_version", LIKE.into()), ("redis_mode", "embedded".into())]);
    section("Clients", &[("connected_clients", "1".into()), ("blocked_clients", "0".into())]);
    section(
        "Memory",
        &[
            ("used_memory", db.space.used().to_string()),
            ("maxmemory", db.space.max().to_string()),
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
    let db0 = ("db0", format!("keys={keys},expires={},avg_ttl=0", db.space.expiring()));
    section("Keyspace", if keys == 0 { &[] } else { std::slice::from_ref(&db0) });
    Ok(Answer::Bulk(Bytes::from(text)))
}
