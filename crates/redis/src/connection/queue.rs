//! The queue of a connection: exchanges to be sent, and exchanges with pending replies.

use std::{collections::VecDeque, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
    runtime::{self, LARGE},
};
use tokio::{sync::oneshot, time::Instant};

use super::{Commands, Replies};
use crate::lanes::Hold;

/// Small exchanges are written together up to this many bytes, and no more, because written bytes cannot be withdrawn.
const TOGETHER: usize = 64 << 10;

/// Abandoned calls no longer count against the queue limits, but their replies are still pending. This limits their memory if
/// the server never catches up.
const MOST_UNANSWERED: usize = 100_000;

/// How long replies may arrive without proof that they match the requests.
const STEP: Duration = Duration::from_millis(500);

/// All replies to a caller, and the hold to keep until it has processed them.
pub type Answered = (Replies, Option<Hold>);

/// A caller and all its replies.
pub type Told = (oneshot::Sender<Answered>, Answered);

/// The commands of one caller.
struct Exchange {
    number: u64,
    bytes: Bytes,
    /// Where each command ends in them.
    ends: Vec<usize>,
    /// The stream position of the first command.
    start: u64,
    /// Since when the reply has been pending.
    since: Instant,
    answered: usize,
    replies: Replies,
    /// `None` if the caller has given up: replies are then counted and dropped.
    done: Option<oneshot::Sender<Answered>>,
    /// Kept until the replies arrive, even if the caller has given up: the server may still be executing the commands.
    hold: Option<Hold>,
    /// The argument of our own PING, which its reply must echo.
    word: Option<String>,
}

impl Exchange {
    fn count(&self) -> usize {
        self.ends.len()
    }

    fn end(&self) -> u64 {
        self.start + self.ends.last().map_or(0, |&end| end as u64)
    }
}

pub struct Queue {
    next: u64,
    waiting: VecDeque<Exchange>,
    sent: VecDeque<Exchange>,
    /// Commands in both queues.
    unanswered: usize,
    /// Stream positions: bytes passed to the writer, and bytes accepted by the operating system.
    handed: u64,
    written: u64,
    last_read: Instant,
    last_write: Instant,
    /// When a caller last used it.
    last_use: Instant,
    /// When requests and replies were last known to match: nothing was pending, or the echo of our PING arrived in its place.
    in_step: Instant,
    ended: Option<Error>,
}

