//! Every script of ours on both engines: one by one, and many items in one run.

use bytes::Bytes;
use cinnabar::store::{Keys, Merge, Reply, Request, Script, Verb};

use crate::pair::{How, Pair, same, words};
use crate::wire::{Outcome, Words};

/// One comparison.
struct Line {
    script: &'static Script,
    /// Commands before it, such as `SET lock:a token`.
    before: &'static [&'static str],
    /// Keys, then arguments, as one line. Run twice in a row.
    args: &'static str,
    /// `Loosely` where it answers times.
    how: How,
    /// Commands after it that show what it did.
    after: &'static [&'static str],
}

/// Here each script under `src/features` gets a line for each thing it may do.
fn scripts() -> Vec<Line> {
    static ADD: Script = Script::new(
        "engines/add.lua",
        "local n = redis.call('INCRBY', KEYS[1], ARGV[1])
        if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
        return { n, redis.call('PTTL', KEYS[1]), redis.call('TIME')[1] }",
        1,
        2,
    );
    vec![
        Line { script: &ADD, before: &[], args: "n 5 60000", how: How::Loosely, after: &["GET n", "TTL n"] },
        Line { script: &ADD, before: &["SET n 1 EX 10"], args: "n 5 60000", how: How::Loosely, after: &["TTL n"] },
        Line { script: &ADD, before: &["SADD n a"], args: "n 5 60000", how: How::Exactly, after: &["SMEMBERS n"] },
    ]
}

#[test]
fn every_script_answers_alike() {
    let mut pair = Pair::start();
    for line in scripts() {
        let args = words(line.args);
        for _ in 0..2 {
            prepare(&mut pair, &line);
            for _ in 0..2 {
                compare_one(&mut pair, &line, &args);
            }
            show(&mut pair, &line);
        }
        prepare(&mut pair, &line);
        compare_many(&mut pair, &line, &args);
        show(&mut pair, &line);
    }
}

fn prepare(pair: &mut Pair, line: &Line) {
    pair.check(line.before);
}

fn show(pair: &mut Pair, line: &Line) {
    let after: Vec<Words> = line.after.iter().map(|line| words(line)).collect();
    assert_eq!(pair.differ(&after), None, "after {} {}", line.script.name, line.args);
}

fn eval(source: &str, keys: usize, args: &[Vec<u8>]) -> Words {
    let head = [b"EVAL".to_vec(), source.as_bytes().to_vec(), keys.to_string().into_bytes()];
    head.into_iter().chain(args.iter().cloned()).collect()
}

fn agree(line: &Line, ours: cinnabar::error::Result<Reply>, theirs: Outcome) {
    let short = |text: &str| text.split(" script: ").next().unwrap_or_default().to_owned();
    let (ours, theirs) = (ours.map_err(|error| short(error.message())), theirs.map_err(|text| short(&text)));
    let what = format!("{} {} after {:?}", line.script.name, line.args, line.before);
    assert!(same(&ours, &theirs, line.how), "{what}\n  embedded: {ours:?}\n  server:   {theirs:?}");
}

fn compare_one(pair: &mut Pair, line: &Line, args: &Words) {
    let theirs = pair.wire.pipeline(&[eval(line.script.source, line.script.keys, args)]).remove(0);
    let args = args.iter().map(|arg| Bytes::from(arg.clone())).collect();
    let verb = Verb::Script(line.script);
    let run = Request { verb, args, keys: Keys::Unknown, merge: Merge::No, repeatable: false };
    agree(line, pair.engine.execute(&[run]).remove(0), theirs);
}

/// The same item twice in one run.
fn compare_many(pair: &mut Pair, line: &Line, args: &Words) {
    let (keys, rest) = args.split_at(line.script.keys);
    // Only a script with a fixed number of arguments can run for many items.
    if line.script.args == 0 || rest.len() != line.script.args {
        return;
    }
    let all = [keys, keys, rest, rest].concat();
    let (source, _) = line.script.many();
    let many = eval(source, 2 * keys.len(), &all);
    let theirs = pair.wire.pipeline(std::slice::from_ref(&many)).remove(0);
    let all: Vec<Bytes> = all.into_iter().map(Bytes::from).collect();
    agree(line, pair.engine.run_many(line.script, &all), theirs);
}
