//! Which scripts a server has run over a connection.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// SHA-1s of the scripts that the server has run over one connection.
#[derive(Default)]
pub struct Scripts(Mutex<HashSet<&'static str>>);

impl Scripts {
    /// Whether the server has this one.
    pub fn knows(&self, sha: &'static str) -> bool {
        self.lock().contains(sha)
    }

    /// The server has run these.
    pub fn learn(&self, shas: impl Iterator<Item = &'static str>) {
        self.lock().extend(shas);
    }

    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
