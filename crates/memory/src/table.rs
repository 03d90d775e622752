//! The table of commands that the embedded engine supports.

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;
use cinnabar_port::key_positions::{self, KeyPositions};

use super::command::{Access, Command, Handler};
use super::database::Database;
use super::lua::DeclaredKeys;
use super::resp_value::{CommandError, CommandResult};
use super::{
    expiry, generic, hashes, lists, pubsub, scan, scripts, server, set_command, sets, sorted_set_ranges, sorted_sets,
    strings,
};

static TABLE: LazyLock<HashMap<&'static str, Command>> = LazyLock::new(|| {
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
    let with_keys = |command: &Command| {
        let keys = key_positions::find(command.name).unwrap_or(KeyPositions::None);
        (command.name, command.with_keys(keys))
    };
    parts.into_iter().flatten().map(with_keys).collect()
});

/// Returns the command of this name, in any case.
pub fn find(name: &str) -> Option<&'static Command> {
    if let Some(command) = TABLE.get(name) {
        return Some(command);
    }
    TABLE.get(name.to_ascii_uppercase().as_str())
}

/// Returns the names of all commands, for the tests that compare them with a server's.
pub fn names() -> Vec<&'static str> {
    TABLE.keys().copied().collect()
}

/// Returns whether this command may change something and whether it may add something: the flags `write` and `denyoom`.
pub fn flags(name: &str) -> (bool, bool) {
    let access = find(name).map(|command| command.access);
    (!matches!(access, None | Some(Access::Read)), matches!(access, Some(Access::Add | Access::Replace)))
}

/// Whether the embedded engine supports this command, in any case.
pub fn supports(name: &str) -> bool {
    find(name).is_some()
}

/// Executes a command for a script.
pub fn run_for_script(
    db: &mut Database,
    name: &[u8],
    args: &[Bytes],
    declared_keys: Option<&mut DeclaredKeys>,
) -> CommandResult {
    let unknown = CommandError::new("ERR Unknown Redis command called from script");
    let command = std::str::from_utf8(name).ok().and_then(find).ok_or(unknown)?;
    if !command.accepts(args) {
        return Err(CommandError::new("ERR Wrong number of args calling Redis command from script"));
    }
    let Handler::Data(run) = command.handler else {
        return Err(CommandError::new("ERR This Redis command is not allowed from script"));
    };
    if let Some(declared_keys) = declared_keys {
        declared_keys.check(command.name, command.keys(args));
    }
    command.make_room(db, args)?;
    run(db, args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_positions_of_every_command_are_known() {
        let unknown: Vec<_> = names().into_iter().filter(|name| key_positions::find(name).is_none()).collect();
        assert_eq!(unknown, ["SELECT"], "it has no keys");
    }
}
