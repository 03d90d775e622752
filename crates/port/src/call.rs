//! Calls of features: requests to an engine, and how to read the replies.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{Apart, Effect, Few, Reply, Script, Transaction, Wait};
use crate::error::{Error, Kind, Result};

/// Arguments of a request, as Redis gets them.
pub type Args = SmallVec<[Bytes; 4]>;

/// One command or one script run. Atomic; nothing larger is.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to run.
    pub verb: Verb,
    /// Keys and arguments in the order in which Redis takes them; a script's keys come first.
    pub args: Args,
    /// Which of the arguments are keys.
    pub keys: Keys,
    /// What may travel with others of its kind.
    pub merge: Merge,
    /// Whether it is idempotent, so that it may be retried after a lost connection.
    pub repeatable: bool,
    /// What it changes.
    pub effect: Effect,
    /// Whether its outcome counts for the breaker. Health checks must not open it.
    pub counted: bool,
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
    /// The same for many items in one run: the keys that they share, then the arguments of each.
    Many(&'static Script),
    /// A command whose name came from the caller and which needs a dedicated connection.
    Apart(Box<Apart>),
    /// A transaction, whose keys are this request's arguments.
    Transaction(Box<Transaction>),
}

/// Which arguments are keys: `count` of them, from `first`, every `step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// At these places.
    At {
        /// Index of the first key.
        first: u16,
        /// How many.
        count: u16,
        /// Distance between two.
        step: u16,
    },
    /// Unknown: nothing may be reordered around it.
    Unknown,
}

impl Keys {
    /// The keys among these arguments; `None` if unknown.
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
    /// Always alone.
    No,
    /// `GET`s of a feature's own keys become one `MGET`. Never for a raw `get`: `MGET` hides a wrong type.
    Get,
    /// Runs of one script become one run over many items.
    Script,
    /// Equal reads become one.
    Same,
}

impl Request {
    fn new(verb: Verb, args: Args, keys: Keys) -> Self {
        Self { verb, args, keys, merge: Merge::No, repeatable: false, effect: Effect::SURE, counted: true }
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
        let keys = Keys::At { first: 0, count: keys as u16, step: 1 };
        Self::new(Verb::Command(name), args, keys)
    }

    /// A read of one of a feature's own string keys.
    pub fn get(key: Bytes) -> Self {
        Self::keyed("GET", [key]).merging(Merge::Get).reads()
    }

    /// A script run: its keys, then its arguments.
    pub fn script<const N: usize>(script: &'static Script, args: [Bytes; N]) -> Self {
        debug_assert!(script.args == 0 && N >= script.keys || N == script.keys + script.args, "{}", script.name);
        let keys = Keys::At { first: 0, count: script.keys as u16, step: 1 };
        let args = args.into_iter().collect();
        Self::new(Verb::Script(script), args, keys)
    }

    /// A script run over many items of one caller: the keys that they all have, what else the run uses, then the arguments of
    /// each. `Reply::items` has their answers.
    pub fn many(script: &'static Script, keys: Vec<Bytes>, args: Vec<Bytes>) -> Self {
        debug_assert!(script.keyed_once && keys.len() >= script.keys, "{}", script.name);
        debug_assert!(args.len().is_multiple_of(script.args), "{}", script.name);
        let at = Keys::At { first: 0, count: keys.len() as u16, step: 1 };
        let args = keys.into_iter().chain(args).collect();
        Self::new(Verb::Many(script), args, at)
    }

    /// A script run whose arguments are not counted here. Behind the keys that it looks at may stand others that it uses.
    pub fn script_with(script: &'static Script, keys: Vec<Bytes>, args: impl IntoIterator<Item = Bytes>) -> Self {
        let count = keys.len();
        debug_assert!(script.keys == count || script.keyed_once && script.keys < count, "{}", script.name);
        let at = Keys::At { first: 0, count: count as u16, step: 1 };
        let args: Args = keys.into_iter().chain(args).collect();
        debug_assert!(script.args == 0 || args.len() == count + script.args, "{}", script.name);
        Self::new(Verb::Script(script), args, at)
    }

    /// Allows it to be merged.
    pub fn merging(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }

