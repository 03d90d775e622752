//! Values that must not be shown.

use std::sync::Arc;

use cinnabar_port::error::register_secret;

/// A password or private key. It can be compared and hashed, is never printed, and is removed from server errors that repeat
/// it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Creates a secret from a text.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(register_secret(text.as_ref()))
    }

    /// Returns the text, for connections only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
