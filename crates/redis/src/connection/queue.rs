//! The queue of a connection: exchanges to be sent, and exchanges with pending replies.

use std::{collections::VecDeque, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
    runtime::{self, LARGE},
};
use tokio::time::Instant;

use super::{Completion, Done, Replies, late, lost, not_sent, unsent};
use crate::{key_order::InFlight, resp::Commands};

/// Small exchanges are written together up to this many bytes, and no more, because written bytes cannot be withdrawn.
const TOGETHER: usize = 64 << 10;

/// Abandoned calls no longer count against the queue limits, but their replies are still pending. This limits their memory if
/// the server never catches up.
const MAX_PENDING: usize = 100_000;

/// How long replies may arrive without proof that they match the requests.
const UNPROVEN: Duration = Duration::from_millis(500);

/// A caller and all its replies.
pub type Completed = (Done, Completion);

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
    /// How many replies have arrived.
    received: usize,
    replies: Replies,
    /// `None` if the caller has given up: replies are then counted and dropped.
    done: Option<Done>,
    /// Kept until the replies arrive, even if the caller has given up: the server may still be executing the commands.
    hold: Option<InFlight>,
    /// The argument of our own PING, which its reply must echo.
    echo: Option<String>,
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
    unsent: VecDeque<Exchange>,
    sent: VecDeque<Exchange>,
    /// Commands in both queues.
    pending: usize,
    /// Stream positions: bytes passed to the writer, and bytes accepted by the operating system.
    submitted: u64,
    written: u64,
    last_read: Instant,
    last_write: Instant,
    /// When a caller last used it.
    last_use: Instant,
    /// When requests and replies were last known to match: nothing was pending, or the echo of our PING arrived in its place.
    matched_at: Instant,
    ended: Option<Error>,
}

