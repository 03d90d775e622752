//! Which scripts a server has run over a connection.

use std::collections::HashSet;

use parking_lot::Mutex;

/// SHA-1s of the scripts that the server has run over one connection.
#[derive(Default)]
pub struct Scripts(Mutex<HashSet<&'static str>>);

impl Scripts {
    /// Whether the server has this one.
    pub fn knows(&self, sha: &'static str) -> bool {
        self.0.lock().contains(sha)
    }

    /// Records that the server has run these.
    pub fn add(&self, shas: impl Iterator<Item = &'static str>) {
        self.0.lock().extend(shas);
    }

    pub fn clear(&self) {
        self.0.lock().clear();
    }
}
