//! A pipelined connection: who waits for which reply, and exactly what has left.
//!
//! Commands of one exchange stay together and go out in the order in which they were handed over. When the connection ends,
//! or a caller's time, each command is told apart: all of its bytes had been handed to the system (it may have been
//! applied), or not (it was not: a server runs no half command).

mod queue;
#[cfg(test)]
mod tests;

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use smallvec::SmallVec;
use tokio::{
    sync::{Notify, oneshot, watch},
    time::{Instant, timeout_at},
};

use super::{lanes::Hold, resp::Commands, wire::Wire};
use crate::{
    error::{Error, Kind, Result},
    random,
    store::Reply,
};
use queue::{Answered, Queue};

/// Replies to one exchange, in order.
pub type Replies = Vec<Result<Reply>>;

/// How often a connection is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A connection that stands, or has ended. Clones are the same connection.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    work: Notify,
    /// Why it has ended.
    ended: watch::Sender<Option<Error>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn end(&self, why: Error) {
        let first = self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert_with(|| why.clone());
            first
        });
        if first {
            self.lock().end(&why);
            self.work.notify_one();
        }
    }
}

impl Connection {
    /// Takes over a stream on which the server has let us in. Runs until the connection ends or `end` is called. At rest it
    /// asks every `keepalive` whether the server is still there.
    pub fn start(mut wire: Wire, keepalive: Duration) -> Self {
        wire.open_up();
        let shared =
            Arc::new(Shared { queue: Mutex::new(Queue::new()), work: Notify::new(), ended: watch::Sender::new(None) });
        let task = shared.clone();
        tokio::spawn(async move {
            let why = drive(&task, wire, keepalive).await;
            task.end(why);
        });
        Self { shared }
    }

    /// Queues commands, which go out in the order of these calls. Dropping what this answers withdraws what has not left.
    pub fn hand_over(&self, commands: Commands) -> Exchange<'_> {
        self.hand_over_with(commands, None)
    }

    /// The same, and keeps what their order needs until they are answered.
    pub fn hand_over_with(&self, commands: Commands, mut hold: Option<Hold>) -> Exchange<'_> {
        let (done, answer) = oneshot::channel();
        let count = commands.len();
        let queued = self.shared.lock().push(commands, &mut hold, Some(done));
        self.shared.work.notify_one();
        Exchange { shared: &self.shared, count, queued, answer, hold }
    }

    /// How many commands have no reply yet.
    pub fn unanswered(&self) -> usize {
        self.shared.lock().unanswered()
    }

    /// How many of them have not left.
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting()
    }

    /// For how long the server has owed an answer and sent nothing at all.
    pub fn silence(&self) -> Duration {
        self.shared.lock().silence(Instant::now())
    }

    /// For how long no caller has needed it.
    pub fn unused(&self) -> Duration {
        self.shared.lock().unused(Instant::now())
    }

    /// Ends it: whoever waits is told `why`.
    pub fn end(&self, why: Error) {
        self.shared.end(why);
    }

    /// For how long the oldest command has had no reply.
    pub fn delay(&self, now: Instant) -> Duration {
        self.shared.lock().delay(now)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.shared.ended.borrow().is_some()
    }

    /// Why it has ended, if it has.
    pub fn why_ended(&self) -> Option<Error> {
        self.shared.ended.borrow().clone()
    }

    /// Waits for its end and says why it ended.
    pub async fn ended(&self) -> Error {
        let mut ended = self.shared.ended.subscribe();
        let why = ended.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.unwrap_or_else(|| Error::new(Kind::Unavailable, "the connection was closed"))
    }
}

/// The replies to an exchange.
pub struct Landed {
    pub replies: Replies,
    /// What was kept for them until now. A connection keeps it for itself while it still owes an answer.
    pub hold: Option<Hold>,
    /// Their time was over: the answers, if any come, come out of turn.
    pub late: bool,
}

/// Commands that were handed over.
pub struct Exchange<'a> {
    shared: &'a Shared,
    count: usize,
    /// Its number, until it is over.
    queued: Result<u64>,
    answer: oneshot::Receiver<Answered>,
    /// What the connection would not take.
    hold: Option<Hold>,
}

