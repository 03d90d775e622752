//! The name of a call in errors and warnings, and its result without a server if the service is configured to return empty values.

use cinnabar_core::output::Output;
use cinnabar_port::random;

/// The operation of a call.
#[derive(Clone, Copy)]
pub struct Operation {
    /// In upper case, as in the documented warning.
    pub name: &'static str,
    /// Returned instead of an error if no server is available. `None` rejects, as for writes without a result: they would seem to
    /// have succeeded.
    pub empty: Option<Empty>,
}

/// Words in the names of operations whose keys contain secrets or personal data, such as session ids, user ids or addresses.
const SENSITIVE: [&str; 5] = ["SESSION", "SESSIONS", "USER", "LIMIT", "TOKEN"];

impl Operation {
    /// Returns the same operation, which rejects if the store is unavailable.
    pub fn rejecting(self) -> Self {
        Self { empty: None, ..self }
    }

    /// Whether its errors may include the key.
    pub fn shows_key(self) -> bool {
        !self.name.split(' ').any(|word| SENSITIVE.contains(&word))
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
    /// An array of this many `null`s.
    Nulls(usize),
    /// `{}`, without a prototype.
    Object,
    /// A new id that refers to nothing.
    Id,
}

impl Empty {
    /// Returns the value.
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
