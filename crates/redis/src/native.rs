//! The native driver: one task per connection, which matches replies to requests and tracks exactly which bytes were written.
//!
//! When the connection ends or a deadline passes, each command is classified: if all its bytes were passed to the operating
//! system, it may have been applied; otherwise it was not, since a server does not run an incomplete command.

pub mod stream;
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
    error::{Error, Kind, Result},
    random,
};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    connection::{
        Connection, Done, Replies, Transport,
        queue::{Completed, Queue},
    },
    key_order::InFlight,
    resp::Commands,
};
use stream::Stream;

/// How often a connection is checked.
const CHECK_EVERY: Duration = Duration::from_millis(250);

struct Native {
    queue: Mutex<Queue>,
    work: Notify,
    /// Why it has ended.
    ended: watch::Sender<Option<Error>>,
}

/// Takes over an authenticated stream. The connection runs until it ends or is closed. While idle, it sends a PING every
/// `keepalive`.
pub fn start(mut stream: Stream, keepalive: Duration) -> Connection {
    stream.allow_large_replies();
    let native =
        Arc::new(Native { queue: Mutex::new(Queue::new()), work: Notify::new(), ended: watch::Sender::new(None) });
    let task = native.clone();
    tokio::spawn(async move {
        let why = drive(&task, stream, keepalive).await;
        task.end(why);
    });
    Connection::new(native)
}

impl Transport for Native {
    fn submit(&self, commands: Commands, hold: &mut Option<InFlight>, done: Done) -> Result<u64> {
        let number = self.queue.lock().push(commands, hold, Some(done));
        self.work.notify_one();
        number
    }

    fn abandon(&self, number: u64) -> Option<Replies> {
        self.queue.lock().abandon(number)
    }

    fn pending(&self) -> usize {
        self.queue.lock().pending()
    }

    fn unsent(&self) -> usize {
        self.queue.lock().unsent()
    }

    fn silence(&self, now: Instant) -> Duration {
        self.queue.lock().silence(now)
    }

    fn delay(&self, now: Instant) -> Duration {
        self.queue.lock().delay(now)
    }

    fn unused(&self, now: Instant) -> Duration {
        self.queue.lock().unused(now)
    }

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

    fn ended(&self) -> watch::Receiver<Option<Error>> {
        self.ended.subscribe()
    }

    fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }
}

/// Reads and writes until the connection ends; returns why.
async fn drive(native: &Native, stream: Stream, keepalive: Duration) -> Error {
    let mut check = tokio::time::interval(CHECK_EVERY);
    check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut pump = Pump { native, stream, writing: Bytes::new(), unflushed: false };
    loop {
        if let Some(why) = native.ended.borrow().clone() {
            return why;
        }
        tokio::select! {
            biased;
            () = native.work.notified() => {}
            why = poll_fn(|context| pump.poll(context)) => return why,
            _ = check.tick() => pump.ping_after(keepalive),
        }
    }
}

/// Moves the bytes of a connection both ways.
struct Pump<'a> {
    native: &'a Native,
    stream: Stream,
    /// Bytes not yet accepted by the operating system.
    writing: Bytes,
    unflushed: bool,
}

impl Pump<'_> {
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
                self.writing = self.native.queue.lock().next_bytes(Instant::now()).unwrap_or_default();
                if self.writing.is_empty() {
                    break;
                }
            }
            let Poll::Ready(count) = self.stream.poll_write(context, &self.writing) else { return Ok(()) };
            let count = count?;
            if count == 0 {
                return Err(Error::new(Kind::Unavailable, "the connection accepts no more bytes"));
            }
            self.writing.advance(count);
            self.unflushed = true;
            self.native.queue.lock().note_written(count, Instant::now());
        }
        if self.unflushed
            && let Poll::Ready(flushed) = self.stream.poll_flush(context)
        {
            flushed?;
            self.unflushed = false;
        }
        Ok(())
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Result<()> {
        while let Poll::Ready(filled) = self.stream.poll_fill(context) {
            filled?;
            let mut completed = SmallVec::<[_; 8]>::new();
            let matched = self.match_replies(&mut completed);
            // Callers are notified outside the lock, and before a protocol error is returned: the replies in front of it are
            // valid.
            for (done, replies) in completed {
                let _ = done.send(replies);
            }
            matched?;
        }
        Ok(())
    }

    /// Matches the replies that were read to requests; `completed` receives the exchanges that are complete.
    fn match_replies(&mut self, completed: &mut impl Extend<Completed>) -> Result<()> {
        let mut queue = self.native.queue.lock();
        let now = Instant::now();
        // A skipped reply may never end, so until it does, its data does not count as a sign of life.
        if !self.stream.is_skipping() {
            queue.note_received(now);
        }
        while self.stream.has_unread() {
            if !queue.wants_reply()? {
                self.stream.skip_reply();
            }
            let Some(reply) = self.stream.decode()? else { break };
            queue.note_received(now);
            completed.extend(queue.receive(reply)?);
        }
        Ok(())
    }

    fn ping_after(&self, keepalive: Duration) {
        let mut queue = self.native.queue.lock();
        let now = Instant::now();
        if queue.needs_echo(now) {
            queue.push_echo(format!("in step {:016x}", random::fraction().to_bits()));
            drop(queue);
            self.native.work.notify_one();
        } else if queue.idle(now) >= keepalive {
            let mut ping = Commands::default();
            ping.push_words(&[b"PING"]);
            let _ = queue.push(ping, &mut None, None);
            drop(queue);
            self.native.work.notify_one();
        }
    }
}
