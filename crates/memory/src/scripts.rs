//! Commands on scripts.

use bytes::Bytes;

use super::args;
use super::command::Command;
use super::lua::Lua;
use super::resp_value::{CommandError, CommandResult, RespValue};

pub const COMMANDS: &[Command] = &[
    Command::script("EVAL", -3, eval),
    Command::script("EVALSHA", -3, evalsha),
    Command::script("SCRIPT", -2, script),
];

fn eval(lua: &mut Lua, args: &[Bytes]) -> CommandResult {
    let keys = keys(args)?;
    lua.run(&sha(&args[0]), &args[0], &args[2..], keys)
}

fn evalsha(lua: &mut Lua, args: &[Bytes]) -> CommandResult {
    // A text that cannot be a SHA-1 is rejected first.
    let keys = if args[0].len() == 40 { keys(args)? } else { 0 };
    let sha = String::from_utf8_lossy(&args[0]).to_ascii_lowercase();
    lua.run_loaded(&sha, &args[2..], keys)
}

/// Parses the number of keys.
fn keys(args: &[Bytes]) -> Result<usize, CommandError> {
    let keys = args::integer(&args[1])?;
    let keys = usize::try_from(keys).map_err(|_| CommandError::new("ERR Number of keys can't be negative"))?;
    if keys > args.len() - 2 {
        return Err(CommandError::new("ERR Number of keys can't be greater than number of args"));
    }
    Ok(keys)
}

fn script(lua: &mut Lua, args: &[Bytes]) -> CommandResult {
    match (args::word(&args[0]).as_str(), &args[1..]) {
        ("LOAD", [source]) => {
            let sha = sha(source);
            lua.load(&sha, source)?;
            Ok(RespValue::Bulk(Bytes::from(sha)))
        }
        ("EXISTS", shas @ [_, ..]) => {
            let known = |sha: &Bytes| lua.contains(&String::from_utf8_lossy(sha).to_ascii_lowercase()).into();
            Ok(RespValue::Array(shas.iter().map(known).collect()))
        }
        ("FLUSH", []) => {
            lua.flush();
            Ok(RespValue::OK)
        }
        ("FLUSH", [how]) if args::is(how, "SYNC") || args::is(how, "ASYNC") => {
            lua.flush();
            Ok(RespValue::OK)
        }
        ("FLUSH", _) => Err(CommandError::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option")),
        ("LOAD", _) => Err(CommandError::arity("script|load")),
        ("EXISTS", _) => Err(CommandError::arity("script|exists")),
        _ => {
            let name = String::from_utf8_lossy(&args[0]);
            Err(CommandError::text(format!("ERR unknown subcommand '{name}'. Try SCRIPT HELP.")))
        }
    }
}

fn sha(source: &[u8]) -> String {
    sha1_smol::Sha1::from(source).digest().to_string()
}
