//! The kinds of values under the prefix of sessions.

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// A session under its id, written by `createSession` and the like or by another program.
    Session,
    /// A session under the hash of its token, so that a reader of the store learns no token.
    Hashed,
    /// What is left of a session under a token that was rotated: which token follows, readable to holders of this one only.
    Rotated,
    /// The user of a token, as cached by `validateSession`.
    Token,
}

impl Contents {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Session, Self::Hashed, Self::Rotated, Self::Token];

    /// Whether it is a session of either kind. The same indexes list both.
    pub fn is_session(self) -> bool {
        matches!(self, Self::Session | Self::Hashed)
    }

    /// The byte that metadata records it by.
    pub fn byte(self) -> u8 {
        match self {
            Self::Session => 0x1b,
            Self::Hashed => 0x6c,
            Self::Rotated => 0x93,
            Self::Token => 0xe4,
        }
    }
}
