//! Calls of features: requests to an engine, and how to read the replies.

use super::{Few, Reply, Request};
use crate::error::{Error, Kind, Result};

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

    /// A call that is built on the runtime's thread rather than on the event loop, since building it may mean hashing or encoding.
    pub fn deferred(build: impl FnOnce() -> Result<Call<T>> + Send + 'static) -> Self {
        Self { requests: Vec::new(), read: Box::new(move |_| build().map(Step::Next)) }
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
