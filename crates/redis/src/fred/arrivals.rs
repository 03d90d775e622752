//! The replies of a connection in their order, kept back where fred might give one to the wrong command.
//!
//! fred drops an error that is not UTF-8 together with its place, and gives the next reply to the command that had it. So where a
//! command might get such an error, a PING with a word of its own follows, and no reply is passed on until that word has come back
//! in its place.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use ::fred::{error::Error as FredError, types::Resp3Frame};
use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};
use tokio::sync::mpsc;

use super::{closed, connection_error, incoming, outgoing::Reading};
use crate::connection::queue::is_echo;

/// Resolves with the reply to a command.
pub type Arrival = Pin<Box<dyn Future<Output = Result<Resp3Frame, FredError>> + Send>>;

/// What comes next.
pub enum Expected {
    Reply(Arrival, Reading),
    /// Nothing was sent for a command.
    Refusal(Error),
    /// What follows is kept until this word has arrived.
    Hold(String),
    /// The reply to the PING with that word.
    Echo(Arrival),
}

pub struct Arrivals {
    expected: mpsc::UnboundedReceiver<Expected>,
    next: Option<Expected>,
    pending: Option<Pending>,
    /// To be passed on.
    ready: VecDeque<Result<Reply>>,
}

struct Pending {
    word: String,
    replies: VecDeque<Result<Reply>>,
}

impl Arrivals {
    pub fn new(expected: mpsc::UnboundedReceiver<Expected>) -> Self {
        Self { expected, next: None, pending: None, ready: VecDeque::new() }
    }

    /// Whether something has arrived since the last time; a reply if one can be passed on.
    ///
    /// # Errors
    /// If the connection has ended or gives replies to the wrong commands.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Result<Reply>>>> {
        if self.ready.is_empty() {
            let Poll::Ready(arrived) = self.poll_expected(context) else { return Poll::Pending };
            arrived?;
        }
        Poll::Ready(Ok(self.ready.pop_front()))
    }

    fn poll_expected(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.next.is_none() {
            let Poll::Ready(next) = self.expected.poll_recv(context) else { return Poll::Pending };
            self.next = next;
        }
        if let Some(Expected::Reply(arrival, _) | Expected::Echo(arrival)) = &mut self.next {
            let Poll::Ready(frame) = arrival.as_mut().poll(context) else { return Poll::Pending };
            let arrived = frame.map(incoming::reply).map_err(|error| connection_error(&error));
            let next = self.next.take();
            return Poll::Ready(arrived.and_then(|reply| self.take(next, reply)));
        }
        Poll::Ready(match self.next.take() {
            Some(Expected::Refusal(error)) => {
                self.pass_on(Err(error));
                Ok(())
            }
            Some(Expected::Hold(word)) => {
                self.pending = Some(Pending { word, replies: VecDeque::new() });
                Ok(())
            }
            _ => Err(closed()),
        })
    }

    fn take(&mut self, expected: Option<Expected>, reply: Result<Reply>) -> Result<()> {
        let is_early =
            |pending: &Pending| matches!(&reply, Ok(Reply::Bulk(bytes)) if &bytes[..] == pending.word.as_bytes());
        match expected {
            Some(Expected::Reply(_, reading)) if !self.pending.as_ref().is_some_and(is_early) => {
                if let Some(reply) = reading.apply(reply) {
                    self.pass_on(reply);
                }
                Ok(())
            }
            Some(Expected::Echo(_)) if self.pending.as_ref().is_some_and(|pending| is_echo(&reply, &pending.word)) => {
                self.ready.extend(self.pending.take().into_iter().flat_map(|pending| pending.replies));
                Ok(())
            }
            _ => {
                let why =
                    "fred dropped an error reply that is not UTF-8, and gave the next replies to the wrong commands";
                Err(Error::new(Kind::Unavailable, why))
            }
        }
    }

    fn pass_on(&mut self, reply: Result<Reply>) {
        match &mut self.pending {
            Some(pending) => pending.replies.push_back(reply),
            None => self.ready.push_back(reply),
        }
    }
}