impl Queue {
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            next: 0,
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            unanswered: 0,
            handed: 0,
            written: 0,
            last_read: now,
            last_write: now,
            last_use: now,
            in_step: now,
            ended: None,
        }
    }

    /// Queues commands and takes `hold`. The returned number identifies them for `give_up`.
    pub fn push(
        &mut self,
        commands: Commands,
        hold: &mut Option<Hold>,
        done: Option<oneshot::Sender<Answered>>,
    ) -> Result<u64> {
        if let Some(why) = &self.ended {
            return Err(why.clone());
        }
        if self.unanswered > MOST_UNANSWERED {
            return Err(Error::new(
                Kind::Unavailable,
                "the server is too slow: too many replies are pending on this connection",
            ));
        }
        let number = self.next;
        self.next += 1;
        let (bytes, ends) = commands.finish();
        if bytes.len() > LARGE {
            runtime::give_back_soon();
        }
        if self.unanswered == 0 {
            self.in_step = Instant::now();
        }
        self.unanswered += ends.len();
        let replies = Vec::with_capacity(ends.len());
        let (since, hold) = (self.last_write, hold.take());
        self.waiting.push_back(Exchange {
            number,
            bytes,
            ends,
            start: 0,
            since,
            answered: 0,
            replies,
            done,
            hold,
            word: None,
        });
        Ok(number)
    }

    /// The next bytes to write, after all earlier ones were written.
    pub fn take(&mut self, now: Instant) -> Option<Bytes> {
        let first = self.hand_over(now)?;
        let more =
            |queue: &Self, length| queue.waiting.front().is_some_and(|next| length + next.bytes.len() <= TOGETHER);
        if !more(self, first.len()) {
            return Some(first);
        }
        let mut together = BytesMut::with_capacity(TOGETHER);
        together.put(first);
        while more(self, together.len()) {
            together.put(self.hand_over(now)?);
        }
        Some(together.freeze())
    }

    fn hand_over(&mut self, now: Instant) -> Option<Bytes> {
        let mut exchange = self.waiting.pop_front()?;
        let bytes = std::mem::take(&mut exchange.bytes);
        exchange.start = self.handed;
        exchange.since = now;
        if exchange.done.is_some() {
            self.last_use = now;
        }
        self.handed += bytes.len() as u64;
        self.sent.push_back(exchange);
        Some(bytes)
    }

    /// The operating system has accepted `count` more bytes.
    pub fn wrote(&mut self, count: usize, now: Instant) {
        let before = self.written;
        self.written += count as u64;
        self.last_write = now;
        // Time spent writing does not count as time the server took.
        for exchange in self.sent.iter_mut().rev().take_while(|exchange| exchange.end() > before) {
            exchange.since = now;
        }
    }

    /// Whether the next reply is needed.
    ///
    /// # Errors
    /// If no request is pending.
    pub fn is_awaited(&self) -> Result<bool> {
        self.sent.front().map(|exchange| exchange.done.is_some() || exchange.word.is_some()).ok_or_else(unasked)
    }

    /// Takes a reply; returns the caller to notify if it was the last one of an exchange.
    ///
    /// # Errors
    /// If no request is pending.
    pub fn answer(&mut self, reply: Result<Reply>) -> Result<Option<Told>> {
        let Some(exchange) = self.sent.front_mut() else {
            return Err(unasked());
        };
        // An error reply may arrive early: a server that cannot parse a request reports that and closes the connection.
        let asked = exchange.ends.get(exchange.answered).map_or(0, |&end| exchange.start + end as u64);
        if reply.is_ok() && asked > self.written {
            return Err(Error::new(Kind::Unavailable, "the server sent a reply before the request was complete"));
        }
        if let Some(word) = &exchange.word {
            if !is_echo(&reply, word) {
                return Err(Error::new(Kind::Unavailable, "the server's replies no longer match the requests"));
            }
            self.in_step = self.last_read;
        }
        exchange.answered += 1;
        self.unanswered -= 1;
        if exchange.done.is_some() {
            exchange.replies.push(reply);
            self.last_use = self.last_read;
        }
        if exchange.answered < exchange.count() {
            return Ok(None);
        }
        let exchange = self.sent.pop_front();
        Ok(exchange.and_then(|exchange| Some((exchange.done?, (exchange.replies, exchange.hold)))))
    }

    /// Whether it is time to check that replies still match requests: replies have been arriving for a while, and the
    /// connection was never idle in between.
    pub fn wants_word(&self, now: Instant) -> bool {
        self.unanswered > 0
            && self.last_read > self.in_step
            && now.saturating_duration_since(self.in_step) >= STEP
            && !self.waiting.iter().chain(&self.sent).any(|exchange| exchange.word.is_some())
    }

    /// Queues a PING whose reply must echo this word.
    pub fn push_word(&mut self, word: String) {
        let mut ping = Commands::default();
        ping.push_words(&[b"PING", word.as_bytes()]);
        if self.push(ping, &mut None, None).is_ok()
            && let Some(last) = self.waiting.back_mut()
        {
            last.word = Some(word);
        }
    }

    pub fn heard(&mut self, now: Instant) {
        self.last_read = now;
    }

    /// Abandons an exchange and withdraws it if it was not sent. Returns its outcome, or `None` if it has already ended.
    pub fn give_up(&mut self, number: u64) -> Option<Replies> {
        if let Ok(at) = self.waiting.binary_search_by_key(&number, |exchange| exchange.number) {
            let exchange = self.waiting.remove(at)?;
            self.unanswered -= exchange.count();
            let why = Error::new(Kind::Unavailable, "the deadline passed");
            return Some(not_sent(exchange.count(), &why));
        }
        let at = self.sent.binary_search_by_key(&number, |exchange| exchange.number).ok()?;
        let exchange = self.sent.get_mut(at)?;
        exchange.done = None;
        let mut replies = std::mem::take(&mut exchange.replies);
        replies.extend(late(exchange.count() - exchange.answered));
        Some(replies)
    }

    /// Fails all pending exchanges.
    pub fn end(&mut self, why: &Error) {
        self.ended = Some(why.clone());
        self.unanswered = 0;
        for mut exchange in self.sent.drain(..) {
            let Some(done) = exchange.done.take() else { continue };
            for &end in exchange.ends.iter().skip(exchange.answered) {
                let left = exchange.start + end as u64 <= self.written;
                exchange.replies.push(Err(if left { lost(why) } else { unsent(why) }));
            }
            let _ = done.send((exchange.replies, exchange.hold));
        }
        for exchange in self.waiting.drain(..) {
            if let Some(done) = exchange.done {
                let _ = done.send((not_sent(exchange.ends.len(), why), exchange.hold));
            }
        }
    }

    pub fn unanswered(&self) -> usize {
        self.unanswered
    }

    pub fn waiting(&self) -> usize {
        self.waiting.iter().map(Exchange::count).sum()
    }

    /// How long a reply has been pending without any data from the server. While a request is still being written, write
    /// progress counts as a sign of life too; later it does not, because the operating system accepts bytes for a peer that is
    /// gone.
    pub fn silence(&self, now: Instant) -> Duration {
        let Some(oldest) = self.sent.front() else { return Duration::ZERO };
        let owed = if oldest.end() > self.written { self.last_write.max(oldest.since) } else { oldest.since };
        now.saturating_duration_since(owed.max(self.last_read))
    }

    /// How long the oldest command has been pending.
    pub fn delay(&self, now: Instant) -> Duration {
        self.sent.front().map_or(Duration::ZERO, |oldest| now.saturating_duration_since(oldest.since))
    }

    /// How long nothing was sent or received.
    pub fn idle(&self, now: Instant) -> Duration {
        if self.unanswered > 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(self.last_read.max(self.last_write))
    }

    /// How long no caller has used the connection. Our own PINGs do not count as use.
    pub fn unused(&self, now: Instant) -> Duration {
        if self.unanswered > 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(self.last_use)
    }
}

fn unasked() -> Error {
    Error::new(Kind::Unavailable, "the server sent a reply that was not requested")
}

/// Whether this can be the reply to a PING with that word. Some gateways omit the word; an error reply proves nothing.
fn is_echo(reply: &Result<Reply>, word: &str) -> bool {
    match reply {
        Ok(Reply::Bulk(bytes)) => &bytes[..] == word.as_bytes() || &bytes[..] == b"PONG",
        Ok(_) => false,
        Err(_) => true,
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

fn unsent(why: &Error) -> Error {
    Error::new(Kind::NotSent, format!("nothing was sent: {}", why.message()))
}

fn lost(why: &Error) -> Error {
    let message = format!("the connection was lost before the reply arrived ({})", why.message());
    Error::new(Kind::MaybeApplied, message)
}
