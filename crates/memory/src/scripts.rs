//! Running and keeping of scripts.

use bytes::Bytes;

use super::answer::{Answer, Fault, Outcome};
use super::args;
use super::lua::Lua;
use super::spec::Spec;

pub const COMMANDS: &[Spec] =
    &[Spec::script("EVAL", -3, eval), Spec::script("EVALSHA", -3, evalsha), Spec::script("SCRIPT", -2, script)];

fn eval(lua: &mut Lua, args: &[Bytes]) -> Outcome {
    let keys = keys(args)?;
    lua.run(&sha(&args[0]), &args[0], &args[2..], keys)
}

fn evalsha(lua: &mut Lua, args: &[Bytes]) -> Outcome {
    // What cannot be a SHA-1 is refused before anything else is looked at.
    let keys = if args[0].len() == 40 { keys(args)? } else { 0 };
    let sha = String::from_utf8_lossy(&args[0]).to_ascii_lowercase();
    lua.run_known(&sha, &args[2..], keys)
}

/// How many of the arguments behind script and number are keys.
fn keys(args: &[Bytes]) -> Result<usize, Fault> {
    let keys = args::integer(&args[1])?;
    let keys = usize::try_from(keys).map_err(|_| Fault::new("ERR Number of keys can't be negative"))?;
    if keys > args.len() - 2 {
        return Err(Fault::new("ERR Number of keys can't be greater than number of args"));
    }
    Ok(keys)
}

fn script(lua: &mut Lua, args: &[Bytes]) -> Outcome {
    match (args::word(&args[0]).as_str(), &args[1..]) {
        ("LOAD", [source]) => {
            let sha = sha(source);
            lua.load(&sha, source)?;
            Ok(Answer::Bulk(Bytes::from(sha)))
        }
        ("EXISTS", shas @ [_, ..]) => {
            let known = |sha: &Bytes| lua.knows(&String::from_utf8_lossy(sha).to_ascii_lowercase()).into();
            Ok(Answer::Array(shas.iter().map(known).collect()))
        }
        ("FLUSH", []) => {
            lua.forget();
            Ok(Answer::OK)
        }
        ("FLUSH", [how]) if args::is(how, "SYNC") || args::is(how, "ASYNC") => {
            lua.forget();
            Ok(Answer::OK)
        }
        ("FLUSH", _) => Err(Fault::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option")),
        ("LOAD", _) => Err(Fault::arity("script|load")),
        ("EXISTS", _) => Err(Fault::arity("script|exists")),
        _ => {
            let name = String::from_utf8_lossy(&args[0]);
            Err(Fault::text(format!("ERR unknown subcommand '{name}'. Try SCRIPT HELP.")))
        }
    }
}

fn sha(source: &[u8]) -> String {
    sha1_smol::Sha1::from(source).digest().to_string()
}
