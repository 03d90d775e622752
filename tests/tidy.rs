//! The rules of the tree that no compiler keeps. ARCHITECTURE.md says why they are there.
//!
//! They read words, not meaning: a macro could hide anything from them. They keep honest people from slipping.
//! Each rule first proves on a small text that it can fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the tree must fail")]

#[path = "tidy/banned.rs"]
mod banned;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/rule.rs"]
mod rule;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/words.rs"]
mod words;

use cinnabar_memory::supports;
use rule::{Findings, Rule};
use source::File;

#[test]
fn only_the_driver_speaks_to_the_network() {
    only_in(&["TcpStream", "UnixStream", "lookup_host"], &["crates/redis/src/"])
        .refuses("crates/core/src/store.rs", "use tokio::net::TcpStream;")
        .refuses("crates/core/src/features/lock.rs", "std::net::TcpStream::connect(place)")
        .allows("crates/redis/src/dial.rs", "use tokio::net::{TcpStream, lookup_host};")
        .holds();
}

#[test]
fn only_the_interpreter_names_mlua() {
    only_in(&["mlua"], &["crates/memory/src/lua.rs", "crates/memory/src/lua/"])
        .refuses("crates/memory/src/lib.rs", "fn run(lua: &mlua::Lua) {}")
        .allows("crates/memory/src/lua.rs", "use mlua::Lua;")
        .holds();
}

/// A feature is what `crates/core/src/features.rs` makes public; what it keeps private is shared by all of them.
#[test]
fn no_feature_imports_another() {
    let features: Vec<String> = source::files(&["crates/core/src"], &["features.rs"])
        .iter()
        .flat_map(|file| find_where(file, |at| file.has(at, &["pub", "mod"])).map(|at| file.word(at + 2).into()))
        .collect();
    assert!(features.iter().any(|name| name == "lock"), "no features found: {features:?}");
    Rule::for_rust(move |file| siblings(file, &features))
        .refuses("crates/core/src/features/session.rs", "use crate::features::lock::Token;")
        .refuses("crates/core/src/features/session.rs", "use super::{life, lock};")
        .refuses("crates/core/src/features/session/load.rs", "fn a() -> super::super::lock::Token { b() }")
        .allows("crates/core/src/features/lock.rs", "use super::life; use crate::features::{lock::Token, life};")
        .allows("crates/core/src/features/session/load.rs", "use super::lock;")
        .allows("src/js/lock.rs", "use cinnabar_core::features::{lock, session};")
        .holds();
}