    /// Marks it as idempotent.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Says that it only reads.
    pub fn reads(self) -> Self {
        self.repeatable().unseen()
    }

    /// Says that it changes nothing that a caller could see: what it writes claims nothing by itself.
    pub fn unseen(self) -> Self {
        self.having(Effect::None)
    }

    /// Says what it changes.
    pub fn having(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// The caller's data in it, which a server may repeat in errors: all arguments but the source of a script.
    pub fn told(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let within: &[Request] = match &self.verb {
            Verb::Transaction(whole) => &whole.requests,
            _ => &[],
        };
        self.own_told().chain(within.iter().flat_map(Self::own_told))
    }

    fn own_told(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let is_source = matches!(self.name(), "EVAL" | "EVAL_RO" | "FUNCTION");
        self.args.iter().skip(usize::from(is_source)).map(|arg| &arg[..])
    }

    /// How many bytes its keys and arguments have.
    pub fn bytes(&self) -> usize {
        match &self.verb {
            Verb::Transaction(whole) => whole.requests.iter().map(Self::bytes).sum(),
            _ => self.args.iter().map(Bytes::len).sum(),
        }
    }

    /// Its blocking timeout.
    pub fn wait(&self) -> Option<Wait> {
        match &self.verb {
            Verb::Apart(apart) => apart.wait,
            _ => None,
        }
    }

    /// Its name for errors and logs.
    pub fn name(&self) -> &str {
        match &self.verb {
            Verb::Command(name) => name,
            Verb::Custom(name) => name,
            Verb::Script(script) | Verb::Many(script) => script.name,
            Verb::Apart(apart) => &apart.name,
            Verb::Transaction(_) => "MULTI",
        }
    }

    /// Whether it needs a dedicated connection.
    pub fn is_apart(&self) -> bool {
        match &self.verb {
            Verb::Apart(_) => true,
            Verb::Transaction(transaction) => transaction.apart,
            _ => false,
        }
    }

    /// The first key it touches, if there is one and it is known.
    pub fn first_key(&self) -> Option<&Bytes> {
        match self.keys {
            Keys::At { first, count: 1.., .. } => self.args.get(first as usize),
            _ => None,
        }
    }

    /// The keys it touches; `None` if unknown.
    pub fn touched(&self) -> Option<impl Iterator<Item = &Bytes>> {
        self.keys.among(&self.args)
    }
}

/// Requests that go out together, and how to read what comes back.
pub struct Call<T> {
    /// Sent in this order in one round; each is atomic, the whole is not.
    pub requests: Vec<Request>,
    /// Reads the replies, one a request in the same order.
    pub read: Read<T>,
}

/// How replies are read.
pub type Read<T> = Box<dyn FnOnce(Replies) -> Result<Step<T>> + Send>;

/// What a round led to.
pub enum Step<T> {
    /// The answer.
    Done(T),
    /// One more round is needed first.
    Next(Call<T>),
}

/// The replies to a call's requests.
pub struct Replies(pub Few<Result<Reply>>);

impl Replies {
    /// The only reply, or the last of several.
    pub fn one(mut self) -> Result<Reply> {
        self.0.pop().unwrap_or_else(|| Err(Error::new(Kind::Internal, "a request got no reply")))
    }

    /// The replies in order; the first failure wins.
    pub fn all(self) -> Result<Few<Reply>> {
        self.0.into_iter().collect()
    }
}

impl<T: Send + 'static> Call<T> {
    /// One request and how to read its reply.
    pub fn new(request: Request, read: impl FnOnce(Reply) -> Result<T> + Send + 'static) -> Self {
        Self { requests: vec![request], read: Box::new(move |replies| replies.one().and_then(read).map(Step::Done)) }
    }

    /// Several requests of one round.
    pub fn round(
        requests: impl IntoIterator<Item = Request>,
        read: impl FnOnce(Replies) -> Result<Step<T>> + Send + 'static,
    ) -> Self {
        Self { requests: requests.into_iter().collect(), read: Box::new(read) }
    }

    /// An answer that needs no engine.
    pub fn ready(answer: T) -> Self {
        Self { requests: Vec::new(), read: Box::new(move |_| Ok(Step::Done(answer))) }
    }

