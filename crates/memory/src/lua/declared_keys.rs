//! What a script of ours may touch.

use bytes::Bytes;
use cinnabar_port::Script;

use super::super::answer::Fault;

/// The keys that were named for a run, and the first that it touched without.
pub struct Bounds {
    script: &'static str,
    keys: Vec<Bytes>,
    /// What all keys begin with that it may touch besides.
    finding: Option<Bytes>,
    crossed: Option<String>,
}

impl Bounds {
    pub fn new(script: &Script, args: &[Bytes], keys: usize) -> Self {
        let keys = args.iter().take(keys).cloned().collect();
        let finding = args.first().filter(|_| script.undeclared_keys).cloned();
        Self { script: script.name, keys, finding, crossed: None }
    }

    /// Looks at a command of the script. It is noted, not refused: `redis.pcall` would hide that.
    pub fn look<'a>(&mut self, command: &str, mut keys: impl Iterator<Item = &'a Bytes>) {
        let named =
            |key: &Bytes| self.keys.contains(key) || self.finding.as_ref().is_some_and(|start| key.starts_with(start));
        if self.crossed.is_none()
            && let Some(key) = keys.find(|key| !named(key))
        {
            self.crossed = Some(format!("{} {}", command, String::from_utf8_lossy(key)));
        }
    }

    /// Fails for a run that touched what was not named.
    pub fn kept(self) -> Result<(), Fault> {
        let Self { script, crossed, .. } = self;
        crossed.map_or(Ok(()), |what| Err(Fault::text(format!("ERR {script} touched an undeclared key: {what}"))))
    }
}
