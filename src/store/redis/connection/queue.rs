//! Who waits on a connection: what is to be sent, and what was sent and not answered.

use std::{collections::VecDeque, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::{sync::oneshot, time::Instant};

use super::{Commands, Replies};
use crate::{
    error::{Error, Kind, Result},
    runtime::{self, LARGE},
    store::{Reply, redis::lanes::Hold},
};

/// Small exchanges are written together up to this many bytes. No more: what is handed over cannot be withdrawn.
const TOGETHER: usize = 64 << 10;

/// Whoever has given up no longer counts as waiting, but its answer is still owed: a server that answers now and then, and
/// never catches up, must not fill the memory with what it owes.
const MOST_UNANSWERED: usize = 100_000;

/// How long answers may come without proof that they belong to what was asked.
const STEP: Duration = Duration::from_millis(500);

/// All replies to a caller, and what is held until it has seen to them.
pub type Answered = (Replies, Option<Hold>);

/// A caller and all its replies.
pub type Told = (oneshot::Sender<Answered>, Answered);

/// The commands of one caller.
struct Exchange {
    number: u64,
    bytes: Bytes,
    /// Where each command ends in them.
    ends: Vec<usize>,
    /// Where the first begins in all that was ever handed over.
    start: u64,
    /// Since when the server owes the answer.
    since: Instant,
    answered: usize,
    replies: Replies,
    /// `None` when nobody waits any more: replies are then counted and dropped.
    done: Option<oneshot::Sender<Answered>>,
    /// Kept until the answer is there, also when nobody waits for it: the server may still be at it.
    hold: Option<Hold>,
    /// The word that a PING of ours has with it, whose reply is looked at.
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
    /// Commands in either.
    unanswered: usize,
    /// Bytes handed to the writer, and those of them that the system has taken, since the beginning.
    handed: u64,
    written: u64,
    last_read: Instant,
    last_write: Instant,
    /// When a caller last had something to do with it.
    last_use: Instant,
    /// When requests and replies were last known to belong together: none was owed, or a word of ours came back in its place.
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

    /// Queues commands; the number gives them up. `hold` is taken with them.
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
            return Err(Error::new(Kind::Unavailable, "the server is too far behind with its answers"));
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

    /// The next bytes to write, when all before them were written.
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

    /// The system has taken so many more bytes.
    pub fn wrote(&mut self, count: usize, now: Instant) {
        let before = self.written;
        self.written += count as u64;
        self.last_write = now;
        // What took a while to write has not been in the server's hands for that long.
        for exchange in self.sent.iter_mut().rev().take_while(|exchange| exchange.end() > before) {
            exchange.since = now;
        }
    }

    /// Whether anybody looks at the reply that comes next.
    ///
    /// # Errors
    /// When nobody has asked.
    pub fn is_awaited(&self) -> Result<bool> {
        self.sent.front().map(|exchange| exchange.done.is_some() || exchange.word.is_some()).ok_or_else(unasked)
    }

    /// A reply has come; answers whom to tell when it was the last of an exchange.
    ///
    /// # Errors
    /// When nobody has asked.
    pub fn answer(&mut self, reply: Result<Reply>) -> Result<Option<Told>> {
        let Some(exchange) = self.sent.front_mut() else {
            return Err(unasked());
        };
        // A refusal may come early: a server that cannot read on says so, and ends the connection.
        let asked = exchange.ends.get(exchange.answered).map_or(0, |&end| exchange.start + end as u64);
        if reply.is_ok() && asked > self.written {
            return Err(Error::new(Kind::Unavailable, "the server answered before it was asked"));
        }
        if let Some(word) = &exchange.word {
            if !is_echo(&reply, word) {
                return Err(Error::new(Kind::Unavailable, "the server's answers no longer belong to what it is asked"));
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

    /// The word to ask for, when it is time to see whether the next reply is the answer to the next request: answers have come
    /// for a while, and never was none owed.
    pub fn wants_word(&self, now: Instant) -> bool {
        self.unanswered > 0
            && self.last_read > self.in_step
            && now.saturating_duration_since(self.in_step) >= STEP
            && !self.waiting.iter().chain(&self.sent).any(|exchange| exchange.word.is_some())
    }

    /// Queues a PING whose answer has this word in it.
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

    /// Nobody waits for this any more: what has not left is withdrawn. What is known of it, `None` when all is over.
    pub fn give_up(&mut self, number: u64) -> Option<Replies> {
        if let Ok(at) = self.waiting.binary_search_by_key(&number, |exchange| exchange.number) {
            let exchange = self.waiting.remove(at)?;
            self.unanswered -= exchange.count();
            let why = Error::new(Kind::Unavailable, "its time was over");
            return Some(not_sent(exchange.count(), &why));
        }
        let at = self.sent.binary_search_by_key(&number, |exchange| exchange.number).ok()?;
        let exchange = self.sent.get_mut(at)?;
        exchange.done = None;
        let mut replies = std::mem::take(&mut exchange.replies);
        replies.extend(late(exchange.count() - exchange.answered));
        Some(replies)
    }

    /// Tells everybody that this is over.
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

    /// For how long an answer has been owed and nothing at all came. While a request is still being written, progress of that
    /// counts as well; after that it does not, because a system takes bytes for a peer that is long gone.
    pub fn silence(&self, now: Instant) -> Duration {
        let Some(oldest) = self.sent.front() else { return Duration::ZERO };
        let owed = if oldest.end() > self.written { self.last_write.max(oldest.since) } else { oldest.since };
        now.saturating_duration_since(owed.max(self.last_read))
    }

    /// For how long the oldest command has had no reply.
    pub fn delay(&self, now: Instant) -> Duration {
        self.sent.front().map_or(Duration::ZERO, |oldest| now.saturating_duration_since(oldest.since))
    }

    /// For how long nothing was asked and nothing came.
    pub fn idle(&self, now: Instant) -> Duration {
        if self.unanswered > 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(self.last_read.max(self.last_write))
    }

    /// For how long no caller has had anything to do with it. PINGs of our own are not what keeps a connection.
    pub fn unused(&self, now: Instant) -> Duration {
        if self.unanswered > 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(self.last_use)
    }
}

fn unasked() -> Error {
    Error::new(Kind::Unavailable, "the server sent an answer to nothing")
}

/// Whether this can be the answer to a PING with that word. Some gateways leave the word out; a refusal says nothing.
fn is_echo(reply: &Result<Reply>, word: &str) -> bool {
    match reply {
        Ok(Reply::Bulk(bytes)) => &bytes[..] == word.as_bytes() || &bytes[..] == b"PONG",
        Ok(_) => false,
        Err(_) => true,
    }
}

/// Replies for commands that never left.
pub fn not_sent(count: usize, why: &Error) -> Replies {
    (0..count).map(|_| Err(unsent(why))).collect()
}

/// Replies for commands that left and were not answered in time.
pub fn late(count: usize) -> Replies {
    (0..count).map(|_| Err(Error::new(Kind::Timeout, "no answer came in time"))).collect()
}

fn unsent(why: &Error) -> Error {
    Error::new(Kind::NotSent, format!("nothing was sent: {}", why.message()))
}

fn lost(why: &Error) -> Error {
    let message = format!("the connection was lost before the answer came ({})", why.message());
    Error::new(Kind::MaybeApplied, message)
}
