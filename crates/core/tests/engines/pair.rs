//! Both engines side by side.

use std::ops::ControlFlow;

use bytes::Bytes;
use cinnabar_memory::Engine;
use cinnabar_port::error::Error;
use cinnabar_port::{Effect, Keys, Merge, Reply, Request, Verb};

use crate::server::Server;
use crate::wire::{Outcome, Wire, Words};

/// The embedded engine and a server.
pub struct Pair {
    pub engine: Engine,
    pub wire: Wire,
    _server: Server,
}

/// How far two replies may differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    /// Not at all.
    Exactly,
    /// Times that were read at different moments: numbers over 5000, by up to 5000.
    Loosely,
    /// The same with times in microseconds: numbers over 5,000,000, by up to that.
    Micros,
}

impl Pair {
    pub fn start() -> Self {
        let server = Server::start();
        let engine = Engine::new(256 * 1024 * 1024).expect("an engine");
        Self { engine, wire: Wire::connect(server.port), _server: server }
    }

    /// Runs commands on both. Describes the first difference.
    pub fn differ(&mut self, commands: &[Words]) -> Option<String> {
        let theirs = self.wire.pipeline(commands);
        let ours = self.engine.execute_blocking(&commands.iter().map(request).collect::<Vec<_>>());
        let lines = commands.iter().zip(ours).zip(theirs);
        let found = lines.enumerate().try_for_each(|(i, ((words, ours), theirs))| {
            let ours = ours.map_err(|error| error.message().to_owned());
            // As callers see errors: without the arguments that were sent.
            let redacted =
                |text: String| Error::from_server(text).redacting(request(words).caller_data()).message().to_owned();
            let theirs = theirs.map_err(redacted);
            let name = String::from_utf8_lossy(&words[0]).to_ascii_uppercase();
            if same(&normalized(&name, ours.clone()), &normalized(&name, theirs.clone()), how(&name)) {
                return ControlFlow::Continue(());
            }
            let before: Vec<String> = commands[..i].iter().map(shown).collect();
            ControlFlow::Break(format!(
                "{}\n  embedded: {ours:?}\n  server:   {theirs:?}\n  after: {}",
                shown(words),
                before.join(" | ")
            ))
        });
        found.break_value()
    }

    /// Runs lines such as `SET k "a b"` on both, from empty stores. Describes the first difference.
    pub fn difference(&mut self, lines: &[&str]) -> Option<String> {
        let commands: Vec<Words> = std::iter::once(&"FLUSHALL").chain(lines).map(|line| words(line)).collect();
        self.differ(&commands)
    }

    /// The same, as an assertion.
    #[track_caller]
    pub fn check(&mut self, lines: &[&str]) {
        none(self.difference(lines));
    }
}

/// Fails with all differences at once.
#[track_caller]
pub fn none(differences: impl IntoIterator<Item = String>) {
    let all: Vec<String> = differences.into_iter().collect();
    assert!(all.is_empty(), "{} differences\n{}", all.len(), all.join("\n"));
}

/// Builds a request of any command.
pub fn request(words: &Words) -> Request {
    let mut words = words.iter();
    let name = words.next().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default();
    let args = words.map(|word| Bytes::from(word.clone())).collect();
    Request {
        verb: Verb::Custom(name),
        args,
        keys: Keys::Unknown,
        merge: Merge::No,
        idempotent: false,
        effect: Effect::ALWAYS,
        counts_for_breaker: true,
    }
}

/// Splits a line at blanks; `"…"` and `'…'` hold blanks together, `""` is an empty word, `\n` a new line, `\0` a NUL.
pub fn words(line: &str) -> Words {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, behind) = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => rest[1..].split_once(quote).expect("a closing quote"),
            _ => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.replace("\\n", "\n").replace("\\0", "\0").into_bytes());
        rest = behind.trim_start();
    }
    words
}

fn shown(words: &Words) -> String {
    let words = words.iter().map(|word| format!("{:?}", String::from_utf8_lossy(word)));
    words.collect::<Vec<_>>().join(" ")
}

fn how(name: &str) -> How {
    if matches!(name, "PTTL" | "TIME" | "EXPIRETIME") { How::Loosely } else { How::Exactly }
}

/// Removes what differs between servers: the order of unordered elements, and which script an error arose in.
fn normalized(name: &str, outcome: Outcome) -> Outcome {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(text) => return Err(text.split(" script: ").next().unwrap_or_default().to_owned()),
    };
    Ok(match (name, reply) {
        ("SMEMBERS" | "KEYS" | "HKEYS" | "HVALS" | "SPOP" | "SRANDMEMBER", Reply::Array(items)) => sorted(items, 1),
        ("HGETALL", Reply::Array(items)) => sorted(items, 2),
        ("SCAN", Reply::Array(parts)) => match <[Reply; 2]>::try_from(parts) {
            Ok([cursor, Reply::Array(keys)]) => Reply::Array(vec![cursor, sorted(keys, 1)]),
            other => panic!("SCAN returned {other:?}"),
        },
        // Microseconds restart each second, so they cannot be compared.
        ("TIME", Reply::Array(mut parts)) => {
            let micros = parts.pop().and_then(|micros| number(&micros.bulk().ok()??));
            parts.push(Reply::Int(micros.is_some_and(|micros| (0.0..1e6).contains(&micros)).into()));
            Reply::Array(parts)
        }
        (_, reply) => reply,
    })
}

fn sorted(items: Vec<Reply>, size: usize) -> Reply {
    let mut groups: Vec<Vec<Reply>> = items.chunks(size).map(<[Reply]>::to_vec).collect();
    groups.sort_by_key(|group| format!("{group:?}"));
    Reply::Array(groups.concat())
}

/// Whether two outcomes agree.
pub fn same(ours: &Outcome, theirs: &Outcome, how: How) -> bool {
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => equivalent(ours, theirs, how),
        (ours, theirs) => ours == theirs,
    }
}

fn equivalent(ours: &Reply, theirs: &Reply, how: How) -> bool {
    match (ours, theirs) {
        (Reply::Array(ours), Reply::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| equivalent(ours, theirs, how))
        }
        (Reply::Bulk(a), Reply::Bulk(b)) if a != b && how == How::Micros && a.contains(&b'/') => {
            // Times and other numbers, as in the mark of a charge.
            let parts = |text: &Bytes| -> Vec<Bytes> {
                text.split(|byte| matches!(byte, b'/' | b':' | b' ')).map(Bytes::copy_from_slice).collect()
            };
            let (ours, theirs) = (parts(a), parts(b));
            let same = |(a, b): (Bytes, Bytes)| equivalent(&Reply::Bulk(a), &Reply::Bulk(b), how);
            ours.len() == theirs.len() && ours.into_iter().zip(theirs).all(same)
        }
        (Reply::Bulk(a), Reply::Bulk(b)) if a != b => match (number(a), number(b)) {
            (Some(a), Some(b)) if how != How::Exactly => near(a, b, how),
            // Servers from 7.2 write 0.1, earlier ones 0.10000000000000001: the same number.
            (Some(a), Some(b)) => a == b && a.fract() != 0.0,
            _ => false,
        },
        (Reply::Int(a), Reply::Int(b)) if how != How::Exactly => a == b || near(*a as f64, *b as f64, how),
        (ours, theirs) => ours == theirs,
    }
}

fn near(a: f64, b: f64, how: How) -> bool {
    // A negative number may be a time, too.
    let within = |most: f64| a.abs().min(b.abs()) > most && (a - b).abs() <= most;
    within(5000.0) || how == How::Micros && within(5_000_000.0)
}

fn number(text: &Bytes) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
