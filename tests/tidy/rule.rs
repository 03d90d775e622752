//! A rule of the tree, and the proof that it can fail.

use super::source::{File, files};

/// What a rule found: the line, and what is wrong there.
pub type Findings = Vec<(usize, String)>;

/// A rule over the files of one kind.
pub struct Rule {
    endings: &'static [&'static str],
    folders: &'static [&'static str],
    check: Box<dyn Fn(&File) -> Findings>,
}

impl Rule {
    /// A rule for the Rust files under `src` and `crates`.
    pub fn for_rust(check: impl Fn(&File) -> Findings + 'static) -> Self {
        Self { endings: &[".rs"], folders: &["src", "crates"], check: Box::new(check) }
    }

    /// A rule for the Lua files under `src` and `crates`.
    pub fn for_lua(check: impl Fn(&File) -> Findings + 'static) -> Self {
        Self { endings: &[".lua"], folders: &["src", "crates"], check: Box::new(check) }
    }

    /// Looks at these folders instead.
    pub fn under(self, folders: &'static [&'static str]) -> Self {
        Self { folders, ..self }
    }

    /// Looks at files with these endings instead.
    pub fn with_endings(self, endings: &'static [&'static str]) -> Self {
        Self { endings, ..self }
    }

    /// The rule must find something in this text. A rule that cannot fail says nothing.
    #[track_caller]
    pub fn refuses(self, path: &str, text: &str) -> Self {
        assert!(!(self.check)(&File::new(path, text)).is_empty(), "the rule finds nothing wrong in {path}: {text}");
        self
    }

    /// The rule must find nothing in this text.
    #[track_caller]
    pub fn allows(self, path: &str, text: &str) -> Self {
        let found = (self.check)(&File::new(path, text));
        assert!(found.is_empty(), "the rule finds {found:?} in {path}: {text}");
        self
    }

    /// The tree keeps the rule.
    #[track_caller]
    pub fn holds(self) {
        let files = files(self.folders, self.endings);
        assert!(!files.is_empty(), "no {:?} under {:?}", self.endings, self.folders);
        let mut found = String::new();
        for file in &files {
            for (line, what) in (self.check)(file) {
                found += &format!("{}:{line}: {what}\n", file.path);
            }
        }
        assert!(found.is_empty(), "\n{found}");
    }
}
