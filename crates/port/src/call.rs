//! Calls of features: requests to an engine, and how to read the replies.

use super::{PerRequest, Reply, Request};
use crate::error::{Error, Kind, Result};

/// Requests sent together, and how to read what comes back.
pub struct Call<T> {
    /// Sent in this order in one round; each is atomic, all together are not.
    pub requests: Vec<Request>,
    /// Reads the replies, one per request in the same order.
    pub read: ReadReplies<T>,
}

/// Turns replies into a result, or into another call.
pub type ReadReplies<T> = Box<dyn FnOnce(Replies) -> Result<Step<T>> + Send>;

/// What follows from a round.
pub enum Step<T> {
    /// The result.
    Done(T),
    /// One more round is needed first.
    Next(Call<T>),
}

/// The replies to a call's requests.
pub struct Replies(pub PerRequest<Result<Reply>>);

impl Replies {
    /// Returns the only reply, or the last of several.
    pub fn last(mut self) -> Result<Reply> {
        self.0.pop().unwrap_or_else(|| Err(Error::new(Kind::Internal, "a request got no reply")))
    }

    /// Returns the replies in order, or the first failure.
    pub fn all(self) -> Result<PerRequest<Reply>> {
        self.0.into_iter().collect()
    }
}

impl<T: Send + 'static> Call<T> {
    /// A call of one request, with how to read its reply.
    pub fn new(request: Request, read: impl FnOnce(Reply) -> Result<T> + Send + 'static) -> Self {
        Self { requests: vec![request], read: Box::new(move |replies| replies.last().and_then(read).map(Step::Done)) }
    }

    /// A call of several requests, sent in one round.
    pub fn round(
        requests: impl IntoIterator<Item = Request>,
        read: impl FnOnce(Replies) -> Result<Step<T>> + Send + 'static,
    ) -> Self {
        Self { requests: requests.into_iter().collect(), read: Box::new(read) }
    }

    /// A call that is settled without a request.
    pub fn ready(result: T) -> Self {
        Self { requests: Vec::new(), read: Box::new(move |_| Ok(Step::Done(result))) }
    }

    /// A call that is built on the runtime's thread rather than on the event loop, since building it may mean hashing or encoding.
    pub fn deferred(build: impl FnOnce() -> Result<Call<T>> + Send + 'static) -> Self {
        Self { requests: Vec::new(), read: Box::new(move |_| build().map(Step::Next)) }
    }

    /// Returns the same call with its result converted.
    pub fn map<U: Send + 'static>(self, convert: impl FnOnce(T) -> U + Send + 'static) -> Call<U> {
        let read = self.read;
        Call {
            requests: self.requests,
            read: Box::new(move |replies| {
                Ok(match read(replies)? {
                    Step::Done(result) => Step::Done(convert(result)),
                    Step::Next(call) => Step::Next(call.map(convert)),
                })
            }),
        }
    }

    /// Returns the same call, followed by what `next` makes of its result.
    pub fn then<U: Send + 'static>(self, next: impl FnOnce(T) -> Result<Step<U>> + Send + 'static) -> Call<U> {
        let read = self.read;
        Call {
            requests: self.requests,
            read: Box::new(move |replies| match read(replies)? {
                Step::Done(result) => next(result),
                Step::Next(call) => Ok(Step::Next(call.then(next))),
            }),
        }
    }

    /// Returns the same call, whose outcome is also passed to `observe`.
    pub fn inspect(self, observe: impl FnOnce(Result<&T, &Error>) + Send + 'static) -> Call<T> {
        let read = self.read;
        Call {
            requests: self.requests,
            read: Box::new(move |replies| match read(replies) {
                Ok(Step::Next(call)) => Ok(Step::Next(call.inspect(observe))),
                Ok(Step::Done(result)) => {
                    observe(Ok(&result));
                    Ok(Step::Done(result))
                }
                Err(error) => {
                    observe(Err(&error));
                    Err(error)
                }
            }),
        }
    }

    /// Returns one call for several whose rounds are sent together: their results in order, or the first failure.
    pub fn join_all(calls: Vec<Call<T>>) -> Call<Vec<T>> {
        Self::join(calls.into_iter().map(Step::Next).collect())
    }

    fn join(steps: Vec<Step<T>>) -> Call<Vec<T>> {
        let mut requests = Vec::new();
        let pending: Vec<_> = steps
            .into_iter()
            .map(|step| match step {
                Step::Done(result) => Err(result),
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
                let steps = pending.into_iter().map(|step| match step {
                    Err(result) => Ok(Step::Done(result)),
                    Ok((count, read)) => read(Replies(replies.by_ref().take(count).collect())),
                });
                Self::join_steps(steps.collect::<Result<Vec<_>>>()?)
            }),
        }
    }

    /// Returns the results of several calls in order once all are done; otherwise a call that continues the others.
    pub fn join_steps(steps: Vec<Step<T>>) -> Result<Step<Vec<T>>> {
        if steps.iter().any(|step| matches!(step, Step::Next(_))) {
            return Ok(Step::Next(Self::join(steps)));
        }
        let results = steps.into_iter().filter_map(|step| match step {
            Step::Done(result) => Some(result),
            Step::Next(_) => None,
        });
        Ok(Step::Done(results.collect()))
    }

    /// Returns the same call, with failures passed to `recover`, which returns a result instead or fails too.
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

    /// Returns the same call, with the result of `fallback` if the store could not serve it.
    pub fn or_fallback(self, fallback: impl FnOnce() -> Result<T> + Send + 'static) -> Self {
        self.or_else(|error| if error.kind.allows_fallback() { fallback() } else { Err(error) })
    }
}
