//! What a value under the prefix of sessions is.

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// A session, written by `createSession` and the like or by another program.
    Session,
    /// The user of a token, as cached by `validateSession`.
    Token,
}

impl Contents {
    /// How a seal records it.
    pub fn byte(self) -> u8 {
        match self {
            Self::Session => 0x1b,
            Self::Token => 0xe4,
        }
    }
}
