//! Every script on both engines: one by one, and many items in one run.

use std::collections::HashSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cinnabar_port::{Effect, Keys, Merge, Reply, Request, Script, Verb};

use crate::pair::{How, Pair, none, same, words};
use crate::wire::{Outcome, Words};
use crate::{
    feature_scripts, limit_scripts, lock_reader_scripts, lock_scripts, queue_scripts, repeat_scripts, room_scripts,
    session_scripts, session_token_scripts,
};

/// A script as its feature declares it.
macro_rules! script {
    ($name:ident = $file:literal, keys: $keys:literal, args: $args:literal $(, with: [$($part:literal),+])?) => {
        pub static $name: cinnabar_port::Script = cinnabar_port::Script::with_parts(
            $file,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/features/", $file)),
            &[$($(($part, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/features/", $part)))),+)?],
            "",
            $keys,
            $args,
        );
    };
}
pub(crate) use script;

/// Comparisons of one script.
pub struct Cases {
    pub script: &'static Script,
    /// `Loosely` if it returns times.
    pub how: How,
    /// Commands that show what it did. None may show a time that the script took from the clock.
    pub after: &'static [&'static str],
    /// One per line: `command | command => keys and arguments`.
    pub lines: &'static str,
}

/// One comparison.
struct Case<'a> {
    of: &'a Cases,
    line: &'a str,
    /// Commands before it, such as `SET lock:a token`.
    before: Vec<&'a str>,
    /// The keys, then the arguments.
    args: Words,
}

impl Cases {
    fn all(&self) -> impl Iterator<Item = Case<'_>> {
        self.lines.lines().filter(|line| !line.is_empty()).map(|line| {
            let (before, args) = line.split_once("=>").expect("a =>");
            let before = before.split(" | ").map(str::trim).filter(|command| !command.is_empty()).collect();
            Case { of: self, line, before, args: words(args) }
        })
    }
}

fn cases() -> impl Iterator<Item = &'static Cases> {
    let all = [feature_scripts::CASES, queue_scripts::CASES, repeat_scripts::CASES, room_scripts::CASES];
    all.into_iter()
        .flatten()
        .chain(limit_scripts::CASES)
        .chain(lock_scripts::CASES)
        .chain(lock_reader_scripts::CASES)
        .chain(session_scripts::CASES)
        .chain(session_token_scripts::CASES)
}

#[test]
fn every_script_returns_the_same() {
    let mut pair = Pair::start();
    let mut differences = Vec::new();
    for case in cases().flat_map(Cases::all) {
        let runs: [fn(&mut Pair, &Case) -> _; 2] = [one_after_the_other, many_at_once];
        differences.extend(runs.iter().filter_map(|run| run(&mut pair, &case).err()));
    }
    none(differences);
}

