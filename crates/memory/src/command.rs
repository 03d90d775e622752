//! What a command is: how it is called, what it may do, and what carries it out.

use bytes::Bytes;
use smallvec::SmallVec;

use super::answer::{Fault, Outcome};
use super::db::Db;
use super::lua::Lua;
use super::size::{NEW_KEY, PER_ELEMENT};

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

    /// Makes room for what a command may add, by dropping other keys that would end anyway.
    pub fn make_room(&self, db: &mut Db, args: &[Bytes]) -> Result<(), Fault> {
        match self.does {
            Does::Read => return Ok(()),
            Does::Remove => {
                db.space.has_written = true;
                return Ok(());
            }
            Does::Add | Does::Replace => {}
        }
        let mut keys: SmallVec<[&Bytes; 1]> = self.keys(args).collect();
        keys.sort_unstable();
        keys.dedup();
        let own: usize = keys.into_iter().map(|key| db.space.touch(key)).sum();
        // What each argument can cost at most once it lies in a collection.
        let added = args.iter().map(|arg| arg.len() + PER_ELEMENT).sum::<usize>() + NEW_KEY;
        let freed = if matches!(self.does, Does::Replace) { own } else { 0 };
        db.space.make_room(added, own, freed)?;
        db.space.has_written = true;
        Ok(())
    }
}
