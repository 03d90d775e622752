//! Requests to an engine.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{BlockingTimeout, DedicatedCommand, Effect, Script};

/// Arguments of a request, as they are sent to Redis.
pub type Args = SmallVec<[Bytes; 4]>;

/// One command, script run or transaction: the largest unit that is atomic.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to run.
    pub verb: Verb,
    /// Keys and arguments in the order in which Redis takes them; a script's keys come first.
    pub args: Args,
    /// Which of the arguments are keys.
    pub keys: Keys,
    /// Whether it may be merged with others of its kind.
    pub merge: Merge,
    /// Whether it is idempotent, so that it may be retried after a lost connection.
    pub idempotent: bool,
    /// What it changes.
    pub effect: Effect,
    /// Whether its outcome counts for the breaker. Health checks must not open it.
    pub counts_for_breaker: bool,
}

/// What a request runs.
#[derive(Debug, Clone)]
pub enum Verb {
    /// A command by its name in upper case.
    Command(&'static str),
    /// A command whose name came from the caller.
    Custom(String),
    /// A script of ours.
    Script(&'static Script),
    /// A script of ours, run once for many items: the keys that they share, then the arguments of each.
    Many(&'static Script),
    /// A command whose name came from the caller and which needs a dedicated connection.
    Dedicated(Box<DedicatedCommand>),
    /// A transaction, whose keys are this request's arguments.
    Transaction(Box<Transaction>),
}

/// The commands of one transaction.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// In order.
    pub requests: Vec<Request>,
    /// Whether any of them needs a dedicated connection.
    pub dedicated: bool,
    /// A command that waits for what they did, on the same dedicated connection. Its reply is one more element.
    pub followed_by: Option<Request>,
}

/// Which arguments are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// `count` of them, from `first`, every `step`.
    At {
        /// Index of the first key.
        first: u32,
        /// How many.
        count: u32,
        /// Distance between two.
        step: u8,
    },
    /// Unknown: nothing may be reordered around it.
    Unknown,
}

impl Keys {
    /// No argument.
    pub const NONE: Self = Self::leading(0);

    /// The first `count` arguments.
    pub const fn leading(count: usize) -> Self {
        Self::at(0, count, 1)
    }

    /// `count` arguments from `first`, every `step`. No request has as many arguments as `u32` counts: they would take 128 GB.
    pub const fn at(first: usize, count: usize, step: u8) -> Self {
        Self::At { first: first as u32, count: count as u32, step }
    }

    /// Returns the keys among these arguments; `None` if unknown.
    pub fn among(self, args: &[Bytes]) -> Option<impl Iterator<Item = &Bytes>> {
        match self {
            Self::Unknown => None,
            Self::At { first, count, step } => {
                Some(args.iter().skip(first as usize).step_by(step.max(1) as usize).take(count as usize))
            }
        }
    }
}

/// How a request may share a round with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Not at all.
    No,
    /// `GET`s of a feature's own keys become one `MGET`. Never for a raw `get`: `MGET` hides a wrong type.
    Get,
    /// Runs of one script become one run over many items.
    Script,
    /// Equal reads become one.
    Dedup,
}

impl Request {
    fn new(verb: Verb, args: Args, keys: Keys) -> Self {
        Self { verb, args, keys, merge: Merge::No, idempotent: false, effect: Effect::ALWAYS, counts_for_breaker: true }
    }

    /// A command on no key.
    pub fn command<const N: usize>(name: &'static str, args: [Bytes; N]) -> Self {
        Self::with_keys(name, args.into_iter().collect(), 0)
    }

    /// A command whose first argument is its only key.
    pub fn keyed<const N: usize>(name: &'static str, args: [Bytes; N]) -> Self {
        Self::with_keys(name, args.into_iter().collect(), 1)
    }

    /// A command whose first `keys` arguments are keys.
    pub fn with_keys(name: &'static str, args: Args, keys: usize) -> Self {
        Self::new(Verb::Command(name), args, Keys::leading(keys))
    }

    /// A read of one of a feature's own string keys.
    pub fn get(key: Bytes) -> Self {
        Self::keyed("GET", [key]).merging(Merge::Get).reads()
    }

    /// A script run: its keys, then its arguments.
    pub fn script<const N: usize>(script: &'static Script, args: [Bytes; N]) -> Self {
        debug_assert!(script.args == 0 && N >= script.keys || N == script.keys + script.args, "{}", script.name);
        let args = args.into_iter().collect();
        Self::new(Verb::Script(script), args, Keys::leading(script.keys))
    }