    /// A call that is made on the runtime's thread, where making it costs nobody's event loop anything.
    pub fn later(make: impl FnOnce() -> Result<Call<T>> + Send + 'static) -> Self {
        Self { requests: Vec::new(), read: Box::new(move |_| make().map(Step::Next)) }
    }

    /// The same with its answer changed.
    pub fn map<U: Send + 'static>(self, change: impl FnOnce(T) -> U + Send + 'static) -> Call<U> {
        let read = self.read;
        Call {
            requests: self.requests,
            read: Box::new(move |replies| {
                Ok(match read(replies)? {
                    Step::Done(answer) => Step::Done(change(answer)),
                    Step::Next(call) => Step::Next(call.map(change)),
                })
            }),
        }
    }

    /// The same, and then what its answer leads to.
    pub fn then<U: Send + 'static>(self, next: impl FnOnce(T) -> Result<Step<U>> + Send + 'static) -> Call<U> {
        let read = self.read;
        Call {
            requests: self.requests,
            read: Box::new(move |replies| match read(replies)? {
                Step::Done(answer) => next(answer),
                Step::Next(call) => Ok(Step::Next(call.then(next))),
            }),
        }
    }

    /// The same, and `look` sees how it ended.
    pub fn inspect(self, look: impl FnOnce(Result<&T, &Error>) + Send + 'static) -> Call<T> {
        let read = self.read;
        Call {
            requests: self.requests,
            read: Box::new(move |replies| match read(replies) {
                Ok(Step::Next(call)) => Ok(Step::Next(call.inspect(look))),
                Ok(Step::Done(answer)) => {
                    look(Ok(&answer));
                    Ok(Step::Done(answer))
                }
                Err(error) => {
                    look(Err(&error));
                    Err(error)
                }
            }),
        }
    }

    /// Several calls whose rounds go out together; their answers in order, or the first failure.
    pub fn together(calls: Vec<Call<T>>) -> Call<Vec<T>> {
        Self::gather(calls.into_iter().map(Step::Next).collect())
    }

    fn gather(steps: Vec<Step<T>>) -> Call<Vec<T>> {
        let mut requests = Vec::new();
        let waiting: Vec<_> = steps
            .into_iter()
            .map(|step| match step {
                Step::Done(answer) => Err(answer),
                Step::Next(call) => {
                    let count = call.requests.len();
                    requests.extend(call.requests);
                    Ok((count, call.read))
                }
            })
            .collect();
        Call {
            requests,
            read: Box::new(move |Replies(replies)| {
                let mut replies = replies.into_iter();
                let steps = waiting.into_iter().map(|step| match step {
                    Err(answer) => Ok(Step::Done(answer)),
                    Ok((count, read)) => read(Replies(replies.by_ref().take(count).collect())),
                });
                Self::joined(steps.collect::<Result<Vec<_>>>()?)
            }),
        }
    }

    /// The answers of several calls in order, where all are there; else those go on together that are not done.
    pub fn joined(steps: Vec<Step<T>>) -> Result<Step<Vec<T>>> {
        if steps.iter().any(|step| matches!(step, Step::Next(_))) {
            return Ok(Step::Next(Self::gather(steps)));
        }
        let answers = steps.into_iter().filter_map(|step| match step {
            Step::Done(answer) => Some(answer),
            Step::Next(_) => None,
        });
        Ok(Step::Done(answers.collect()))
    }

    /// The same, but a failure is given to `recover`, which answers instead or fails too.
    pub fn or_else(self, recover: impl FnOnce(Error) -> Result<T> + Send + 'static) -> Self {
        let read = self.read;
        Call {
            requests: self.requests,
            read: Box::new(move |replies| match read(replies) {
                Err(error) => recover(error).map(Step::Done),
                Ok(Step::Next(call)) => Ok(Step::Next(call.or_else(recover))),
                done => done,
            }),
        }
    }

    /// The same, but answering `fallback` when there is no server to ask.
    pub fn or_when_unavailable(self, fallback: impl FnOnce() -> T + Send + 'static) -> Self {
        self.or_else(|error| if error.is_unavailable() { Ok(fallback()) } else { Err(error) })
    }
}
