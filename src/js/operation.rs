//! What a call is named in warnings, and what it returns when there is no server and the service is configured for no error.

use cinnabar_core::output::Output;
use cinnabar_port::random;

/// A call as the bridge carries it.
#[derive(Clone, Copy)]
pub struct Operation {
    /// In capitals, as the documented warning has it.
    pub name: &'static str,
    /// Returned instead of an error when there is no server; `None` rejects, as do writes that return nothing: they would look
    /// done.
    pub empty: Option<Empty>,
}

/// Words in the names of operations whose keys contain secrets or personal data, such as session ids, user ids or addresses.
const PRIVATE: [&str; 5] = ["SESSION", "SESSIONS", "USER", "LIMIT", "TOKEN"];

impl Operation {
    /// The same, but rejects if the store is unavailable.
    pub fn rejecting(self) -> Self {
        Self { empty: None, ..self }
    }

    /// Whether its errors may include the key.
    pub fn shows_key(self) -> bool {
        !self.name.split(' ').any(|word| PRIVATE.contains(&word))
    }
}

/// The empty value of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// `null`.
    Null,
    /// `false`.
    False,
    /// `0`.
    Zero,
    /// `[]`.
    List,
    /// So many times `null`.
    Nulls(usize),
    /// `{}`, without a prototype.
    Object,
    /// A new id that refers to nothing.
    Id,
}

impl Empty {
    /// The value.
    pub fn output(self) -> Output {
        match self {
            Self::Null => Output::Null,
            Self::False => Output::Bool(false),
            Self::Zero => Output::Number(0.0),
            Self::List => Output::List(Vec::new()),
            Self::Nulls(count) => Output::List(vec![Output::Null; count]),
            Self::Object => Output::Record(Vec::new()),
            Self::Id => random::hex::<24>().map_or(Output::Null, Output::from),
        }
    }
}