    /// A script run over many items of one caller: the keys that all of them have, the other keys that the run uses, then the
    /// arguments of each item. `Reply::items` returns their replies.
    pub fn many(script: &'static Script, keys: Vec<Bytes>, args: Vec<Bytes>) -> Self {
        debug_assert!(script.same_keys && keys.len() >= script.keys, "{}", script.name);
        debug_assert!(args.len().is_multiple_of(script.args), "{}", script.name);
        let at = Keys::leading(keys.len());
        let args = keys.into_iter().chain(args).collect();
        Self::new(Verb::Many(script), args, at)
    }

    /// A script run with any number of arguments. The keys that it reads by position may be followed by others that it uses.
    pub fn script_with(script: &'static Script, keys: Vec<Bytes>, args: impl IntoIterator<Item = Bytes>) -> Self {
        let count = keys.len();
        debug_assert!(script.keys == count || script.same_keys && script.keys < count, "{}", script.name);
        let args: Args = keys.into_iter().chain(args).collect();
        debug_assert!(script.args == 0 || args.len() == count + script.args, "{}", script.name);
        Self::new(Verb::Script(script), args, Keys::leading(count))
    }

    /// Allows it to be merged.
    pub fn merging(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }

    /// Marks it as idempotent.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Marks it as read-only, and so as idempotent.
    pub fn reads(self) -> Self {
        self.idempotent().without_effect()
    }

    /// Marks it as changing nothing that is visible to a caller: what it writes has no meaning on its own.
    pub fn without_effect(self) -> Self {
        self.with_effect(Effect::None)
    }

    /// Sets what it changes.
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Returns the caller's data in it, which a server may repeat in errors: all arguments but the source of a script.
    pub fn caller_data(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let nested: &[Request] = match &self.verb {
            Verb::Transaction(transaction) => &transaction.requests,
            _ => &[],
        };
        self.own_caller_data().chain(nested.iter().flat_map(Self::own_caller_data))
    }

    fn own_caller_data(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let is_source = matches!(self.name(), "EVAL" | "EVAL_RO" | "FUNCTION");
        self.args.iter().skip(usize::from(is_source)).map(|arg| &arg[..])
    }

    /// Returns the size of its keys and arguments in bytes.
    pub fn bytes(&self) -> usize {
        match &self.verb {
            Verb::Transaction(transaction) => transaction.requests.iter().map(Self::bytes).sum(),
            _ => self.args.iter().map(Bytes::len).sum(),
        }
    }

    /// Returns its blocking timeout, if it blocks.
    pub fn blocking_timeout(&self) -> Option<BlockingTimeout> {
        match &self.verb {
            Verb::Dedicated(command) => command.blocking,
            Verb::Transaction(transaction) => transaction.followed_by.as_ref()?.blocking_timeout(),
            _ => None,
        }
    }

    /// Returns its name for errors and logs.
    pub fn name(&self) -> &str {
        match &self.verb {
            Verb::Command(name) => name,
            Verb::Custom(name) => name,
            Verb::Script(script) | Verb::Many(script) => script.name,
            Verb::Dedicated(command) => &command.name,
            Verb::Transaction(_) => "MULTI",
        }
    }

    /// Whether it needs a dedicated connection.
    pub fn is_dedicated(&self) -> bool {
        match &self.verb {
            Verb::Dedicated(_) => true,
            Verb::Transaction(transaction) => transaction.dedicated,
            _ => false,
        }
    }

    /// Returns the first key that it accesses, if there is one and it is known.
    pub fn first_key(&self) -> Option<&Bytes> {
        match self.keys {
            Keys::At { first, count: 1.., .. } => self.args.get(first as usize),
            _ => None,
        }
    }

    /// Returns the keys that it accesses; `None` if unknown.
    pub fn touched(&self) -> Option<impl Iterator<Item = &Bytes>> {
        self.keys.among(&self.args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_positions::KeyPositions;

    #[test]
    fn keys_are_counted_beyond_16_bits() {
        for count in [65_535, 65_536, 70_000] {
            let args: Args = std::iter::repeat_n(Bytes::from_static(b"key"), count).collect();
            assert_eq!(KeyPositions::All.keys(&args), Keys::leading(count));
            assert_eq!(KeyPositions::Pairs.keys(&args), Keys::at(0, count.div_ceil(2), 2));
            let request = Request::with_keys("UNLINK", args, count);
            assert_eq!(request.touched().unwrap().count(), count);
            assert!(request.first_key().is_some());
        }
    }
}
