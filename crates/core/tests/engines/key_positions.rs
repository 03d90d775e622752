//! Where we look for the keys of a command, against where the server finds them.

use bytes::Bytes;
use cinnabar_port::{
    Reply,
    key_positions::{self, KeyPositions},
};

use crate::{
    server::Server,
    wire::{Wire, Words},
};

/// Arguments of commands for which any will not do.
const LINES: &str = "
    BITOP AND a b c
    BLMPOP 1 2 a b LEFT
    BZMPOP 1 2 a b MIN
    EVAL s 2 a b c
    EVALSHA s 2 a b c
    EVALSHA_RO s 1 a b
    EVAL_RO s 0 a
    FCALL f 2 a b c
    FCALL_RO f 1 a b
    GEORADIUS a 1 1 1 km STORE b
    GEORADIUSBYMEMBER a m 1 km STORE b
    LMPOP 2 a b LEFT
    MEMORY USAGE a
    MEMORY STATS
    MIGRATE host 1 a 0 5000
    OBJECT ENCODING a
    SINTERCARD 2 a b LIMIT 1
    SORT a BY p STORE b
    SORT_RO a BY p
    XGROUP CREATE a g 1
    XINFO STREAM a
    XREAD COUNT 2 STREAMS a b 0 0
    XREADGROUP GROUP g c STREAMS a b 0 0
    ZDIFF 2 a b
    ZDIFFSTORE a 2 b c
    ZINTER 2 a b
    ZINTERCARD 2 a b
    ZINTERSTORE a 2 b c
    ZMPOP 2 a b MIN
    ZUNION 2 a b
    ZUNIONSTORE a 2 b c WEIGHTS 1 2
";

fn words(line: &str) -> Words {
    line.split_ascii_whitespace().map(|word| word.as_bytes().to_vec()).collect()
}

/// What `COMMAND INFO` says of a command, if the server has it.
fn info(wire: &mut Wire, name: &str) -> Option<Vec<Reply>> {
    match wire.pipeline(&[words(&format!("COMMAND INFO {name}"))]).remove(0).unwrap().array().unwrap().pop() {
        Some(Reply::Array(info)) => Some(info),
        _ => None,
    }
}

/// Whether a command has keys, or any of its subcommands.
fn has_keys(info: &[Reply]) -> bool {
    let Reply::Array(flags) = &info[2] else { panic!("{info:?}") };
    let movable = flags.iter().any(|flag| *flag == Reply::text("movablekeys"));
    let within = info.get(9).cloned().unwrap_or(Reply::Array(Vec::new())).array().unwrap();
    movable || info[3] != Reply::Int(0) || within.into_iter().any(|one| has_keys(&one.array().unwrap()))
}

/// A line with as many arguments as the command needs, and more where it takes more.
fn any_line(name: &str, info: &[Reply]) -> String {
    let Reply::Int(arity) = info[1] else { panic!("{name}: {info:?}") };
    // An even number behind the least, for those that take pairs.
    let count = if arity < 0 { arity.unsigned_abs() as usize + 1 } else { arity as usize - 1 };
    (0..count).fold(name.to_owned(), |line, at| format!("{line} k{at}"))
}

/// The keys that the server finds; none as well where it finds that there are none.
fn found(wire: &mut Wire, line: &str) -> Vec<Bytes> {
    match wire.pipeline(&[words(&format!("COMMAND GETKEYS {line}"))]).remove(0) {
        Ok(Reply::Array(keys)) => keys.into_iter().map(|key| key.bulk().unwrap().unwrap()).collect(),
        Err(error) if error.contains("no key arguments") => Vec::new(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn keys_of_every_known_command_are_where_the_server_finds_them() {
    let server = Server::start();
    let mut wire = Wire::connect(server.port);
    let (mut compared, mut wrong) = (0, Vec::new());
    for name in key_positions::names() {
        let Some(info) = info(&mut wire, name) else { continue };
        let place = key_positions::find(name).unwrap();
        if matches!(place, KeyPositions::None | KeyPositions::WholeKeyspace) {
            compared += 1;
            if has_keys(&info) {
                wrong.push(format!("{name} has keys"));
            }
            continue;
        }
        if name == "SPUBLISH" {
            // Its channel decides the slot as a key does, and is none.
            assert_eq!(info[3], Reply::Int(1));
            continue;
        }
        let any = any_line(name, &info);
        let given: Vec<&str> =
            LINES.lines().map(str::trim).filter(|line| line.split(' ').next() == Some(name)).collect();
        for line in if given.is_empty() { vec![&any[..]] } else { given } {
            let args: Vec<Bytes> = words(line).into_iter().skip(1).map(Bytes::from).collect();
            let theirs = found(&mut wire, line);
            let ours = match place {
                KeyPositions::Irregular(_) => {
                    // Any of the arguments may be a key, and this one is.
                    assert_eq!(place.guess(&args), theirs.first(), "{line}");
                    theirs.clone()
                }
                _ => place.keys(&args).among(&args).map(|keys| keys.cloned().collect()).unwrap_or_default(),
            };
            compared += 1;
            if ours != theirs {
                wrong.push(format!("{line}: {ours:?}, and the server says {theirs:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 200, "{compared} compared");
}