#[test]
fn every_script_has_a_line() {
    let features = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/features");
    let files = files(&features);
    let of = |kind: &'static str| files.iter().filter(move |file| file.extension().is_some_and(|found| found == kind));
    let written: HashSet<String> =
        of("lua").map(|file| file.strip_prefix(&features).unwrap().to_str().unwrap().replace('\\', "/")).collect();
    let compared = cases().filter(|cases| cases.all().next().is_some());
    let scripts: Vec<&Script> = compared.map(|cases| cases.script).collect();
    let names = scripts.iter().flat_map(|script| script.shared().chain([script.name]));
    let named: HashSet<String> = names.map(str::to_owned).collect();
    assert!(!written.is_empty());
    assert_eq!(written.difference(&named).collect::<Vec<_>>(), [""; 0], "no line for these");

    let sources: String = of("rs").map(|file| read_to_string(file).unwrap()).collect();
    for Script { name, keys, args, .. } in scripts {
        let declared = format!("= \"{name}\", keys: {keys}, args: {args}");
        let found = [")", ","].iter().any(|end| sources.contains(&format!("{declared}{end}")));
        assert!(found, "{name} takes something else");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Runs it twice, so that the second run meets the effects of the first.
fn one_after_the_other(pair: &mut Pair, case: &Case) -> Result<(), String> {
    prepare(pair, case)?;
    for _ in 0..2 {
        let script = case.of.script;
        let outcomes = run(pair, script, script.keys, &case.args);
        agree(case, outcomes)?;
    }
    show(pair, case)
}

/// Runs the same item twice in one run, with the same on missing keys in between: a failure must not affect other items.
fn many_at_once(pair: &mut Pair, case: &Case) -> Result<(), String> {
    let script = case.of.script;
    let (keys, rest) = case.args.split_at(script.keys);
    // Only a script with a fixed number of arguments can run for many items.
    if rest.len() != script.args {
        return Ok(());
    }
    prepare(pair, case)?;
    if script.same_keys {
        let all = [keys, rest, rest, rest].concat();
        return many(pair, case, keys.len(), all);
    }
    let fresh: Words = keys.iter().map(|key| [b"fresh:", &key[..]].concat()).collect();
    let all = [keys, &fresh, keys, rest, rest, rest].concat();
    many(pair, case, 3 * keys.len(), all)
}

fn many(pair: &mut Pair, case: &Case, keys: usize, all: Words) -> Result<(), String> {
    let script = case.of.script;
    let theirs = eval(pair, script.many().0, keys, &all);
    let all: Vec<Bytes> = all.into_iter().map(Bytes::from).collect();
    let ours = pair.engine.run_many(script, &all);
    agree(case, (ours, theirs))?;
    show(pair, case)
}

fn prepare(pair: &mut Pair, case: &Case) -> Result<(), String> {
    pair.difference(&case.before).map_or(Ok(()), Err)
}

fn show(pair: &mut Pair, case: &Case) -> Result<(), String> {
    let after: Vec<Words> = case.of.after.iter().chain(&["KEYS *"]).map(|line| words(line)).collect();
    let difference = pair.differ(&after).map(|difference| format!("after {}: {difference}", named(case)));
    difference.map_or(Ok(()), Err)
}

fn agree(case: &Case, (ours, theirs): (cinnabar_port::error::Result<Reply>, Outcome)) -> Result<(), String> {
    let short = |text: &str| text.split(" script: ").next().unwrap_or_default().to_owned();
    let (ours, theirs) = (ours.map_err(|error| short(error.message())), theirs.map_err(|text| short(&text)));
    if same(&ours, &theirs, case.of.how) {
        return Ok(());
    }
    Err(format!("{}\n  embedded: {ours:?}\n  server:   {theirs:?}", named(case)))
}

fn named(case: &Case) -> String {
    format!("{}: {}", case.of.script.name, case.line)
}

/// Runs a script on both.
pub fn run(
    pair: &mut Pair,
    script: &'static Script,
    keys: usize,
    args: &Words,
) -> (cinnabar_port::error::Result<Reply>, Outcome) {
    let theirs = eval(pair, script.whole().0, keys, args);
    let args = args.iter().map(|arg| Bytes::from(arg.clone()));
    let at = Keys::leading(keys);
    let mut request = Request {
        verb: Verb::Script(script),
        args: args.clone().collect(),
        keys: at,
        merge: Merge::No,
        idempotent: false,
        effect: Effect::ALWAYS,
        counts_for_breaker: true,
    };
    if script.same_keys {
        // The lines do not list the other keys it uses, which the embedded engine would require.
        let head = [Bytes::from(script.whole().0), Bytes::from(keys.to_string())];
        (request.verb, request.args) = (Verb::Custom("EVAL".to_owned()), head.into_iter().chain(args).collect());
    }
    (pair.engine.execute_blocking(&[request]).remove(0), theirs)
}

fn eval(pair: &mut Pair, source: &str, keys: usize, args: &[Vec<u8>]) -> Outcome {
    let head = [b"EVAL".to_vec(), source.as_bytes().to_vec(), keys.to_string().into_bytes()];
    let command = head.into_iter().chain(args.iter().cloned()).collect();
    pair.wire.pipeline(&[command]).remove(0)
}
