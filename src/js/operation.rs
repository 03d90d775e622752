//! What a call is named in warnings, and what it answers when there is no server and nobody wants an error.

use crate::answer::Answer;

/// A call as the bridge carries it.
#[derive(Clone, Copy)]
pub struct Operation {
    /// In capitals, as the documented warning has it.
    pub name: &'static str,
    /// Answered instead of an error when there is no server; `None` rejects.
    pub empty: Option<Empty>,
}

/// An answer that says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// `undefined`.
    Nothing,
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
    /// `{}`.
    Object,
}

impl Empty {
    /// The answer.
    pub fn answer(self) -> Answer {
        match self {
            Self::Nothing => Answer::Undefined,
            Self::Null => Answer::Null,
            Self::False => Answer::Bool(false),
            Self::Zero => Answer::Number(0.0),
            Self::List => Answer::List(Vec::new()),
            Self::Nulls(count) => Answer::List(vec![Answer::Null; count]),
            Self::Object => Answer::Object(Vec::new()),
        }
    }
}