impl Queue {
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            next: 0,
            unsent: VecDeque::new(),
            sent: VecDeque::new(),
            pending: 0,
            submitted: 0,
            written: 0,
            last_read: now,
            last_write: now,
            last_use: now,
            matched_at: now,
            ended: None,
        }
    }

    /// Queues commands and takes `hold`. The returned number identifies them for `abandon`.
    pub fn push(&mut self, commands: Commands, hold: &mut Option<InFlight>, done: Option<Done>) -> Result<u64> {
        if let Some(why) = &self.ended {
            return Err(why.clone());
        }
        if self.pending > MAX_PENDING {
            return Err(Error::new(
                Kind::Unavailable,
                "the server is too slow: too many replies are pending on this connection",
            ));
        }
        let number = self.next;
        self.next += 1;
        let (bytes, ends) = commands.finish();
        if bytes.len() > LARGE {
            runtime::trim_memory_soon();
        }
        if self.pending == 0 {
            self.matched_at = Instant::now();
        }
        self.pending += ends.len();
        let replies = Vec::with_capacity(ends.len());
        let (since, hold) = (self.last_write, hold.take());
        self.unsent.push_back(Exchange {
            number,
            bytes,
            ends,
            start: 0,
            since,
            received: 0,
            replies,
            done,
            hold,
            echo: None,
        });
        Ok(number)
    }

    /// The next bytes to write, after all earlier ones were written.
    pub fn next_bytes(&mut self, now: Instant) -> Option<Bytes> {
        let first = self.send_next(now)?;
        let more =
            |queue: &Self, length| queue.unsent.front().is_some_and(|next| length + next.bytes.len() <= TOGETHER);
        if !more(self, first.len()) {
            return Some(first);
        }
        let mut together = BytesMut::with_capacity(TOGETHER);
        together.put(first);
        while more(self, together.len()) {
            together.put(self.send_next(now)?);
        }
        Some(together.freeze())
    }

    fn send_next(&mut self, now: Instant) -> Option<Bytes> {
        let mut exchange = self.unsent.pop_front()?;
        let bytes = std::mem::take(&mut exchange.bytes);
        exchange.start = self.submitted;
        exchange.since = now;
        if exchange.done.is_some() {
            self.last_use = now;
        }
        self.submitted += bytes.len() as u64;
        self.sent.push_back(exchange);
        Some(bytes)
    }

    /// The operating system has accepted `count` more bytes.
    pub fn note_written(&mut self, count: usize, now: Instant) {
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
    pub fn wants_reply(&self) -> Result<bool> {
        self.sent.front().map(|exchange| exchange.done.is_some() || exchange.echo.is_some()).ok_or_else(unrequested)
    }

    /// Takes a reply; returns the caller to notify if it was the last one of an exchange.
    ///
    /// # Errors
    /// If no request is pending.
    pub fn receive(&mut self, reply: Result<Reply>) -> Result<Option<Completed>> {
        let Some(exchange) = self.sent.front_mut() else {
            return Err(unrequested());
        };
        // An error reply may arrive early: a server that cannot parse a request reports that and closes the connection.
        let complete_at = exchange.ends.get(exchange.received).map_or(0, |&end| exchange.start + end as u64);
        if reply.is_ok() && complete_at > self.written {
            return Err(Error::new(Kind::Unavailable, "the server sent a reply before the request was complete"));
        }
        if let Some(echo) = &exchange.echo {
            if !is_echo(&reply, echo) {
                return Err(Error::new(Kind::Unavailable, "the server's replies no longer match the requests"));
            }
            self.matched_at = self.last_read;
        }
        exchange.received += 1;
        self.pending -= 1;
        if exchange.done.is_some() {
            exchange.replies.push(reply);
            self.last_use = self.last_read;
        }
        if exchange.received < exchange.count() {
            return Ok(None);
        }
        let exchange = self.sent.pop_front();
        Ok(exchange.and_then(|exchange| Some((exchange.done?, (exchange.replies, exchange.hold)))))
    }

    /// Whether it is time to check that replies still match requests: replies have been arriving for a while, and the
    /// connection was never idle in between.
    pub fn needs_echo(&self, now: Instant) -> bool {
        self.pending > 0
            && self.last_read > self.matched_at
            && now.saturating_duration_since(self.matched_at) >= UNPROVEN
            && !self.unsent.iter().chain(&self.sent).any(|exchange| exchange.echo.is_some())
    }

    /// Queues a PING whose reply must echo this word.
    pub fn push_echo(&mut self, word: String) {
        let mut ping = Commands::default();
        ping.push_words(&[b"PING", word.as_bytes()]);
        if self.push(ping, &mut None, None).is_ok()
            && let Some(last) = self.unsent.back_mut()
        {
            last.echo = Some(word);
        }
    }

    pub fn note_received(&mut self, now: Instant) {
        self.last_read = now;
    }

    /// Abandons an exchange and withdraws it if it was not sent. Returns its outcome, or `None` if it has already ended.
    pub fn abandon(&mut self, number: u64) -> Option<Replies> {
        if let Ok(at) = self.unsent.binary_search_by_key(&number, |exchange| exchange.number) {
            let exchange = self.unsent.remove(at)?;
            self.pending -= exchange.count();
            let why = Error::new(Kind::Unavailable, "the deadline passed");
            return Some(not_sent(exchange.count(), &why));
        }
        let at = self.sent.binary_search_by_key(&number, |exchange| exchange.number).ok()?;
        let exchange = self.sent.get_mut(at)?;
        exchange.done = None;
        let mut replies = std::mem::take(&mut exchange.replies);
        replies.extend(late(exchange.count() - exchange.received));
        Some(replies)
    }

    /// Fails all pending exchanges.
    pub fn end(&mut self, why: &Error) {
        self.ended = Some(why.clone());
        self.pending = 0;
        for mut exchange in self.sent.drain(..) {
            let Some(done) = exchange.done.take() else { continue };
            for &end in exchange.ends.iter().skip(exchange.received) {
                let left = exchange.start + end as u64 <= self.written;
                exchange.replies.push(Err(if left { lost(why) } else { unsent(why) }));
            }
            let _ = done.send((exchange.replies, exchange.hold));
        }
        for exchange in self.unsent.drain(..) {
            if let Some(done) = exchange.done {
                let _ = done.send((not_sent(exchange.ends.len(), why), exchange.hold));
            }
        }
    }

    pub fn pending(&self) -> usize {
        self.pending
    }

    pub fn unsent(&self) -> usize {
        self.unsent.iter().map(Exchange::count).sum()
    }

    /// How long a reply has been pending without any data from the server. While a request is still being written, write
    /// progress counts as a sign of life too; later it does not, because the operating system accepts bytes for a peer that is
    /// gone.
    pub fn silence(&self, now: Instant) -> Duration {
        let Some(oldest) = self.sent.front() else { return Duration::ZERO };
        let since = if oldest.end() > self.written { self.last_write.max(oldest.since) } else { oldest.since };
        now.saturating_duration_since(since.max(self.last_read))
    }

    /// How long the oldest command has been pending.
    pub fn delay(&self, now: Instant) -> Duration {
        self.sent.front().map_or(Duration::ZERO, |oldest| now.saturating_duration_since(oldest.since))
    }

    /// How long nothing was sent or received.
    pub fn idle(&self, now: Instant) -> Duration {
        if self.pending > 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(self.last_read.max(self.last_write))
    }

    /// How long no caller has used the connection. Our own PINGs do not count as use.
    pub fn unused(&self, now: Instant) -> Duration {
        if self.pending > 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(self.last_use)
    }
}

fn unrequested() -> Error {
    Error::new(Kind::Unavailable, "the server sent a reply that was not requested")
}

/// Whether this can be the reply to a PING with that word. Some gateways omit the word; an error reply proves nothing.
pub fn is_echo(reply: &Result<Reply>, word: &str) -> bool {
    match reply {
        Ok(Reply::Bulk(bytes)) => &bytes[..] == word.as_bytes() || &bytes[..] == b"PONG",
        Ok(_) => false,
        Err(_) => true,
    }
}