/// Crates are the walls; inside of them, modules are read one after the other.
#[test]
fn no_modules_import_each_other() {
    let cycles = |sources: &[(&str, &str)]| {
        let files: Vec<_> = sources.iter().map(|(path, text)| File::new(path, text)).collect();
        imports::cycles(&files)
    };
    let (a, b, c) = ("crates/x/src/a.rs", "crates/x/src/b.rs", "crates/x/src/a/c.rs");
    let back = (b, "use crate::{d, a::{self, A}};");
    assert_eq!(cycles(&[(a, "use super::b::B;"), back]), ["crates/x/src: a imports b", "crates/x/src: b imports a"]);
    assert_eq!(cycles(&[(a, "fn f() -> crate::b::B {}"), back]).len(), 2);
    let handed = ("crates/x/src/lib.rs", "mod a; mod b; pub use b::B;");
    assert_eq!(cycles(&[handed, (a, "use crate::B;"), back]).len(), 2, "through what the root hands on");
    assert_eq!(cycles(&[(a, "mod c; use c::C;"), (c, "use super::A;")]).len(), 0, "parent and child");
    assert_eq!(cycles(&[(a, ""), back, (c, "use crate::b::B;")]).len(), 0);
    let found = imports::cycles(&source::files(&["src", "crates"], &[".rs"]));
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// What goes on by itself runs calls; what a call is, and where it runs, knows nothing of that.
#[test]
fn agents_are_above_features_and_stores() {
    Rule::for_rust(|file| {
        let below = file.is_in(&[
            "crates/core/src/features.rs",
            "crates/core/src/features/",
            "crates/core/src/store.rs",
            "crates/core/src/store/",
        ]);
        find(file, |at| below && file.has(at, &["agents", "::"]))
    })
    .refuses("crates/core/src/features/queue.rs", "use crate::agents::worker::Worker;")
    .refuses("crates/core/src/store/batch.rs", "fn a() -> crate::agents::Hearing { b() }")
    .allows("src/js/queue.rs", "use cinnabar_core::agents::worker::Worker;")
    .holds();
    Rule::for_rust(|file| {
        let above = file.is_in(&["crates/core/src/agents.rs", "crates/core/src/agents/"]);
        find(file, |at| above && (file.word(at) == "cinnabar_redis"))
    })
    .refuses("crates/core/src/agents/worker.rs", "use cinnabar_redis::Engine;")
    .allows("crates/core/src/agents/worker.rs", "use crate::store::Store;")
    .holds();
}

/// Time belongs to the store: a feature that reads a clock of its own is wrong by the difference of two machines.
#[test]
fn no_feature_reads_a_clock() {
    Rule::for_rust(|file| {
        let feature = file.is_in(&["crates/core/src/features.rs", "crates/core/src/features/"]);
        find(file, |at| match file.word(at) {
            "SystemTime" | "Instant" | "UNIX_EPOCH" | "chrono" => feature,
            "now" => feature && at > 0 && file.word(at - 1) == "::",
            "elapsed" => feature && file.word(at + 1) == "(",
            _ => false,
        })
    })
    .refuses("crates/core/src/features/lock.rs", "let at = std::time::SystemTime::now();")
    .refuses("crates/core/src/features/lock.rs", "if started.elapsed() > ttl {}")
    .refuses("crates/core/src/features/lock.rs", "let at = Utc::now();")
    .allows("crates/core/src/features/lock.rs", "use std::time::Duration; // not Instant")
    .allows("crates/redis/src/sentinel/watch.rs", "let at = Instant::now();")
    .holds();
}

/// A literal looks like a key if a documented prefix begins it or follows a placeholder, or if it appends a part to a key by a
/// colon: `}:users`, `{id}:messages`, `:users`.
#[test]
fn only_keys_rs_builds_keys() {
    Rule::for_rust(built_keys)
        .under(&["src", "crates", "lib"])
        .with_endings(&[".rs", ".lua", ".js"])
        .refuses("crates/core/src/features/lock.rs", r#"let key = format!("lock:{resource}");"#)
        .refuses("crates/core/src/features/room.rs", r#"let key = format!("{room}:users");"#)
        .refuses("crates/core/src/features/cache/put.lua", "redis.call('GET', 'api:' .. ARGV[1])")
        .refuses("crates/core/src/features/cache/put.lua", "redis.call('GET', KEYS[1] .. ':tags')")
        .refuses("lib/limit.js", "const key = `ratelimit:${ip}`")
        .refuses("lib/limit.js", "const key = `${prefix}ratelimit:${ip}`")
        .refuses("lib/room.js", "const { prefix = 'room:' } = options")
        .allows("lib/room.js", "throw argumentError(`room: ${text} is no id`) // 'room:'")
        .allows("crates/core/src/keys.rs", r#"let key = format!("lock:{resource}");"#)
        .allows("crates/core/src/features/lock.rs", r#"Error::argument(format!("{what}: must not be empty"))"#)
        .allows("crates/core/src/features/lock.rs", r#"script!(RELEASE = "lock/release.lua", keys: 1, args: 1);"#)
        .allows("crates/core/src/features/lock.rs", r#"#[cfg(test)] mod tests { const KEY: &str = "lock:a"; }"#)
        .holds();
}

/// Clippy says the same in one build; this says it for every target and feature at once.
#[test]
fn nothing_panics_on_purpose() {
    Rule::for_rust(|file| {
        find(file, |at| match file.word(at) {
            "unwrap" | "expect" => at > 0 && file.word(at - 1) == "." && file.word(at + 1) == "(",
            "panic" | "todo" | "unimplemented" | "unreachable" => file.word(at + 1) == "!",
            _ => false,
        })
    })
    .refuses("crates/core/src/store.rs", "let a = b.unwrap();")
    .refuses("crates/core/src/store.rs", "let a = b.expect(\"a reason\");")
    .refuses("crates/core/src/store.rs", "panic!(\"no\");")
    .allows("crates/core/src/store.rs", "let a = b.unwrap_or_default(); // not unwrap()")
    .allows("crates/core/src/store.rs", "#[cfg(test)] mod tests { fn a() { b.unwrap(); } } fn expect(a: u8) {}")
    .refuses("crates/core/src/store.rs", "#[cfg(test)] mod tests { fn a() {} } fn a() { b.unwrap(); }")
    .holds();
}

#[test]
fn scripts_call_what_the_embedded_engine_knows() {
    Rule::for_lua(|file| {
        let called = |at, how| file.has(at, &["redis", ".", how, "("]);
        let calls = find_where(file, |at| called(at, "call") || called(at, "pcall"));
        calls.filter_map(|at| unknown_call(file, at)).collect()
    })
    .refuses("crates/core/src/features/lock/a.lua", "return redis.call('GTE', KEYS[1])")
    .refuses("crates/core/src/features/lock/a.lua", "return redis.pcall('BLPOP', KEYS[1], 0)")
    .refuses("crates/core/src/features/lock/a.lua", "return redis.call(ARGV[1], KEYS[1])")
    .allows("crates/core/src/features/lock/a.lua", "return redis.call('GET', KEYS[1]) -- not redis.call('GTE')")
    .holds();
}

/// They are Redis's additions to Lua, which the embedded engine's Lua does not have.
#[test]
fn scripts_use_plain_lua() {
    Rule::for_lua(|file| {
        find(file, |at| {
            let name = file.word(at);
            matches!(name, "cjson" | "cmsgpack") || matches!(name, "struct" | "bit") && file.word(at + 1) == "."
        })
    })
    .refuses("crates/core/src/features/lock/a.lua", "return cjson.decode(ARGV[1])")
    .refuses("crates/core/src/features/lock/a.lua", "local a = bit.band(1, 2)")
    .allows("crates/core/src/features/lock/a.lua", "local bit = 1 -- no cjson")
    .holds();
}

#[test]
fn files_are_short() {
    fn longer_than(limit: usize) -> impl Fn(&File) -> Findings {
        move |file| {
            let lines = file.text.lines().count();
            if lines > limit { vec![(lines, format!("{lines} lines, of which {limit} may be"))] } else { Vec::new() }
        }
    }
    Rule::for_rust(longer_than(400))
        .under(&["src", "crates", "tests"])
        .refuses("src/a.rs", &"//\n".repeat(401))
        .allows("src/a.rs", &"//\n".repeat(400))
        .holds();
    Rule::for_lua(longer_than(60))
        .refuses("src/a.lua", &"--\n".repeat(61))
        .allows("src/a.lua", &"--\n".repeat(60))
        .holds();
}

/// Names and prose speak the language of the field. `tests/tidy/banned.rs` has the words, and what to say instead.
#[test]
fn words_are_those_of_the_field() {
    Rule::for_rust(words::banned)
        .under(SPOKEN)
        .with_endings(&[".rs", ".lua", ".js", ".cjs", ".mjs", ".ts", ".tsx", ".md", ".html"])
        .refuses("src/a.rs", "/// Answers the session.")
        .refuses("src/a.rs", "fn wait_for_answer() {}")
        .refuses("src/desk.rs", "")
        .refuses("src/a.rs", "struct UsualLimits;")
        .refuses("src/a.rs", "pub fn handed_over() {}")
        .refuses("src/a.rs", "struct Flights;")
        .refuses("crates/core/src/a.lua", "-- What nobody hears.")
        .refuses("lib/a.js", "const toldOnce = new Set()")
        .refuses("lib/a.js", "throw argumentError(`it cannot be meant`)")
        .refuses("README.md", "It answers at once.")
        .refuses("README.md", "A reply that is on its way.")
        .allows("README.md", "As usual, it returns what is in flight: look at the page on the desktop.")
        .allows("lib/a.js", "const [inFlight, singleFlight, page] = [1, 2, 'spelled'] // as usual, handed down")
        .allows("src/a.rs", "let place = in_flight(\"usual\"); // what is kept, and how it is spelled")
        .allows("src/a.rs", "fn a_key_is_gone_after_its_ttl() {}")
        .allows("src/a.rs", "struct InFlight<'a>(&'a str); enum Order { FirstInFlight }")
        .holds();
}

/// Where the rule holds: everywhere but in the rule itself.
const SPOKEN: &[&str] = &[
    "src",
    "crates",
    "bin",
    "lib",
    "types",
    "docs",
    "examples",
    "bench",
    "scripts",
    "site",
    "tests/faults",
    "__test__",
    "build.rs",
    "index.js",
    "index.d.ts",
    "edge.js",
    "testing.js",
    "testing.d.ts",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
];

/// None of these words outside these places.
fn only_in(words: &'static [&'static str], places: &'static [&'static str]) -> Rule {
    Rule::for_rust(move |file| find(file, |at| !file.is_in(places) && words.contains(&file.word(at))))
}

/// The words for which this is true.
fn find(file: &File, wrong: impl Fn(usize) -> bool) -> Findings {
    find_where(file, wrong).map(|at| (file.words[at].line, file.words[at].text.clone())).collect()
}

/// The places of the words for which this is true.
fn find_where(file: &File, wanted: impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
    (0..file.words.len()).filter(move |at| wanted(*at))
}

/// Where a file under `crates/core/src/features` names another feature: after `features::`, or after as many `super::` as lead there.
fn siblings(file: &File, features: &[String]) -> Findings {
    let Some(inside) = file.path.strip_prefix("crates/core/src/features/") else { return Vec::new() };
    let own = inside.split(['/', '.']).next().unwrap_or_default();
    let depth = inside.matches('/').count() + 1;
    let mut named = Vec::new();
    for at in 0..file.words.len() {
        let supers = (0..).take_while(|i| file.has(at + 2 * i, &["super", "::"])).count();
        let inner = at > 1 && file.has(at - 2, &["super", "::"]);
        if file.has(at, &["features", "::"]) {
            named.extend(heads(file, at + 2));
        } else if supers == depth && !inner {
            named.extend(heads(file, at + 2 * supers));
        }
    }
    named.retain(|(_, name)| name != own && features.contains(name));
    named
}

/// The first names of a path or, in braces, of each path there.
fn heads(file: &File, from: usize) -> Findings {
    let mut depth = 0;
    let mut found = Vec::new();
    for at in from..file.words.len() {
        match file.word(at) {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if at == from || depth == 1 && matches!(file.word(at - 1), "{" | ",") => {
                found.push((file.words[at].line, file.word(at).into()));
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

fn built_keys(file: &File) -> Findings {
    const PREFIXES: [&str; 10] =
        ["session:", "api:", "cache:", "image:", "rate_limit:", "ratelimit:", "lock:", "room:", "queue:", "next:"];
    if file.is_in(&["crates/core/src/keys.rs", "crates/core/src/keys/", "lib/next-cache/keys.js"]) {
        return Vec::new();
    }
    let looks_like_a_key = |text: &str| {
        let begins = PREFIXES.iter().any(|prefix| {
            let mut starts = text.match_indices(prefix).filter(|(at, _)| *at == 0 || text[..*at].ends_with('}'));
            starts.any(|(at, _)| !text[at + prefix.len()..].starts_with(' '))
        });
        let glued = text.rsplit_once(':').is_some_and(|(before, suffix)| {
            let part = !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            part && (before.is_empty() || before.ends_with('}'))
        });
        begins || glued
    };
    let found = file.strings.iter().filter(|literal| looks_like_a_key(&literal.text));
    found.map(|literal| (literal.line, format!("{:?} looks like a key", literal.text))).collect()
}

/// What is wrong with the `redis.call(` at this place.
fn unknown_call(file: &File, at: usize) -> Option<(usize, String)> {
    let line = file.words[at].line;
    match file.strings.iter().find(|literal| literal.after == at + 4) {
        Some(name) if supports(&name.text) => None,
        Some(name) => Some((line, format!("the embedded engine does not know {}", name.text))),
        None => Some((line, "the command must be a literal, so that this test can read it".into())),
    }
}
