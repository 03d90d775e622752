//! The commands this engine knows.

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;

use super::answer::{Fault, Outcome};
use super::db::Db;
use super::lua::Bounds;
use super::spec::{Does, Run, Spec};
use super::{
    expiry, generic, hashes, lists, pubsub, scan, scripts, server, set_command, sets, sorted_set_ranges, sorted_sets,
    strings,
};

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

/// Runs a command for a script.
pub fn run_for_script(db: &mut Db, name: &[u8], args: &[Bytes], bounds: Option<&mut Bounds>) -> Outcome {
    let unknown = Fault::new("ERR Unknown Redis command called from script");
    let spec = std::str::from_utf8(name).ok().and_then(find).ok_or(unknown)?;
    if !spec.takes(args) {
        return Err(Fault::new("ERR Wrong number of args calling Redis command from script"));
    }
    let Run::Command(run) = spec.run else {
        return Err(Fault::new("ERR This Redis command is not allowed from script"));
    };
    if let Some(bounds) = bounds {
        bounds.look(spec.name, spec.keys(args));
    }
    spec.make_room(db, args)?;
    run(db, args)
}
