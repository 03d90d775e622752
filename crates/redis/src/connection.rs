//! A pipelined connection, whichever driver moves its bytes: the seam between the pool and the drivers.
//!
//! A driver sends the commands of an exchange contiguously, in the order in which exchanges were submitted, and completes each
//! exchange once all its replies have arrived, the deadline of its caller has passed or the connection has ended.

pub mod queue;

use std::{sync::Arc, time::Duration};

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, timeout_at},
};

use super::{key_order::InFlight, resp::Commands};

/// Replies to one exchange, in order.
pub type Replies = Vec<Result<Reply>>;

/// All replies to a caller, and the hold to keep until it has processed them.
pub type Completion = (Replies, Option<InFlight>);

/// Receives the completion of an exchange.
pub type Done = oneshot::Sender<Completion>;

/// What a driver does for one connection.
pub trait Transport: Send + Sync {
    /// Queues commands and takes `hold`, which is kept until the replies have arrived. The returned number identifies them for
    /// `abandon`.
    ///
    /// # Errors
    /// Why nothing was queued: the connection has ended, or too many replies are pending.
    fn submit(&self, commands: Commands, hold: &mut Option<InFlight>, done: Done) -> Result<u64>;

    /// Abandons an exchange, and withdraws it if it was not sent. Returns its outcome, or `None` if it has already ended.
    fn abandon(&self, number: u64) -> Option<Replies>;

    /// How many commands are pending.
    fn pending(&self) -> usize;

    /// How many of them have not been sent.
    fn unsent(&self) -> usize;

    /// How long a reply has been pending without a sign of life from the server.
    fn silence(&self, now: Instant) -> Duration;

    /// How long the oldest command has been pending.
    fn delay(&self, now: Instant) -> Duration;

    /// How long no caller has used it.
    fn unused(&self, now: Instant) -> Duration;

    /// Closes it; pending calls fail with `why`.
    fn end(&self, why: Error);

    /// Why it has ended; `None` while it is open.
    fn ended(&self) -> watch::Receiver<Option<Error>>;

    /// Whether it has ended.
    fn has_ended(&self) -> bool;
}

/// A connection, open or closed. Clones are the same connection.
#[derive(Clone)]
pub struct Connection {
    transport: Arc<dyn Transport>,
}

impl Connection {
    /// A connection that this driver's transport serves.
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }

    /// Queues commands, which are sent in the order of these calls. Dropping the exchange withdraws commands that were not sent
    /// yet.
    pub fn submit(&self, commands: Commands) -> Exchange<'_> {
        self.submit_holding(commands, None)
    }

    /// The same, and keeps `hold` until the replies have arrived.
    pub fn submit_holding(&self, commands: Commands, mut hold: Option<InFlight>) -> Exchange<'_> {
        let (done, completion) = oneshot::channel();
        let count = commands.len();
        let submitted = self.transport.submit(commands, &mut hold, done);
        Exchange { transport: &*self.transport, count, submitted, completion, hold }
    }

    /// How many commands are pending.
    pub fn pending(&self) -> usize {
        self.transport.pending()
    }

    /// How many of them have not been sent.
    pub fn unsent(&self) -> usize {
        self.transport.unsent()
    }

    /// How long a reply has been pending without a sign of life from the server.
    pub fn silence(&self) -> Duration {
        self.transport.silence(Instant::now())
    }

    /// How long no caller has used it.
    pub fn unused(&self) -> Duration {
        self.transport.unused(Instant::now())
    }

    /// How long the oldest command has been pending.
    pub fn delay(&self, now: Instant) -> Duration {
        self.transport.delay(now)
    }

    /// Closes it; pending calls fail with `why`.
    pub fn end(&self, why: Error) {
        self.transport.end(why);
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.transport.has_ended()
    }

    /// Why it has ended, if it has.
    pub fn why_ended(&self) -> Option<Error> {
        self.transport.ended().borrow().clone()
    }

    /// Waits until it ends and returns why.
    pub async fn ended(&self) -> Error {
        let mut ended = self.transport.ended();
        let why = ended.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.unwrap_or_else(|| Error::new(Kind::Unavailable, "the connection was closed"))
    }
}

/// The outcome of an exchange.
pub struct Outcome {
    pub replies: Replies,
    /// The `hold` of the exchange. `None` if replies are still pending: the connection keeps it then.
    pub hold: Option<InFlight>,
    /// The deadline passed, so any replies arrive out of turn.
    pub late: bool,
}

/// Commands that were submitted.
pub struct Exchange<'a> {
    transport: &'a dyn Transport,
    count: usize,
    /// Its number, until it has ended.
    submitted: Result<u64>,
    completion: oneshot::Receiver<Completion>,
    /// The hold, if the connection did not accept the exchange.
    hold: Option<InFlight>,
}

impl Exchange<'_> {
    /// Waits for the replies until `deadline`.
    ///
    /// Errors other than the server's are `E_NOT_SENT` for a command that was not sent, `E_MAYBE_APPLIED` for one whose
    /// connection was lost after it was sent, and `E_TIMEOUT` for one that was sent but got no reply before the deadline.
    pub async fn replies(self, deadline: Instant) -> Replies {
        self.outcome(deadline).await.replies
    }

    /// The same, and returns the hold.
    pub async fn outcome(mut self, deadline: Instant) -> Outcome {
        let outcome = |replies, hold| Outcome { replies, hold, late: false };
        let number = match &self.submitted {
            Ok(number) => *number,
            Err(why) => return outcome(not_sent(self.count, why), self.hold.take()),
        };
        let outcome = match timeout_at(deadline, &mut self.completion).await {
            Ok(Ok((replies, hold))) => outcome(replies, hold),
            Ok(Err(_)) => {
                outcome(not_sent(self.count, &Error::new(Kind::Internal, "a connection lost track of a call")), None)
            }
            Err(_) => {
                let replies = self.transport.abandon(number).unwrap_or_else(|| late(self.count));
                Outcome { replies, hold: None, late: true }
            }
        };
        self.submitted = Err(Error::new(Kind::Internal, "the exchange has ended"));
        outcome
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if let Ok(number) = self.submitted {
            drop(self.transport.abandon(number));
        }
    }
}

/// Replies for commands that were never sent.
pub fn not_sent(count: usize, why: &Error) -> Replies {
    (0..count).map(|_| Err(unsent(why))).collect()
}

/// Replies for commands that were sent but got no reply in time.
pub fn late(count: usize) -> Replies {
    (0..count).map(|_| Err(Error::new(Kind::Timeout, "no reply arrived in time"))).collect()
}

/// The error of a command that was never sent.
pub fn unsent(why: &Error) -> Error {
    Error::new(Kind::NotSent, format!("nothing was sent: {}", why.message())).because_of(why)
}

/// The error of a command that was sent over a connection that has ended since.
pub fn lost(why: &Error) -> Error {
    let message = format!("the connection was lost before the reply arrived ({})", why.message());
    Error::new(Kind::MaybeApplied, message).because_of(why)
}