impl Exchange<'_> {
    /// Waits for the replies until `deadline`.
    ///
    /// Errors that are not the server's own are `E_NOT_SENT` for a command that did not leave, `E_MAYBE_APPLIED` for one whose
    /// connection was lost after it had left, and `E_TIMEOUT` for one that had left when the time was over.
    pub async fn replies(self, deadline: Instant) -> Replies {
        self.landed(deadline).await.replies
    }

    /// The same, with what was kept for them.
    pub async fn landed(mut self, deadline: Instant) -> Landed {
        let landed = |replies, hold| Landed { replies, hold, late: false };
        let number = match &self.queued {
            Ok(number) => *number,
            Err(why) => return landed(queue::not_sent(self.count, why), self.hold.take()),
        };
        let landed = match timeout_at(deadline, &mut self.answer).await {
            Ok(Ok((replies, hold))) => landed(replies, hold),
            Ok(Err(_)) => {
                landed(queue::not_sent(self.count, &Error::new(Kind::Internal, "a connection forgot a call")), None)
            }
            Err(_) => {
                let replies = self.shared.lock().give_up(number).unwrap_or_else(|| queue::late(self.count));
                Landed { replies, hold: None, late: true }
            }
        };
        self.queued = Err(Error::new(Kind::Internal, "it is over"));
        landed
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if let Ok(number) = self.queued {
            drop(self.shared.lock().give_up(number));
        }
    }
}

/// Moves bytes both ways until the connection ends; answers why.
async fn drive(shared: &Shared, wire: Wire, keepalive: Duration) -> Error {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut driver = Driver { shared, wire, writing: Bytes::new(), unflushed: false };
    loop {
        if let Some(why) = shared.ended.borrow().clone() {
            return why;
        }
        tokio::select! {
            biased;
            () = shared.work.notified() => {}
            why = poll_fn(|context| driver.poll(context)) => return why,
            _ = look.tick() => driver.ping_after(keepalive),
        }
    }
}

struct Driver<'a> {
    shared: &'a Shared,
    wire: Wire,
    /// Handed over and not yet taken by the system.
    writing: Bytes,
    unflushed: bool,
}

impl Driver<'_> {
    /// Writes and reads what can be written and read now; ready when the connection has ended.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        match self.poll_write(context).and_then(|()| self.poll_read(context)) {
            Ok(()) => Poll::Pending,
            Err(why) => Poll::Ready(why),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Result<()> {
        loop {
            if self.writing.is_empty() {
                // What was written is let go also when nothing follows it.
                self.writing = self.shared.lock().take(Instant::now()).unwrap_or_default();
                if self.writing.is_empty() {
                    break;
                }
            }
            let Poll::Ready(count) = self.wire.poll_write(context, &self.writing) else { return Ok(()) };
            let count = count?;
            if count == 0 {
                return Err(Error::new(Kind::Unavailable, "the connection takes no more bytes"));
            }
            self.writing.advance(count);
            self.unflushed = true;
            self.shared.lock().wrote(count, Instant::now());
        }
        if self.unflushed
            && let Poll::Ready(flushed) = self.wire.poll_flush(context)
        {
            flushed?;
            self.unflushed = false;
        }
        Ok(())
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Result<()> {
        while let Poll::Ready(filled) = self.wire.poll_fill(context) {
            filled?;
            let mut told = SmallVec::<[_; 8]>::new();
            let answered = self.answer(&mut told);
            // Callers are told outside the lock, and also of what came before something that made no sense.
            for (done, replies) in told {
                let _ = done.send(replies);
            }
            answered?;
        }
        Ok(())
    }

    /// Hands out what has been read; `told` gets the exchanges that this ends.
    fn answer(&mut self, told: &mut impl Extend<queue::Told>) -> Result<()> {
        let mut queue = self.shared.lock();
        let now = Instant::now();
        // A reply that is passed over answers nobody until it ends, and may never: meanwhile the server counts as silent.
        if !self.wire.passes_over() {
            queue.heard(now);
        }
        while self.wire.has_more() {
            if !queue.is_awaited()? {
                self.wire.pass_over();
            }
            let Some(reply) = self.wire.decode()? else { break };
            queue.heard(now);
            told.extend(queue.answer(reply)?);
        }
        Ok(())
    }

    fn ping_after(&self, keepalive: Duration) {
        let mut queue = self.shared.lock();
        let now = Instant::now();
        if queue.wants_word(now) {
            queue.push_word(format!("in step {:016x}", random::fraction().to_bits()));
            drop(queue);
            self.shared.work.notify_one();
        } else if queue.idle(now) >= keepalive {
            let mut ping = Commands::default();
            ping.push_words(&[b"PING"]);
            let _ = queue.push(ping, &mut None, None);
            drop(queue);
            self.shared.work.notify_one();
        }
    }
}
