use cinnabar_port::{Args, key_positions};

use super::*;
use crate::features::raw::table;

fn connection_use(line: &str) -> ConnectionUse {
    let mut words = line.split(' ');
    let name = words.next().unwrap();
    let args: Args = words.map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
    classify(name, &args)
}

#[test]
fn commands_that_only_read_are_known() {
    for table::Command { name, reads, .. } in table::all() {
        assert_eq!(known::reads(name), *reads, "{name}");
    }
    for writes in [
        "GETDEL",
        "GETEX",
        "GETSET",
        "SORT",
        "GEORADIUS",
        "XREADGROUP",
        "EVAL",
        "SPOP",
        "TOUCH",
        "BLPOP",
        "UNKNOWN.COMMAND",
    ] {
        assert!(!known::reads(writes), "{writes}");
    }
}

#[test]
fn shared_commands_are_found() {
    for line in ["GET a", "EVAL s 0", "CLIENT LIST", "client", "SCRIPT load x", "JSON.GET a", "COMMAND", "VSIM a"] {
        let wanted = if line == "client" { ConnectionUse::Unknown } else { ConnectionUse::Shared };
        assert_eq!(connection_use(line), wanted, "{line}");
    }
}

#[test]
fn every_documented_or_embedded_command_is_known() {
    for name in table::all().iter().map(|command| command.name).chain(cinnabar_memory::names()) {
        let containers = ["SCRIPT", "CLIENT", "CONFIG", "OBJECT", "XINFO", "MEMORY", "COMMAND", "ACL", "PUBSUB"];
        assert!(containers.contains(&name) || classify(name, &[]) != ConnectionUse::Unknown, "{name}");
    }
}

#[test]
fn commands_that_change_a_connection_are_rejected() {
    for line in [
        "SUBSCRIBE a",
        "UNSUBSCRIBE a b",
        "SUNSUBSCRIBE",
        "MONITOR",
        "SYNC",
        "PSYNC ? -1",
        "REPLCONF ACK 0",
        "CLIENT REPLY OFF",
        "CLIENT no-touch ON",
        "SELECT 1",
        "MULTI",
        "WATCH a",
        "WAIT 1 0",
        "SCRIPT debug yes",
        "HELLO 3",
        "RESET",
    ] {
        assert!(matches!(connection_use(line), ConnectionUse::Unsupported(_)), "{line}");
    }
}

#[test]
fn blocking_timeouts_are_found_at_any_position() {
    let waits = |at, millis, time: Option<f64>| {
        ConnectionUse::Blocking(BlockingTimeout {
            argument: at,
            in_millis: millis,
            timeout: time.map(Duration::from_secs_f64),
        })
    };
    for (line, wanted) in [
        ("BLPOP a b 0", waits(2, false, None)),
        ("BZPOPMAX a 1.5", waits(1, false, Some(1.5))),
        ("BRPOPLPUSH a b 2", waits(2, false, Some(2.0))),
        ("BLMOVE a b LEFT RIGHT 0.0", waits(4, false, None)),
        ("BLMPOP 0 1 q LEFT", waits(0, false, None)),
        ("XREAD COUNT 1 block 100 STREAMS s $", waits(3, true, Some(0.1))),
        ("XREADGROUP GROUP BLOCK 0 BLOCK 0 STREAMS BLOCK >", waits(4, true, None)),
        ("XREADGROUP GROUP BLOCK 0 STREAMS s >", ConnectionUse::Shared),
        ("XREAD STREAMS BLOCK 0", ConnectionUse::Shared),
        ("XREAD SOON STREAMS a 0", ConnectionUse::Unknown),
        ("BLPOP a -1", ConnectionUse::Unknown),
        ("BLPOP a soon", ConnectionUse::Unknown),
        ("BLPOP", ConnectionUse::Unknown),
        ("SHUTDOWN", ConnectionUse::Unknown),
        ("DEBUG SLEEP 1", ConnectionUse::Unknown),
        ("MYMODULE.LISTEN", ConnectionUse::Unknown),
    ] {
        assert_eq!(connection_use(line), wanted, "{line}");
    }
}

#[test]
fn the_keys_of_every_shared_command_are_known() {
    for name in known::names() {
        assert!(key_positions::find(name).is_some(), "{name} is in no line of port's key_positions.rs");
    }
}
