//! Encodes requests as commands.

use bytes::Bytes;

use super::{pool::Scripts, resp::Commands, transaction};
use crate::store::{Request, Script, Verb, plan::Wire};

/// Adds a request. A script is sent with its source the first time on a connection, which loads it, and by its SHA-1 from then
/// on; `whole` always sends the source.
pub fn spell(wire: &Wire, scripts: &Scripts, whole: bool, commands: &mut Commands) {
    let mut plain = |name: &str, args: &[Bytes]| commands.push(&[name.as_bytes()], args.len(), args.iter());
    match wire {
        Wire::Get(keys) if keys.len() == 1 => plain("GET", keys),
        Wire::Get(keys) => plain("MGET", keys),
        Wire::One(Request { verb: Verb::Command(name), args, .. }) => plain(name, args),
        Wire::One(Request { verb: Verb::Custom(name), args, .. }) => plain(name, args),
        Wire::One(Request { verb: Verb::Apart(apart), args, .. }) => plain(&apart.name, args),
        Wire::One(Request { verb: Verb::Transaction(whole), .. }) => transaction::spell_all(whole, scripts, commands),
        Wire::One(request @ Request { verb: Verb::Script(script) | Verb::Many(script), args, .. }) => {
            let keys = request.touched().into_iter().flatten().count();
            let (source, sha) = if matches!(request.verb, Verb::Many(_)) { script.many() } else { script.whole() };
            let run = Run { source, sha, keys, args: args.len() };
            run.spell(args.iter(), scripts, whole, commands);
        }
        Wire::Many(many) => {
            let script: &'static Script = many.script;
            let (source, sha) = if many.is_single() { script.whole() } else { script.many() };
            let run = Run { source, sha, keys: many.keys.len(), args: many.keys.len() + many.args.len() };
            run.spell(many.keys.iter().chain(&many.args), scripts, whole, commands);
        }
    }
}

/// How many commands a request consists of.
pub fn count(wire: &Wire) -> usize {
    match wire {
        Wire::One(Request { verb: Verb::Transaction(whole), .. }) => transaction::count(whole),
        _ => 1,
    }
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
    fn spell<'a>(
        &self,
        args: impl Iterator<Item = &'a Bytes>,
        scripts: &Scripts,
        whole: bool,
        commands: &mut Commands,
    ) {
        let known = scripts.teach(self.sha) && !whole;
        let (name, script) = if known { ("EVALSHA", self.sha) } else { ("EVAL", self.source) };
        let mut digits = itoa::Buffer::new();
        let keys = digits.format(self.keys);
        commands.push(&[name.as_bytes(), script.as_bytes(), keys.as_bytes()], self.args, args);
    }
}
