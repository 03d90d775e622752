//! A source file as the rules see it: its words without comments and tests, and its string literals.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// One file of the tree.
pub struct File {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// As it lies on the disk.
    pub text: String,
    /// Words and punctuation marks in order. No comments, no strings and nothing under `#[cfg(test)]`.
    pub words: Vec<Word>,
    /// The contents of string literals, escapes left as they are. Nothing under `#[cfg(test)]`.
    pub strings: Vec<Literal>,
}

/// An identifier, a number or one punctuation mark; `::` and `..` count as one.
pub struct Word {
    pub line: usize,
    pub text: String,
}

/// A string literal.
pub struct Literal {
    pub line: usize,
    pub text: String,
    /// How many words come before it.
    pub after: usize,
}

impl File {
    /// This text as if it lay at this path.
    pub fn new(path: &str, text: &str) -> Self {
        let mut file = Self { path: path.into(), text: text.into(), words: Vec::new(), strings: Vec::new() };
        if !is_test(path) {
            Lexer { rest: text, line: 1, language: Language::of(path) }.read(&mut file);
            file.cut_tests();
        }
        file
    }

    /// Whether it lies at one of these paths, or under one that ends in `/`.
    pub fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path == *place || place.ends_with('/') && self.path.starts_with(place))
    }

    /// The text of the word so many places further on, or nothing.
    pub fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| &word.text)
    }

    /// Whether these words stand here in a row.
    pub fn has(&self, at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(i, word)| self.word(at + i) == *word)
    }

    /// Removes each item that `#[cfg(test)]` stands before: to its closing brace, or to a semicolon that comes first.
    fn cut_tests(&mut self) {
        let mut at = 0;
        while at < self.words.len() {
            if !self.has(at, &["#", "[", "cfg", "(", "test", ")", "]"]) {
                at += 1;
                continue;
            }
            let (mut end, mut depth) = (at, 0);
            while end < self.words.len() {
                match self.word(end) {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                let over = depth == 0 && matches!(self.word(end), "}" | ";");
                end += 1;
                if over {
                    break;
                }
            }
            self.strings.retain(|literal| literal.after <= at || literal.after >= end);
            for literal in self.strings.iter_mut().filter(|literal| literal.after >= end) {
                literal.after -= end - at;
            }
            self.words.drain(at..end);
        }
    }
}

/// Every file with one of these endings under these folders, sorted. A path of a file stands for that file. What git ignores, such as
/// the output of a build, is no part of the tree.
pub fn files(folders: &[&str], endings: &[&str]) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"];
    let listed = Command::new("git").args(arguments).args(folders).current_dir(root).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let wanted = |path: &&str| folders.contains(path) || endings.iter().any(|ending| path.ends_with(ending));
    // A file may be deleted and still in git's index.
    let paths: BTreeSet<_> =
        listed.split_terminator('\0').filter(wanted).filter(|path| root.join(path).exists()).collect();
    assert!(!paths.is_empty(), "nothing under {folders:?}");
    paths.into_iter().map(|path| File::new(path, &fs::read_to_string(root.join(path)).unwrap())).collect()
}

/// A module of tests in a file of its own, as `#[cfg(test)] mod tests;` names it.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

#[derive(Clone, Copy, PartialEq)]
enum Language {
    Rust,
    Lua,
    JavaScript,
}

impl Language {
    fn of(path: &str) -> Self {
        match path.rsplit_once('.') {
            Some((_, "lua")) => Self::Lua,
            Some((_, "js" | "mjs" | "cjs")) => Self::JavaScript,
            _ => Self::Rust,
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    language: Language,
}

impl Lexer<'_> {
    fn read(mut self, file: &mut File) {
        while let Some(c) = self.rest.chars().next() {
            if let Some(length) = self.comment() {
                self.skip(length);
            } else if let Some((open, length, close)) = self.string() {
                let text = self.rest[open..length - close].into();
                file.strings.push(Literal { line: self.line, text, after: file.words.len() });
                self.skip(length);
            } else if c.is_whitespace() {
                self.skip(c.len_utf8());
            } else {
                let length = match self.rest.find(|c: char| !c.is_alphanumeric() && c != '_') {
                    Some(0) if self.rest.starts_with("::") || self.rest.starts_with("..") => 2,
                    Some(0) => c.len_utf8(),
                    Some(length) => length,
                    None => self.rest.len(),
                };
                file.words.push(Word { line: self.line, text: self.rest[..length].into() });
                self.skip(length);
            }
        }
    }

    fn skip(&mut self, length: usize) {
        self.line += self.rest[..length].matches('\n').count();
        self.rest = &self.rest[length..];
    }

    fn comment(&self) -> Option<usize> {
        let to_end_of_line = || Some(self.rest.find('\n').unwrap_or(self.rest.len()));
        match self.language == Language::Lua {
            true if self.rest.starts_with("--[[") => Some(self.past(4, "]]")),
            true if self.rest.starts_with("--") => to_end_of_line(),
            false if self.rest.starts_with("//") => to_end_of_line(),
            false if self.rest.starts_with("/*") => Some(self.past(2, "*/")),
            _ => None,
        }
    }

    /// Where a literal's contents begin, where it ends, and how long its closing mark is.
    fn string(&self) -> Option<(usize, usize, usize)> {
        let quotes: &[char] = match self.language {
            Language::Rust => &['"'],
            Language::Lua => &['"', '\''],
            Language::JavaScript => &['"', '\'', '`'],
        };
        if self.rest.starts_with(quotes) {
            return Some((1, self.quoted(0), 1));
        }
        match self.language {
            Language::Lua => return self.rest.starts_with("[[").then(|| (2, self.past(2, "]]"), 2)),
            Language::JavaScript => return None,
            Language::Rust => {}
        }
        if self.rest.starts_with('\'') {
            // A character; a lifetime has no closing mark.
            let character = self.rest[1..].chars().next()?;
            let plain = self.rest[1 + character.len_utf8()..].starts_with('\'');
            return (character == '\\' || plain).then(|| (1, self.quoted(0), 1));
        }
        let prefix = ["br", "cr", "b", "c", "r"].into_iter().find(|prefix| self.rest.starts_with(prefix))?;
        let after = &self.rest[prefix.len()..];
        let hashes = after.len() - after.trim_start_matches('#').len();
        if !after[hashes..].starts_with('"') || hashes > 0 && !prefix.contains('r') {
            return None;
        }
        let open = prefix.len() + hashes + 1;
        if !prefix.contains('r') {
            return Some((open, self.quoted(open - 1), 1));
        }
        let close = format!("\"{}", "#".repeat(hashes));
        Some((open, self.past(open, &close), close.len()))
    }

    fn past(&self, from: usize, close: &str) -> usize {
        self.rest[from..].find(close).map_or(self.rest.len(), |at| from + at + close.len())
    }

    /// The end of a literal whose opening quote is at this place.
    fn quoted(&self, at: usize) -> usize {
        let quote = self.rest.as_bytes()[at];
        let mut escaped = false;
        for (i, byte) in self.rest.bytes().enumerate().skip(at + 1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                _ if byte == quote => return i + 1,
                _ => {}
            }
        }
        self.rest.len()
    }
}
