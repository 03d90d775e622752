//! Banned words: in prose as whole words, in names as whole parts of `snake_case` and `camelCase`.

use super::{
    banned::{ALLOWED, BANNED},
    rule::Findings,
    source::File,
};

/// Where a word is banned, the words or phrases, and what to say instead.
pub struct Banned(pub Where, pub &'static [&'static str], pub &'static str);

/// Where a word is looked for.
#[derive(Clone, Copy, PartialEq)]
pub enum Where {
    /// In names, comments, string literals and documents.
    Text,
    /// In names only: they may be good prose.
    Code,
    /// In the names of Rust's types, functions, modules and constants, and of its files: common words elsewhere.
    RustNames,
}

/// One part of a name, or one word of prose, in lower case.
#[derive(Debug)]
struct Part {
    line: usize,
    text: String,
    code: bool,
    /// Whether the name that it belongs to is declared here by Rust code.
    declared: bool,
}

/// The banned words in a file, and in its path.
pub fn banned(file: &File) -> Findings {
    let rust = file.path.ends_with(".rs");
    let mut parts = Vec::new();
    let stem = file.path.rsplit_once('.').map_or(&*file.path, |(stem, _)| stem);
    for name in stem.split(['/', '.', '-']) {
        parts.extend(split(name).map(|text| Part { line: 1, text, code: true, declared: rust }));
    }
    read(file, &mut parts);
    BANNED
        .iter()
        .flat_map(|entry| entry.1.iter().map(move |phrase| (entry, phrase)))
        .flat_map(|(entry, phrase)| places(&parts, entry.0, phrase).map(move |at| (entry, phrase, at)))
        .map(|(entry, phrase, at)| (parts[at].line, format!("\"{phrase}\": say {}", entry.2)))
        .collect()
}

/// Where this phrase begins, unless it is part of a phrase that is allowed.
fn places<'a>(parts: &'a [Part], scope: Where, phrase: &'a str) -> impl Iterator<Item = usize> {
    let counts = move |part: &Part| match scope {
        Where::Text => true,
        Where::Code => part.code,
        Where::RustNames => part.declared,
    };
    (0..parts.len()).filter(move |&at| {
        begins(&parts[at..], phrase) && counts(&parts[at]) && !ALLOWED.iter().any(|allowed| covers(parts, at, allowed))
    })
}

fn begins(parts: &[Part], phrase: &str) -> bool {
    let mut parts = parts.iter();
    phrase.split(' ').all(|word| parts.next().is_some_and(|part| part.text == word))
}

/// Whether a phrase lies over the part at `at`.
fn covers(parts: &[Part], at: usize, phrase: &str) -> bool {
    let length = phrase.split(' ').count();
    (at.saturating_sub(length - 1)..=at).any(|from| begins(&parts[from..], phrase))
}

/// Reads a text into parts. It knows comments and string literals well enough to say which words are names.
fn read(file: &File, parts: &mut Vec<Part>) {
    let (rust, lua, prose) = (file.path.ends_with(".rs"), file.path.ends_with(".lua"), file.path.ends_with(".md"));
    // What ends the comment or literal that has begun, and whether it ends with its line.
    let mut until: Option<(&str, bool)> = None;
    for (line, text) in (1..).zip(file.text.lines()) {
        until = until.filter(|(_, one_line)| !one_line);
        let mut keyword = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if is_word(c) {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let code = until.is_none() && !prose;
                let name: Vec<_> = split(&rest[..length]).collect();
                // The name of a test is a sentence.
                let declared = rust && code && DECLARES.contains(&&*keyword) && name.len() < 5;
                parts.extend(name.into_iter().map(|text| Part { line, text, code, declared }));
                keyword = rest[..length].into();
                rest = &rest[length..];
                continue;
            }
            if !c.is_whitespace() {
                keyword.clear();
            }
            let mut length = c.len_utf8();
            match until {
                Some((end, _)) if rest.starts_with(end) => {
                    length = end.len();
                    until = None;
                }
                Some(_) if c == '\\' => length += rest[1..].chars().next().map_or(0, char::len_utf8),
                Some(_) => {}
                None if !prose => {
                    if let Some((begin, end, one_line)) =
                        OPENING.iter().find(|(begin, ..)| rest.starts_with(begin) && opens(begin, rest, rust, lua))
                    {
                        length = begin.len();
                        until = Some((end, *one_line));
                    }
                }
                None => {}
            }
            rest = &rest[length..];
        }
    }
}

const DECLARES: &[&str] = &["fn", "struct", "enum", "trait", "type", "mod", "const", "static"];

/// What begins a comment or a literal, what ends it, and whether the end of the line does too.
const OPENING: &[(&str, &str, bool)] = &[
    ("--[[", "]]", false),
    ("--", "\n", true),
    ("//", "\n", true),
    ("/*", "*/", false),
    ("\"", "\"", false),
    ("'", "'", true),
    ("`", "`", false),
];

fn opens(begin: &str, rest: &str, rust: bool, lua: bool) -> bool {
    match begin {
        "--[[" | "--" => lua,
        "//" | "/*" => !lua,
        "`" => !rust && !lua,
        // A lifetime is no literal.
        "'" => !rust || rest[1..].chars().nth(1) == Some('\'') || rest[1..].starts_with('\\'),
        _ => true,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The parts of a name: `keep_back`, `keepBack` and `KeepBack` are `keep` and `back`, `TTLs` is one part.
fn split(name: &str) -> impl Iterator<Item = String> {
    let chars: Vec<char> = name.chars().collect();
    let mut parts = vec![String::new()];
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let begins = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase() || before.is_uppercase() && chars.get(at + 1).is_some_and(|c| c.is_lowercase())
            });
        if c == '_' || begins {
            parts.push(String::new());
        }
        if c != '_' {
            parts.last_mut().unwrap().extend(c.to_lowercase());
        }
    }
    parts.into_iter().filter(|part| !part.is_empty())
}
