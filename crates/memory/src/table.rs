//! The commands this engine knows.

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;

use super::answer::{Fault, Outcome};
use super::db::Db;
use super::lua::Lua;
use super::{
    expiry, generic, hashes, lists, pubsub, scan, scripts, server, set_command, sets, sorted_set_ranges, sorted_sets,
    strings,
};

/// One command: how it is called and what it needs.
pub struct Spec {
    /// In capitals.
    pub name: &'static str,
    /// How many words, its name included; at least so many where negative.
    arity: i32,
    pub does: Does,
    keys: Places,
    pub run: Run,
}

/// What a command may do to keys, and to memory.
#[derive(Clone, Copy)]
pub enum Does {
    /// It reads, or has nothing to do with keys.
    Read,
    /// It may take something away, or when something ends.
    Remove,
    /// It may add its arguments.
    Add,
    /// It may add its arguments, and what was there before is gone.
    Replace,
}

/// Which arguments are keys.
#[derive(Clone, Copy)]
enum Places {
    None,
    First,
    All,
    Odd,
}

/// What carries a command out.
#[derive(Clone, Copy)]
pub enum Run {
    /// Works on the data.
    Command(fn(&mut Db, &[Bytes]) -> Outcome),
    /// Works on scripts, so it cannot be called from one.
    Script(fn(&mut Lua, &[Bytes]) -> Outcome),
}

impl Spec {
    /// A command whose first argument is its key, and which adds nothing.
    pub const fn new(name: &'static str, arity: i32, run: fn(&mut Db, &[Bytes]) -> Outcome) -> Self {
        Self { name, arity, does: Does::Read, keys: Places::First, run: Run::Command(run) }
    }

    /// A command about scripts.
    pub const fn script(name: &'static str, arity: i32, run: fn(&mut Lua, &[Bytes]) -> Outcome) -> Self {
        Self { name, arity, does: Does::Read, keys: Places::None, run: Run::Script(run) }
    }

    pub const fn adds(self) -> Self {
        Self { does: Does::Add, ..self }
    }

    pub const fn replaces(self) -> Self {
        Self { does: Does::Replace, ..self }
    }

    pub const fn removes(self) -> Self {
        Self { does: Does::Remove, ..self }
    }

    pub const fn keyless(self) -> Self {
        Self { keys: Places::None, ..self }
    }

    /// All arguments are keys.
    pub const fn all_keys(self) -> Self {
        Self { keys: Places::All, ..self }
    }

    /// Key, value, key, value…
    pub const fn pairs(self) -> Self {
        Self { keys: Places::Odd, ..self }
    }

    /// Its keys among these arguments.
    pub fn keys<'a>(&self, args: &'a [Bytes]) -> impl Iterator<Item = &'a Bytes> {
        let (count, step) = match self.keys {
            Places::None => (0, 1),
            Places::First => (1, 1),
            Places::All => (usize::MAX, 1),
            Places::Odd => (usize::MAX, 2),
        };
        args.iter().step_by(step).take(count)
    }

    /// Whether it takes so many arguments.
    pub fn takes(&self, args: &[Bytes]) -> bool {
        let words = args.len() + 1;
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { words >= wanted } else { words == wanted }
    }

    pub fn check(&self, args: &[Bytes]) -> Result<(), Fault> {
        if self.takes(args) { Ok(()) } else { Err(Fault::arity(&self.name.to_ascii_lowercase())) }
    }
}

static TABLE: LazyLock<HashMap<&'static str, &'static Spec>> = LazyLock::new(|| {
    let parts = [
        expiry::COMMANDS,
        generic::COMMANDS,
        hashes::COMMANDS,
        lists::COMMANDS,
        pubsub::COMMANDS,
        scan::COMMANDS,
        scripts::COMMANDS,
        server::COMMANDS,
        set_command::COMMANDS,
        sets::COMMANDS,
        sorted_set_ranges::COMMANDS,
        sorted_sets::COMMANDS,
        strings::COMMANDS,
    ];
    parts.into_iter().flatten().map(|spec| (spec.name, spec)).collect()
});

/// A command by its name, in any case.
pub fn find(name: &str) -> Option<&'static Spec> {
    if let Some(spec) = TABLE.get(name) {
        return Some(spec);
    }
    TABLE.get(name.to_ascii_uppercase().as_str()).copied()
}

/// Every command, for the test that compares each with a server.
pub fn names() -> Vec<&'static str> {
    TABLE.keys().copied().collect()
}

/// Whether this command may change something, and whether it may add something.
pub fn changes(name: &str) -> (bool, bool) {
    let does = find(name).map(|spec| spec.does);
    (!matches!(does, None | Some(Does::Read)), matches!(does, Some(Does::Add | Does::Replace)))
}

/// Whether the embedded engine knows this command, in any case.
pub fn knows(name: &str) -> bool {
    find(name).is_some()
}

/// A command name for error messages, shortened, because a caller's name may be anything.
pub fn shown(name: &str) -> String {
    name.chars().take(128).collect()
}
