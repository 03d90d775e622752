//! A command: its arity, its keys, how it may change memory, and the function that executes it.

use bytes::Bytes;
use cinnabar_port::key_positions::KeyPositions;
use smallvec::SmallVec;

use super::database::Database;
use super::lua::Lua;
use super::resp_value::{CommandError, CommandResult};
use super::size::{NEW_KEY, PER_ELEMENT};

/// One command.
#[derive(Clone, Copy)]
pub struct Command {
    /// In upper case.
    pub name: &'static str,
    /// The number of words, its name included; if negative, the minimum.
    arity: i32,
    pub access: Access,
    /// Set by the command table, from the port's table.
    keys: KeyPositions,
    pub handler: Handler,
}

/// How a command may change keys and the memory in use.
#[derive(Clone, Copy)]
pub enum Access {
    /// It reads, or accesses no keys.
    Read,
    /// It may remove something or change a deadline.
    Remove,
    /// It may add its arguments.
    Add,
    /// It may add its arguments in place of the old value.
    Replace,
}

/// The function that executes a command.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Works on the data.
    Data(fn(&mut Database, &[Bytes]) -> CommandResult),
    /// Works on scripts, so a script cannot call it.
    Script(fn(&mut Lua, &[Bytes]) -> CommandResult),
}

impl Command {
    /// A command that adds nothing.
    pub const fn new(name: &'static str, arity: i32, run: fn(&mut Database, &[Bytes]) -> CommandResult) -> Self {
        Self { name, arity, access: Access::Read, keys: KeyPositions::None, handler: Handler::Data(run) }
    }

    /// A command about scripts.
    pub const fn script(name: &'static str, arity: i32, run: fn(&mut Lua, &[Bytes]) -> CommandResult) -> Self {
        Self { name, arity, access: Access::Read, keys: KeyPositions::None, handler: Handler::Script(run) }
    }

    pub const fn with_keys(self, keys: KeyPositions) -> Self {
        Self { keys, ..self }
    }

    pub const fn adds(self) -> Self {
        Self { access: Access::Add, ..self }
    }

    pub const fn replaces(self) -> Self {
        Self { access: Access::Replace, ..self }
    }

    pub const fn removes(self) -> Self {
        Self { access: Access::Remove, ..self }
    }

    /// Returns its keys among these arguments.
    pub fn keys<'a>(&self, args: &'a [Bytes]) -> impl Iterator<Item = &'a Bytes> {
        self.keys.keys(args).among(args).into_iter().flatten()
    }

    /// Whether it accepts this number of arguments.
    pub fn accepts(&self, args: &[Bytes]) -> bool {
        let words = args.len() + 1;
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { words >= wanted } else { words == wanted }
    }

    pub fn check_arity(&self, args: &[Bytes]) -> Result<(), CommandError> {
        if self.accepts(args) { Ok(()) } else { Err(CommandError::arity(&self.name.to_ascii_lowercase())) }
    }

    /// Makes room for what the command may add, by evicting other keys that have a deadline.
    pub fn make_room(&self, db: &mut Database, args: &[Bytes]) -> Result<(), CommandError> {
        match self.access {
            Access::Read => return Ok(()),
            Access::Remove => {
                db.keyspace.has_written = true;
                return Ok(());
            }
            Access::Add | Access::Replace => {}
        }
        let mut keys: SmallVec<[&Bytes; 1]> = self.keys(args).collect();
        keys.sort_unstable();
        keys.dedup();
        let current: usize = keys.into_iter().map(|key| db.keyspace.touch(key)).sum();
        // The most that each argument can cost as an element of a collection.
        let added = args.iter().map(|arg| arg.len() + PER_ELEMENT).sum::<usize>() + NEW_KEY;
        let freed = if matches!(self.access, Access::Replace) { current } else { 0 };
        db.keyspace.make_room(added, current, freed)?;
        db.keyspace.has_written = true;
        Ok(())
    }
}
