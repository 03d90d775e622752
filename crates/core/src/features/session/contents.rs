//! The kinds of values under the prefix of sessions.

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// A session, written by `createSession` and the like or by another program.
    Session,
    /// The user of a token, as cached by `validateSession`.
    Token,
}

impl Contents {
    /// The byte that metadata records it by.
    pub fn byte(self) -> u8 {
        match self {
            Self::Session => 0x1b,
            Self::Token => 0xe4,
        }
    }
}
