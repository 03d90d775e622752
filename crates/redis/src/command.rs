//! Encodes requests as commands.

use bytes::Bytes;
use cinnabar_port::{Request, Script, Transaction, Verb};

use super::{resp::Commands, scripts::Scripts};
use crate::plan::OutgoingCommand;

/// Adds a request; returns whether that includes the source of a script. A script is sent with its source, which loads it, until
/// the server has run it, and by its SHA-1 from then on; `whole` always sends the source.
pub fn encode(wire: &OutgoingCommand, scripts: &Scripts, whole: bool, commands: &mut Commands) -> bool {
    let mut plain = |name: &str, args: &[Bytes]| {
        commands.push(&[name.as_bytes()], args.len(), args.iter());
        false
    };
    match wire {
        OutgoingCommand::Get(keys) if keys.len() == 1 => plain("GET", keys),
        OutgoingCommand::Get(keys) => plain("MGET", keys),
        OutgoingCommand::One(Request { verb: Verb::Command(name), args, .. }) => plain(name, args),
        OutgoingCommand::One(Request { verb: Verb::Custom(name), args, .. }) => plain(name, args),
        OutgoingCommand::One(Request { verb: Verb::Dedicated(command), args, .. }) => plain(&command.name, args),
        OutgoingCommand::One(Request { verb: Verb::Transaction(whole), .. }) => {
            encode_transaction(whole, scripts, commands);
            false
        }
        OutgoingCommand::One(request @ Request { verb: Verb::Script(script) | Verb::Many(script), args, .. }) => {
            let keys = request.touched().into_iter().flatten().count();
            let (source, sha) = text(script, matches!(request.verb, Verb::Many(_)));
            let run = Run { source, sha, keys, args: args.len() };
            run.encode(args.iter(), scripts, whole, commands)
        }
        OutgoingCommand::Many(many) => {
            let (source, sha) = text(many.script, !many.is_single());
            let run = Run { source, sha, keys: many.keys.len(), args: many.keys.len() + many.args.len() };
            run.encode(many.keys.iter().chain(&many.args), scripts, whole, commands)
        }
    }
}

/// The SHA-1 of the script that a request runs, if it runs one of ours.
pub fn script(wire: &OutgoingCommand) -> Option<&'static str> {
    let (script, many) = match wire {
        OutgoingCommand::One(Request { verb: Verb::Script(script), .. }) => (script, false),
        OutgoingCommand::One(Request { verb: Verb::Many(script), .. }) => (script, true),
        OutgoingCommand::Many(many) => (&many.script, !many.is_single()),
        OutgoingCommand::One(_) | OutgoingCommand::Get(_) => return None,
    };
    Some(text(script, many).1)
}

/// The source of a script and its SHA-1.
fn text(script: &'static Script, many: bool) -> (&'static str, &'static str) {
    if many { script.many() } else { script.whole() }
}

fn encode_transaction(transaction: &Transaction, scripts: &Scripts, commands: &mut Commands) {
    commands.push_words(&[b"MULTI"]);
    for request in &transaction.requests {
        encode(&OutgoingCommand::One(request.clone()), scripts, true, commands);
    }
    commands.push_words(&[b"EXEC"]);
    if let Some(request) = &transaction.followed_by {
        encode(&OutgoingCommand::One(request.clone()), scripts, true, commands);
    }
}

/// How many commands a request consists of; a transaction's include `MULTI` and `EXEC`, and what follows it.
pub fn count(wire: &OutgoingCommand) -> usize {
    match wire {
        OutgoingCommand::One(Request { verb: Verb::Transaction(whole), .. }) => {
            whole.requests.len() + 2 + usize::from(whole.followed_by.is_some())
        }
        _ => 1,
    }
}

/// Whether it is a transaction with a command behind it.
pub fn is_followed(wire: &OutgoingCommand) -> bool {
    matches!(wire, OutgoingCommand::One(Request { verb: Verb::Transaction(whole), .. }) if whole.followed_by.is_some())
}

/// One run of a script.
struct Run {
    source: &'static str,
    sha: &'static str,
    keys: usize,
    /// Keys and arguments together.
    args: usize,
}

impl Run {
    fn encode<'a>(
        &self,
        args: impl Iterator<Item = &'a Bytes>,
        scripts: &Scripts,
        whole: bool,
        commands: &mut Commands,
    ) -> bool {
        let known = !whole && scripts.knows(self.sha);
        let (name, script) = if known { ("EVALSHA", self.sha) } else { ("EVAL", self.source) };
        let mut digits = itoa::Buffer::new();
        let keys = digits.format(self.keys);
        commands.push(&[name.as_bytes(), script.as_bytes(), keys.as_bytes()], self.args, args);
        !known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static RELEASE: Script = Script::new("release", "return 1", 1, 1);

    #[test]
    fn a_script_is_sent_with_its_source_until_the_server_has_run_it() {
        let scripts = Scripts::default();
        let run =
            OutgoingCommand::One(Request::script(&RELEASE, [Bytes::from_static(b"key"), Bytes::from_static(b"token")]));
        let sends_source = |whole| encode(&run, &scripts, whole, &mut Commands::default());
        assert!(sends_source(false));
        assert!(sends_source(false), "the first may have been refused before it was loaded");
        scripts.add(script(&run).into_iter());
        assert!(!sends_source(false));
        assert!(sends_source(true));
        scripts.clear();
        assert!(sends_source(false));
        assert!(!encode(&OutgoingCommand::One(Request::command("PING", [])), &scripts, true, &mut Commands::default()));
    }
}
