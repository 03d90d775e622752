//! Checks that a built-in script accesses declared keys only.

use bytes::Bytes;
use cinnabar_port::Script;

use super::super::resp_value::CommandError;

/// The keys that were declared for a run, and the first access to another key.
pub struct DeclaredKeys {
    script: &'static str,
    keys: Vec<Bytes>,
    /// For scripts with undeclared keys: what all of them begin with.
    prefix: Option<Bytes>,
    violation: Option<String>,
}

impl DeclaredKeys {
    pub fn new(script: &Script, args: &[Bytes], keys: usize) -> Self {
        let keys = args.iter().take(keys).cloned().collect();
        let prefix = args.first().filter(|_| script.undeclared_keys).cloned();
        Self { script: script.name, keys, prefix, violation: None }
    }

    /// Checks the keys of a command. A violation is recorded rather than raised, because `redis.pcall` would hide the error.
    pub fn check<'a>(&mut self, command: &str, mut keys: impl Iterator<Item = &'a Bytes>) {
        let is_declared =
            |key: &Bytes| self.keys.contains(key) || self.prefix.as_ref().is_some_and(|prefix| key.starts_with(prefix));
        if self.violation.is_none()
            && let Some(key) = keys.find(|key| !is_declared(key))
        {
            self.violation = Some(format!("{} {}", command, String::from_utf8_lossy(key)));
        }
    }

    /// Returns an error if the run accessed an undeclared key.
    pub fn verify(self) -> Result<(), CommandError> {
        let Self { script, violation, .. } = self;
        violation
            .map_or(Ok(()), |what| Err(CommandError::text(format!("ERR {script} accessed an undeclared key: {what}"))))
    }
}
