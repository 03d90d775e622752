//! A pipelined connection: matches replies to requests, and tracks exactly which bytes were written.
//!
//! The commands of an exchange are written contiguously, in the order in which they were queued. When the connection ends or a
//! deadline passes, each command is classified: if all its bytes were handed to the operating system, it may have been applied;
//! otherwise it was not, since a server does not run an incomplete command.

mod queue;
#[cfg(test)]
mod tests;

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
    random,
};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::{
    sync::{Notify, oneshot, watch},
    time::{Instant, timeout_at},
};

use super::{lanes::Hold, resp::Commands, wire::Wire};
use queue::{Answered, Queue};

/// Replies to one exchange, in order.
pub type Replies = Vec<Result<Reply>>;

/// How often a connection is checked.
const LOOK: Duration = Duration::from_millis(250);

/// A connection, open or closed. Clones are the same connection.
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
    fn end(&self, why: Error) {
        let first = self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert_with(|| why.clone());
            first
        });
        if first {
            self.queue.lock().end(&why);
            self.work.notify_one();
        }
    }
}

impl Connection {
    /// Takes over an authenticated stream. Runs until the connection ends or `end` is called. While idle, it sends a PING every
    /// `keepalive`.
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

    /// Queues commands, which are sent in the order of these calls. Dropping the exchange withdraws commands that were not sent
    /// yet.
    pub fn hand_over(&self, commands: Commands) -> Exchange<'_> {
        self.hand_over_with(commands, None)
    }

    /// The same, and keeps `hold` until the replies have arrived.
    pub fn hand_over_with(&self, commands: Commands, mut hold: Option<Hold>) -> Exchange<'_> {
        let (done, answer) = oneshot::channel();
        let count = commands.len();
        let queued = self.shared.queue.lock().push(commands, &mut hold, Some(done));
        self.shared.work.notify_one();
        Exchange { shared: &self.shared, count, queued, answer, hold }
    }

    /// How many commands are pending.
    pub fn unanswered(&self) -> usize {
        self.shared.queue.lock().unanswered()
    }

    /// How many of them have not been sent.
    pub fn waiting(&self) -> usize {
        self.shared.queue.lock().waiting()
    }

    /// How long a reply has been pending without any data from the server.
    pub fn silence(&self) -> Duration {
        self.shared.queue.lock().silence(Instant::now())
    }

    /// How long no caller has used it.
    pub fn unused(&self) -> Duration {
        self.shared.queue.lock().unused(Instant::now())
    }

    /// Closes it; pending calls fail with `why`.
    pub fn end(&self, why: Error) {
        self.shared.end(why);
    }

    /// How long the oldest command has been pending.
    pub fn delay(&self, now: Instant) -> Duration {
        self.shared.queue.lock().delay(now)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.shared.ended.borrow().is_some()
    }

    /// Why it has ended, if it has.
    pub fn why_ended(&self) -> Option<Error> {
        self.shared.ended.borrow().clone()
    }

    /// Waits until it ends and returns why.
    pub async fn ended(&self) -> Error {
        let mut ended = self.shared.ended.subscribe();
        let why = ended.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.unwrap_or_else(|| Error::new(Kind::Unavailable, "the connection was closed"))
    }
}

/// The replies to an exchange.
pub struct Landed {
    pub replies: Replies,
    /// The `hold` of the exchange. `None` if replies are still pending: the connection keeps it then.
    pub hold: Option<Hold>,
    /// The deadline passed, so any replies arrive out of turn.
    pub late: bool,
}

/// Commands that were queued.
pub struct Exchange<'a> {
    shared: &'a Shared,
    count: usize,
    /// Its number, until it has ended.
    queued: Result<u64>,
    answer: oneshot::Receiver<Answered>,
    /// The hold, if the connection did not accept the exchange.
    hold: Option<Hold>,
}

impl Exchange<'_> {
    /// Waits for the replies until `deadline`.
    ///
    /// Errors other than the server's are `E_NOT_SENT` for a command that was not sent, `E_MAYBE_APPLIED` for one whose
    /// connection was lost after it was sent, and `E_TIMEOUT` for one that was sent but got no reply before the deadline.
    pub async fn replies(self, deadline: Instant) -> Replies {
        self.landed(deadline).await.replies
    }

    /// The same, and returns the hold.
    pub async fn landed(mut self, deadline: Instant) -> Landed {
        let landed = |replies, hold| Landed { replies, hold, late: false };
        let number = match &self.queued {
            Ok(number) => *number,
            Err(why) => return landed(queue::not_sent(self.count, why), self.hold.take()),
        };
        let landed = match timeout_at(deadline, &mut self.answer).await {
            Ok(Ok((replies, hold))) => landed(replies, hold),
            Ok(Err(_)) => landed(
                queue::not_sent(self.count, &Error::new(Kind::Internal, "a connection lost track of a call")),
                None,
            ),
            Err(_) => {
                let replies = self.shared.queue.lock().give_up(number).unwrap_or_else(|| queue::late(self.count));
                Landed { replies, hold: None, late: true }
            }
        };
        self.queued = Err(Error::new(Kind::Internal, "the exchange has ended"));
        landed
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if let Ok(number) = self.queued {
            drop(self.shared.queue.lock().give_up(number));
        }
    }
}

/// Reads and writes until the connection ends; returns why.
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
    /// Bytes not yet accepted by the operating system.
    writing: Bytes,
    unflushed: bool,
}

impl Driver<'_> {
    /// Writes and reads as much as possible now; ready when the connection has ended.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        match self.poll_write(context).and_then(|()| self.poll_read(context)) {
            Ok(()) => Poll::Pending,
            Err(why) => Poll::Ready(why),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Result<()> {
        loop {
            if self.writing.is_empty() {
                // Also frees the written bytes if nothing follows.
                self.writing = self.shared.queue.lock().take(Instant::now()).unwrap_or_default();
                if self.writing.is_empty() {
                    break;
                }
            }
            let Poll::Ready(count) = self.wire.poll_write(context, &self.writing) else { return Ok(()) };
            let count = count?;
            if count == 0 {
                return Err(Error::new(Kind::Unavailable, "the connection accepts no more bytes"));
            }
            self.writing.advance(count);
            self.unflushed = true;
            self.shared.queue.lock().wrote(count, Instant::now());
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
            // Callers are notified outside the lock, and before a protocol error is returned: the replies in front of it are
            // valid.
            for (done, replies) in told {
                let _ = done.send(replies);
            }
            answered?;
        }
        Ok(())
    }

    /// Matches the replies that were read; `told` receives the exchanges that are complete.
    fn answer(&mut self, told: &mut impl Extend<queue::Told>) -> Result<()> {
        let mut queue = self.shared.queue.lock();
        let now = Instant::now();
        // A skipped reply may never end, so until it does, its data does not count as a sign of life.
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
        let mut queue = self.shared.queue.lock();
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
